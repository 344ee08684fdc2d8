"""What commands share: kinds of arguments, and progress on a terminal, nothing on a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

FILE = click.Path(path_type=Path)


def tensor_path(_context: click.Context, _parameter: click.Parameter, value: Path) -> Path:
    """For an option that names a clip or face file to write: refuse another ending."""
    if value.suffix.lower() != ".safetensors":
        raise click.BadParameter(f"{value.name}: a clip or face file ends in .safetensors")
    return value


def frame_rate(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """For an option with frames per second: a number or a ratio."""
    if value is None:
        return None
    numerator, _, denominator = value.partition("/")
    try:
        fps = float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        raise click.BadParameter(f"{value!r} is not a rate like 25 or 30000/1001") from None
    if not 1 <= fps <= 240:
        raise click.BadParameter(f"{value} frames per second is out of range (1 to 240)")
    return fps


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr while the block runs.

    Args:
        label: what is being done.
        total: units of work, or None when unknown.

    Yields:
        A function that adds finished units.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(label, total=total)
        yield lambda units: bar.advance(task, units)
