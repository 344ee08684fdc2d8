"""From 50 frames per second to any frame rate, without losing a closure between two frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.lips.offsets import CANONICAL_OFFSETS
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.tensorfile import Array

from .network import CONTACTS, FRAME_RATE

_JAW, _CLOSE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
_EDGES = np.cumsum((len(ARKIT_NAMES), CONTACTS, CANONICAL_OFFSETS))
_KEPT = [_CLOSE, *range(_EDGES[0], _EDGES[1])]  # columns whose peaks must survive
SAMPLING_LOOK_AHEAD = 2  # frames at 50 fps, besides half an output frame


@dataclass(frozen=True)
class Sampled:
    """Consecutive frames: [n, 52] weights, [n, 2] contacts, [n, CANONICAL_OFFSETS] lip offsets."""

    weights: Array
    contacts: Array
    offsets: Array


class FrameSampler:
    """Frames at 50 fps in, at `fps` out; output frame i is at i / fps seconds.

    Values are interpolated linearly. A p, b or m closes the lips for as little as 60 ms, so a peak of the
    contacts or of mouthClose (as a share of jawOpen) also goes to the output frame that is nearest to it.
    """

    def __init__(self, fps: float) -> None:
        self._step = FRAME_RATE / fps  # input frames per output frame
        self._frames = np.zeros((0, _EDGES[-1]), np.float32)
        self._first = 0  # absolute index of the first frame kept
        self.emitted = 0

    def push(self, frames: Sampled) -> Sampled:
        """Frames at 50 fps -> the certain output frames."""
        self._append(frames)
        newest = self._first + len(self._frames) - 1
        certain = int(np.floor((newest - SAMPLING_LOOK_AHEAD) / self._step - 0.5)) + 1
        return self._emit(max(certain, self.emitted))

    def finish(self, total: int) -> Sampled:
        """The remaining output frames, so that `total` have come out."""
        return self._emit(total)

    def _append(self, frames: Sampled) -> None:
        rows = np.concatenate([frames.weights, frames.contacts, frames.offsets], axis=1)
        rows[:, _CLOSE] = closure_share(frames.weights)
        self._frames = np.concatenate([self._frames, rows])

    def _emit(self, end: int) -> Sampled:
        index = np.arange(self.emitted, end)
        sampled = self._interpolated(index * self._step)
        self._raise_to_peaks(sampled)
        self.emitted = end
        passed = int((end - 0.5) * self._step) - 1 - self._first
        if passed > 0:
            self._frames, self._first = self._frames[passed:], self._first + passed
        sampled[:, _CLOSE] *= sampled[:, _JAW]
        return Sampled(*np.split(sampled, _EDGES[:-1], axis=1))

    def _interpolated(self, position: Array) -> Array:
        """[m] positions in input frames -> [m, columns]."""
        offset = np.clip(position - self._first, 0, max(0, len(self._frames) - 1))
        before = np.floor(offset).astype(int)
        after = np.minimum(before + 1, len(self._frames) - 1)
        share = (offset - before)[:, None]
        return np.asarray(self._frames[before] * (1 - share) + self._frames[after] * share, np.float32)

    def _raise_to_peaks(self, sampled: Array) -> None:
        """Let each peak reach its nearest output frame, if that is among `sampled`."""
        kept = self._frames[:, _KEPT]
        peak = np.zeros(kept.shape, bool)
        peak[1:-1] = (kept[1:-1] >= kept[:-2]) & (kept[1:-1] >= kept[2:]) & (kept[1:-1] > 0)
        rows, columns = np.nonzero(peak)
        nearest = np.floor((rows + self._first) / self._step + 0.5).astype(int) - self.emitted
        inside = (nearest >= 0) & (nearest < len(sampled))
        rows, columns, nearest = rows[inside], columns[inside], nearest[inside]
        np.maximum.at(sampled, (nearest, np.array(_KEPT)[columns]), kept[rows, columns])


def closure_share(weights: Array) -> Array:
    """[n, 52] -> [n] mouthClose as a share of jawOpen, 0 where the jaw is shut."""
    jaw = weights[:, _JAW]
    return np.asarray(np.clip(weights[:, _CLOSE] / np.maximum(jaw, 1e-6), 0.0, 1.0), np.float32)
