"""python -m training.recorded: recorded voices to learn from or to judge by, models judged on words."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from blender_addon.protocol.errors import InputError, VividTalkError
from models.expression import ExpressionModel

from ..evaluate.lipsync import read_manifest
from .build import build, chosen, write_taught
from .sources import LANGUAGES, SHARE, spoken
from .words import LAYOUTS, score_layout, words_of

_COLUMNS = ("language", "recordings", "unreadable", "not_aligned", "doubtful", "kept", "bilabials")
_PATH = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Recorded voices of many languages, some to learn from, the others to judge by."""


@main.command()
@click.argument("out", type=_PATH)
@click.option("--languages", default="es,fr,it,ro,ru", show_default=True, help="Codes, comma-separated.")
@click.option("--limit", default=200, show_default=True, help="Recordings per language and package.")
@click.option("--share", default=SHARE, type=_PATH, help="Where packages put their data.")
def prepare(out: Path, languages: str, limit: int, share: Path) -> None:
    """Write OUT/LANGUAGE.jsonl, manifests for `vividtalk evaluate lipsync`."""
    click.echo("".join(f"{name:>12s}" for name in _COLUMNS))
    for name in _named(languages):
        judged = [item for item in spoken(name, share) if not item.taught]
        if not judged:
            raise InputError(f"every voice in {name!r} is for training", "Choose from es, fr, it, ro, ru")
        built = build(name, chosen(judged, limit), out)
        click.echo("".join(f"{getattr(built, column)!s:>12s}" for column in _COLUMNS))


@main.command()
@click.argument("corpus", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--languages", default=",".join(LANGUAGES), show_default=True, help="Codes, comma-separated.")
@click.option("--share", default=SHARE, type=_PATH, help="Where packages put their data.")
def teach(corpus: Path, languages: str, share: Path) -> None:
    """Add the voices that no test set holds to CORPUS, for `vividtalk train expression`."""
    taught = [item for name in _named(languages) for item in spoken(name, share) if item.taught]
    click.echo(f"{write_taught(taught, corpus):.1f} minutes of recorded voices in {corpus}")


def _named(languages: str) -> list[str]:
    names = [name for name in languages.split(",") if name]
    unknown = [name for name in names if name not in LANGUAGES]
    if unknown:
        raise click.UsageError(f"unknown language {unknown[0]!r}: choose from {', '.join(LANGUAGES)}")
    return names


@main.command()
@click.argument("manifest", type=_PATH)
@click.option("--model", type=_PATH, help="Weights; without it, the shipped ones.")
@click.option("--seconds", default=3600.0, show_default=True, help="Length of the long file.")
def words(manifest: Path, model: Path | None, seconds: float) -> None:
    """Closure AUC of the words of MANIFEST alone, 12 dB quieter, joined, and at the end of an hour."""
    chosen_words, heard_by = words_of(read_manifest(manifest)), ExpressionModel.load(model)
    for layout in LAYOUTS:
        scores = score_layout(chosen_words, heard_by, layout, seconds)
        click.echo(f"{layout:8s}{scores.clips:5d} words {scores.bilabials:5d} p b m {scores.closure_auc:.3f}")


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except VividTalkError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
