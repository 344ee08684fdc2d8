"""A stand-in for a fitted portrait: plain pictures that tell exactly which motion they were drawn from."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

from backend.movie.scene import Scene
from models.video.motion import FrameMotion

SIZE, WIDTH, HEIGHT = 64, 100, 81
BOX = (20, 10, SIZE, SIZE)


@dataclass
class DrawnPortrait:
    """Columns as bright as the weights; counts what it draws, and fails when told to."""

    notes: tuple[str, ...] = ("drawn",)
    drawn: int = 0
    fail_after: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def crop(self, motion: FrameMotion) -> np.ndarray:
        with self.lock:
            self.drawn += 1
            if self.fail_after is not None and self.drawn > self.fail_after:
                raise RuntimeError("the renderer broke")
        return crop_of(motion)

    def pasted(self, crop: np.ndarray) -> np.ndarray:
        left, top, width, height = BOX
        result = background()
        result[top : top + height, left : left + width] = crop
        return result


def crop_of(motion: FrameMotion) -> np.ndarray:
    """What a frame must show."""
    columns = np.resize(np.round(40 + 150 * motion.weights), SIZE)
    rows = np.resize(np.round(60 * np.abs(np.sin(motion.pose * 40))), SIZE) if len(motion.pose) else 0
    return (columns[None, :, None] + np.reshape(rows, (-1, 1, 1)) + np.arange(3)).astype(np.uint8)


def background() -> np.ndarray:
    ramp = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))
    return np.stack([ramp, 200 - ramp, ramp // 2], -1).astype(np.uint8)


def drawn_scene(key: str = "a portrait") -> tuple[Scene, DrawnPortrait]:
    portrait = DrawnPortrait()
    return Scene(key, portrait, SIZE, WIDTH, HEIGHT, BOX, ("a note",)), portrait


def wandering(frames: int, seed: int = 0) -> list[FrameMotion]:
    """Motion without two equal frames."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0, 1, (frames, 52)).astype(np.float32)
    pose = rng.normal(0, 0.02, (frames, 6)).astype(np.float32)
    empty = np.zeros(0, np.float32)
    return [FrameMotion(w, empty, p, empty) for w, p in zip(weights, pose, strict=True)]
