"""Streams over one sound: expression, head pose and life, each with its own look-ahead, brought together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from blender_addon.protocol.clip import POSE_CODE_STRIDE, ModelRef, layer_key
from blender_addon.protocol.controls import ExpressionControls, HeadControls
from blender_addon.protocol.tensorfile import Array
from models.expression import ExpressionChunk, ExpressionModel
from models.life import LifeChunk, LifeStream
from models.pose import PoseChunk, PoseModel
from models.pose.network import POSE_RATE

CODE_RATE = POSE_RATE / POSE_CODE_STRIDE  # codes per second of sound, at any frame rate of the clip
OFFSETS, CODE = "offsets", "code"  # arrays that no clip has: canonical lip offsets, the code in force
Frames = Mapping[str, Array]  # consecutive frames: arrays [f, ...] by their names in a clip file, or these


@dataclass(frozen=True)
class MotionModels:
    """What hears a voice. Without `pose` the head stays still and shows no sign of life."""

    expression: ExpressionModel
    pose: PoseModel | None = None

    @property
    def refs(self) -> tuple[ModelRef, ...]:
        """Ids and licences of all weights."""
        spoken = ModelRef(self.expression.model_id, self.expression.licence)
        return (spoken,) if self.pose is None else (spoken, *self.pose.models)


class FrameStream(Protocol):
    """Takes samples as they come, gives frames when they are certain."""

    def push(self, samples: Array) -> Frames:
        """[n] f32 mono samples at 16 kHz -> the frames that became certain, possibly none."""

    def finish(self) -> Frames:
        """The remaining frames."""


class FrameQueue:
    """Frames that wait for those of another stream."""

    def __init__(self) -> None:
        self._frames: Frames | None = None

    def __len__(self) -> int:
        return 0 if self._frames is None else len(next(iter(self._frames.values())))

    def push(self, frames: Frames) -> None:
        """Add frames, which have the same names every time."""
        self._frames = frames if self._frames is None else joined(self._frames, frames)

    def take(self, count: int) -> Frames:
        """Remove the first `count` frames."""
        waiting = self._frames or {}
        self._frames = {name: array[count:] for name, array in waiting.items()}
        return {name: array[:count] for name, array in waiting.items()}


def joined(first: Frames, second: Frames) -> Frames:
    """`first`, then `second`."""
    return {name: np.concatenate([array, second[name]]) for name, array in first.items()}


def aligned(streams: Sequence[FrameStream], batches: Iterator[Array]) -> Iterator[Frames]:
    """All streams' frames of the same times, from frame 0 on, as soon as every stream has them."""
    queues = [FrameQueue() for _ in streams]
    for batch in batches:
        for stream, queue in zip(streams, queues, strict=True):
            queue.push(stream.push(batch))
        yield _taken(queues)
    for stream, queue in zip(streams, queues, strict=True):
        queue.push(stream.finish())
    yield _taken(queues)


def _taken(queues: Sequence[FrameQueue]) -> Frames:
    count = min(map(len, queues))
    return {name: array for queue in queues for name, array in queue.take(count).items()}


class SpokenStream:
    """The layers of speech: contact, lip offsets, and weights by layer."""

    def __init__(
        self,
        model: ExpressionModel,
        fps: float,
        controls: ExpressionControls,
        seed: int,
        geometry: Array | None,
    ) -> None:
        """`geometry` is the `geometry_descriptor` of the face; without emotions their layer is left out."""
        self._stream = model.stream(fps, controls=controls, seed=seed, geometry=geometry)
        self._emotions = bool(controls.emotions)

    def push(self, samples: Array) -> Frames:
        """See `FrameStream`."""
        return self._frames(self._stream.push(samples))

    def finish(self) -> Frames:
        """See `FrameStream`."""
        return self._frames(self._stream.finish())

    def _frames(self, chunk: ExpressionChunk) -> Frames:
        layers = {n: part for n, part in chunk.layers.items() if n != "emotion" or self._emotions}
        weights = {layer_key(name): part for name, part in layers.items()}
        return {"contact": chunk.contact, OFFSETS: chunk.offsets, **weights}


class HeadStream:
    """The layers of the head: its pose with the code in force at each frame, blinks, gaze and breath."""

    def __init__(self, model: PoseModel, fps: float, controls: HeadControls, seed: int) -> None:
        self._fps = fps
        self._pose = model.stream(fps, seed=seed, style=controls.style, guidance=controls.guidance)
        self._life = LifeStream(fps, seed, controls)
        self._waiting = FrameQueue()  # poses whose signs of life are still to come
        self._codes, self._first_code = np.zeros(0, np.int32), 0

    def push(self, samples: Array) -> Frames:
        """See `FrameStream`."""
        return self._live(self._pose.push(samples))

    def finish(self) -> Frames:
        """See `FrameStream`."""
        some = self._live(self._pose.finish())
        return joined(some, self._matched(self._life.finish()))

    def _live(self, chunk: PoseChunk) -> Frames:
        codes = self._codes_at(chunk)
        self._waiting.push({layer_key("speech", "pose"): chunk.pose, CODE: codes})
        return self._matched(self._life.push(chunk.pose, chunk.activity))

    def _matched(self, life: LifeChunk) -> Frames:
        layers = {
            layer_key("blink"): life.blink,
            layer_key("gaze"): life.gaze_weights,
            layer_key("gaze", "gaze"): life.gaze,
            layer_key("breath"): life.breath_weights,
            layer_key("breath", "pose"): life.breath_pose,
        }
        return {**self._waiting.take(len(life.blink)), **layers}

    def _codes_at(self, chunk: PoseChunk) -> Array:
        """[f] i32 the code in force at each of the chunk's frames."""
        self._codes = np.concatenate([self._codes, chunk.codes])
        times = (chunk.start + np.arange(len(chunk.pose))) / self._fps
        index = np.floor(times * CODE_RATE + 1e-6).astype(int) - self._first_code
        codes = self._codes[np.minimum(index, len(self._codes) - 1)] if len(index) else np.zeros(0, np.int32)
        passed = int(index[-1]) if len(index) else 0
        self._codes, self._first_code = self._codes[passed:], self._first_code + passed
        return np.asarray(codes, np.int32)
