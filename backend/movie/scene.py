"""A portrait that is ready to be rendered, and its frames drawn by as many threads as there are cores for."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from blender_addon.protocol.tensorfile import Array
from models.video.motion import FrameMotion

from .cache import FrameCache

MOST_THREADS = 4  # our choice: each has buffers of its own
_AHEAD = 2  # frames per thread that wait for whoever takes them: bounds memory


class FrameSource(Protocol):
    """Draws frames of one portrait; any number of threads may use it at once."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the portrait and of the frames drawn so far."""
        ...

    def crop(self, motion: FrameMotion) -> Array:
        """The part about the face [size, size, 3] u8 sRGB."""
        ...

    def pasted(self, crop: Array) -> Array:
        """The whole picture [H, W, 3] u8 sRGB with `crop` in it."""
        ...


@dataclass(frozen=True)
class Scene:
    """A portrait that is ready to be rendered.

    Attributes:
        key: what frames depend on beside their motion (`source_key`).
        source: the renderer.
        size: pixels of a crop's side.
        width, height: of the picture, pixels.
        box: left, top, width, height of what a frame changes of it, pixels.
        notes: lines for the user, those of the renderer not among them.
    """

    key: str
    source: FrameSource
    size: int
    width: int
    height: int
    box: tuple[int, int, int, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planned:
    """A frame to draw: its place in a take, its motion, its name."""

    place: int
    motion: FrameMotion
    key: str


@dataclass(frozen=True)
class Drawn:
    """A frame's crop, and whether it had to be rendered."""

    place: int
    crop: Array
    rendered: bool


def draw_frames(
    scene: Scene, frames: Sequence[Planned], cache: FrameCache | None
) -> Generator[Drawn, None, None]:
    """All `frames` in their order: from the cache, else rendered and kept there.

    Raises:
        OutputError: a frame cannot be kept; those before it are.
    """
    threads = max(1, min(MOST_THREADS, os.cpu_count() or 1, len(frames)))
    waiting: deque[Future[Drawn]] = deque()
    pool = ThreadPoolExecutor(threads, "vividtalk-frame")
    try:
        for frame in frames:
            waiting.append(pool.submit(_draw, scene, frame, cache))
            if len(waiting) >= threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _draw(scene: Scene, frame: Planned, cache: FrameCache | None) -> Drawn:
    kept = None if cache is None else cache.read(frame.key)
    if kept is not None and kept.shape == (scene.size, scene.size, 3):
        return Drawn(frame.place, kept, False)
    crop = scene.source.crop(frame.motion)
    if cache is not None:
        cache.write(frame.key, crop)
    return Drawn(frame.place, crop, True)
