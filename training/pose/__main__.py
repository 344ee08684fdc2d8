"""python -m training.pose: figures of the synthetic prior of head motion, and its motion as clips."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import click
import numpy as np

from blender_addon.protocol.errors import VividTalkError

from ..expression import training_pool
from .render import render_clips
from .statistics import BANDS, PoseStatistics, of_prior

_PATH = click.Path(path_type=Path)
_AXES = ("pitch", "roll", "yaw", "left", "back", "up")
_CORPUS = click.option("--corpus", required=True, type=_PATH, help="A folder of `vividtalk train corpus`.")
_SEED = click.option("--seed", default=0, show_default=True)


@click.group()
def main() -> None:
    """A synthetic prior of head motion."""


@main.command()
@click.option("-o", "--output", required=True, type=_PATH, help="Folder for clips and sounds.")
@click.option("--minutes", default=10.0, show_default=True)
@_CORPUS
@_SEED
def render(output: Path, minutes: float, corpus: Path, seed: int) -> None:
    """Write the prior's motion and its sound as motion clips."""
    paths = render_clips(output, training_pool(corpus), minutes, np.random.default_rng(seed))
    click.echo(f"{len(paths)} clips in {output}")


@main.command()
@click.option("--minutes", default=20, show_default=True)
@_CORPUS
@_SEED
def statistics(minutes: int, corpus: Path, seed: int) -> None:
    """Print what the prior's motion is like on random voices of a corpus."""
    for line in _lines(of_prior(training_pool(corpus), minutes, np.random.default_rng(seed))):
        click.echo(line)


def _lines(figures: PoseStatistics) -> list[str]:
    """The figures as text; angles in degrees, shifts in millimetres."""
    rows = [f"{'':28s}" + "".join(f"{name:>8s}" for name in _AXES)]
    for name in ("deviation", "span", "farthest", "mean_30"):
        rows.append(f"{name:28s}" + "".join(f"{value:8.2f}" for value in getattr(figures, name)))
    for (low, high), shares in zip(pairwise(BANDS), figures.bands, strict=True):
        label = f"power at {low:g}-{high:.3g} Hz"
        rows.append(f"{label:28s}" + "".join(f"{share:8.2%}" for share in shares))
    names = ("speaking", "pausing", "deep in pauses")
    for name, speed, share in zip(names, figures.speed, figures.moving, strict=True):
        rows.append(f"{name:28s}{speed:8.2f} degrees/s, moving {share:.1%} of the time")
    small, large = figures.nod_size
    rows.append(f"{'nods in speech':28s}{figures.nods:8.1f} per minute, {small:.1f} deep (95th: {large:.1f})")
    for name in ("accents", "accent_pitch"):
        curve = getattr(figures, name)[::3]
        rows.append(f"{name + ', every 0.12 s':28s}" + "".join(f"{value:6.2f}" for value in curve))
    return rows


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except VividTalkError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
