"""From embeddings of a sound and a motion to their likeness at every offset.

A positive offset says that the motion is late: sound frame t goes with motion frame t + offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .network import RATE

FARTHEST = 50  # frames at 50 per second, 1 s: the largest offset that is looked for (our choice)
SHARP = 6  # frames; a second peak nearer than this is the same peak
_NEARBY = 2  # frames
_SMOOTHING = np.array([0.25, 0.5, 0.25])


@dataclass(frozen=True)
class Match:
    """Likeness at each offset.

    Attributes:
        sums: [seconds, 2K + 1] summed similarity of each second of sound at the offsets -K..K frames.
        frames: [seconds, 2K + 1] how many frames each sum has.
        mean: similarity of a frame of the sound and a frame of the motion, whichever.
    """

    sums: Array
    frames: Array
    mean: float

    @property
    def farthest(self) -> int:
        """K."""
        return (self.sums.shape[1] - 1) // 2

    def profile(self, seconds: slice = slice(None)) -> Array:
        """[2K + 1] likeness above the mean, over some seconds of the sound.

        Offsets that leave fewer frames together are raised less than by their mean: all are equally noisy.
        """
        count = self.frames[seconds].sum(0)
        above = self.sums[seconds].sum(0) - self.mean * count
        whole = max(1.0, float(count.max(initial=0.0)))
        values = above / np.sqrt(np.maximum(count, 1.0) * whole)
        return np.asarray(np.convolve(np.pad(values, 1, mode="edge"), _SMOOTHING, "valid"))


@dataclass(frozen=True)
class Peak:
    """The best offset of a profile.

    Attributes:
        offset: seconds, between frames by a parabola.
        margin: height above the profile's median.
        lead: height above the best offset that is at least `SHARP` frames away.
    """

    offset: float
    margin: float
    lead: float


def match(audio: Array, motion: Array) -> Match:
    """Compare unit vectors [F, D] of a sound and [F', D] of a motion, both at 50 per second from time 0."""
    farthest = min(FARTHEST, max(1, min(len(audio), len(motion)) // 2))
    seconds = -(-len(audio) // RATE)
    sums, frames = np.zeros((seconds, 2 * farthest + 1)), np.zeros((seconds, 2 * farthest + 1))
    for column, offset in enumerate(range(-farthest, farthest + 1)):
        first, last = max(0, -offset), min(len(audio), len(motion) - offset)
        if last <= first:
            continue
        alike = np.einsum("td,td->t", audio[first:last], motion[first + offset : last + offset])
        second = np.arange(first, last) // RATE
        sums[:, column] = np.bincount(second, alike, seconds)
        frames[:, column] = np.bincount(second, minlength=seconds)
    return Match(sums, frames, float(audio.mean(0) @ motion.mean(0)))


def peak_of(profile: Array) -> Peak:
    """The best offset of a profile [2K + 1]."""
    return _peak_at(profile, int(profile.argmax()))


def peak_near(profile: Array, offset: float) -> Peak:
    """The best offset within `_NEARBY` frames of `offset` seconds, whatever is better elsewhere."""
    centre = round(offset * RATE) + (len(profile) - 1) // 2
    first = max(0, centre - _NEARBY)
    return _peak_at(profile, first + int(profile[first : centre + _NEARBY + 1].argmax()))


def _peak_at(profile: Array, best: int) -> Peak:
    elsewhere = np.abs(np.arange(len(profile)) - best) >= SHARP
    second = profile[elsewhere].max() if elsewhere.any() else profile.min()
    shift = 0.0
    if 0 < best < len(profile) - 1:
        before, at, after = profile[best - 1 : best + 2]
        bend = before - 2.0 * at + after
        shift = float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0.0 else 0.0
    return Peak(
        offset=(best + shift - (len(profile) - 1) / 2) / RATE,
        margin=float(profile[best] - np.median(profile)),
        lead=float(profile[best] - second),
    )
