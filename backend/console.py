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
