"""How fast a portrait is rendered (`vividtalk bench`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.tensorfile import Array

from .motion import FrameMotion
from .renderer import PortraitRenderer

FPS = 25


@dataclass(frozen=True)
class WarpSpeed:
    """Frames per second of one portrait at one crop size.

    Attributes:
        rendered: rendered by `threads` and encoded as H.264 as they come.
        alone: rendered only, by one thread.
        floor: one cubic `cv2.remap` and the same encoding of the same frames, by one thread.
        ratio: the time of a rendered and encoded frame in times of the floor's, both by one thread.
    """

    rendered: float
    alone: float
    floor: float
    ratio: float


def speaking(count: int, own: Array) -> list[FrameMotion]:
    """Frames in which jaw, lips, lids and head move, like no speech but as much."""
    frames = []
    for t in np.arange(count) / FPS:
        weights = own.copy()
        weights[ARKIT_INDEX["jawOpen"]] += 0.2 + 0.2 * np.sin(17 * t)
        weights[ARKIT_INDEX["mouthPucker"]] += 0.3 + 0.3 * np.sin(7 * t)
        for side in ("Left", "Right"):
            weights[ARKIT_INDEX[f"eyeBlink{side}"]] += max(0.0, np.sin(2 * t)) ** 20
        pose = np.array([0.06 * np.sin(2 * t), 0.04 * np.sin(t), 0.12 * np.sin(1.5 * t + 1), 0, 0, 0])
        frames.append(FrameMotion(np.clip(weights, 0, 1), np.zeros(0), pose, np.zeros(0)))
    return frames


def warp_speed(renderer: PortraitRenderer, motions: list[FrameMotion], threads: int = 2) -> WarpSpeed:
    """Time `renderer` on `motions`."""
    renderer.crop(motions[0])
    alone, crops = _timed(lambda: [renderer.crop(motion) for motion in motions])
    coding, _ = _timed(lambda: _encoded(iter(crops)))
    mapping, _ = _timed(lambda: _remapped(crops))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(renderer.crop, motions[: 2 * threads]))
        together, _ = _timed(lambda: _encoded(pool.map(renderer.crop, motions)))
    count = len(motions)
    floor = mapping + coding
    return WarpSpeed(count / together, count / alone, count / floor, (alone + coding) / floor)


def _timed(work: Callable[[], list[Array] | int]) -> tuple[float, list[Array]]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result if isinstance(result, list) else []


def _remapped(crops: list[Array]) -> int:
    import cv2

    side = crops[0].shape[0]
    x, y = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    places = np.stack([x + 3 * np.sin(y / 30), y + 2 * np.cos(x / 40)], 2).astype(np.float32)
    for crop in crops:
        cv2.remap(crop, places, None, cv2.INTER_CUBIC)
    return len(crops)


def _encoded(crops: Iterator[Array]) -> int:
    """Encode as the movies are (H.264, yuv420p, one thread), into memory."""
    import io

    import av

    first = next(crops)
    with av.open(io.BytesIO(), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], "yuv420p"
        total = 0
        for crop in (first, *crops):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(crop, format="rgb24")))
            total += 1
        container.mux(stream.encode(None))
    return total
