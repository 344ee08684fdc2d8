"""Scenes that are rendered once and heard several times, each time masked otherwise.

Rendering a scene takes longer than learning from it, and a second look at it still teaches.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.tensorfile import Array, output_error

Render = Callable[[np.random.Generator], tuple[Array, Array]]
_SEED = 20312  # the scenes are the same for runs of every seed; an arbitrary number
_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class BankShape:
    """`scenes` of [features, width] hearing and [frames] phone classes each."""

    scenes: int
    features: int
    width: int
    frames: int


class SceneBank:
    """Features and phones of numbered scenes, on disk; one that nobody has asked for yet is rendered.

    Scene i depends on i and `render` alone, so processes may share a bank and a run may be resumed.
    """

    def __init__(self, folder: Path, shape: BankShape, render: Render) -> None:
        """Open or make the files in `folder`. Raises `OutputError` when that is impossible."""
        self._render = render
        self._features = _mapped(
            folder / "features.f16", np.float16, (shape.scenes, shape.features, shape.width)
        )
        self._phones = _mapped(folder / "phones.i16", np.int16, (shape.scenes, shape.frames))
        self._rendered = _mapped(folder / "rendered.u8", np.uint8, (shape.scenes,))

    def __len__(self) -> int:
        return len(self._rendered)

    def __getitem__(self, number: int) -> tuple[Array, Array]:
        """([features, width] f32, [frames] i64) of scene `number`."""
        if not self._rendered[number]:
            features, phones = self._render(np.random.default_rng([_SEED, number]))
            self._features[number], self._phones[number] = features, phones
            self._rendered[number] = 1
        return self._features[number].astype(np.float32), self._phones[number].astype(np.int64)


def _mapped(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> Array:
    """The array at `path`, made anew with zeros where it is not there or has another size."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = path.exists() and path.stat().st_size == size
        if not kept:
            _reserve(path, size)
        return np.memmap(path, kind, "r+", shape=shape)
    except OSError as error:
        raise output_error(path, error) from error


def _reserve(path: Path, size: int) -> None:
    """A file of `size` zeros that has its place on the disk: mapped holes end in a bus error."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        for start in range(0, size, _BLOCK):
            file.write(bytes(min(_BLOCK, size - start)))
