"""python -m training.recorded OUT: make the test sets."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from blender_addon.protocol.errors import VividTalkError

from .build import build, chosen
from .sources import LANGUAGES, SHARE, spoken

_COLUMNS = ("language", "recordings", "unreadable", "not_aligned", "doubtful", "kept", "bilabials")


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--languages", default="es,fr,it,ru", show_default=True, help="Codes, separated by commas.")
@click.option("--limit", default=200, show_default=True, help="Recordings per language and package.")
@click.option("--share", default=SHARE, type=click.Path(path_type=Path), help="Where packages put their data.")
def main(out: Path, languages: str, limit: int, share: Path) -> None:
    """Write OUT/LANGUAGE.jsonl, manifests of recorded voices for `vividtalk evaluate lipsync`."""
    names = [name for name in languages.split(",") if name]
    unknown = [name for name in names if name not in LANGUAGES]
    if unknown:
        raise click.UsageError(f"unknown language {unknown[0]!r}: choose from {', '.join(LANGUAGES)}")
    try:
        click.echo("".join(f"{name:>12s}" for name in _COLUMNS))
        for name in names:
            built = build(name, chosen(spoken(name, share), limit), out)
            click.echo("".join(f"{getattr(built, column)!s:>12s}" for column in _COLUMNS))
    except VividTalkError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
