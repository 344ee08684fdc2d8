"""Drawn mouths beside a real one: how a video's lip gap and width go with curves made from its sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d

from blender_addon.protocol.tensorfile import Array, atomic_path
from models.audio.mel import SAMPLE_RATE
from models.expression import ExpressionModel
from models.expression.curves import to_arkit
from models.sync import MEASURES, SyncModel, SyncScore

from ..articulation import articulate, class_at
from ..phones import CLASS_INDEX, SILENCE, Phones
from .mouth_track import MouthTrack

RATE = 100  # frames per second of the comparison
_LONGEST_LAG = 30  # frames
_SMOOTHING = 0.02  # seconds; a camera's frame is about as long
_LOUD_SMOOTHING = 0.04  # seconds
_CHANCE_SHIFTS = (100, 10)  # frames: from so far on, in steps of so much
COMPARED = ("gap", "width")


@dataclass(frozen=True)
class Agreement:
    """One measure of a drawn mouth beside the real one's.

    Attributes:
        now: Pearson correlation as it is.
        best, lag_ms: the highest within 0.3 s, and how much later the drawn mouth is there.
        chance: 95th percentile of `best` when the drawn mouth is of another second of the same sound.
    """

    now: float
    best: float
    lag_ms: float
    chance: float


def loudness_mouth(samples: Array, seconds: float) -> dict[str, Array]:
    """Gap and width that only follow loudness, any unit: the simplest talking head."""
    power = gaussian_filter1d(samples.astype(np.float64) ** 2, _LOUD_SMOOTHING * SAMPLE_RATE)
    at = np.arange(int(seconds * RATE)) / RATE * SAMPLE_RATE
    loud = np.sqrt(np.interp(at, np.arange(len(power)), power))
    return {"gap": loud, "width": loud}


def phone_mouth(phones: Phones, seconds: float, sync: SyncModel) -> dict[str, Array]:
    """What the rule-based mouth does for known phones."""
    times = np.arange(int(seconds * RATE)) / RATE
    return _columns(sync.measure(to_arkit(articulate(phones, times))))


def drawn_mouth(model: ExpressionModel, samples: Array, seconds: float, sync: SyncModel) -> dict[str, Array]:
    """What the voice-to-expression model draws."""
    stream = model.stream(RATE)
    weights = np.concatenate([stream.push(samples).weights, stream.finish().weights])
    return _columns(sync.measure(weights)[: int(seconds * RATE)])


def _columns(measures: Array) -> dict[str, Array]:
    return {name: measures[:, MEASURES.index(name)] for name in COMPARED}


def real_mouth(track: MouthTrack) -> dict[str, Array]:
    """The tracked measures at `RATE`."""
    at = np.arange(int((len(track.gap) - 1) / track.fps * RATE) + 1) / RATE * track.fps
    frames = np.arange(len(track.gap))
    return {"gap": np.interp(at, frames, track.gap), "width": np.interp(at, frames, track.width)}


def agreement(drawn: Array, real: Array, used: Array) -> Agreement:
    """Compare [F] curves at `RATE` in the frames [F] of the real one that are `used`."""
    count = min(len(drawn), len(real))
    drawn = gaussian_filter1d(drawn[:count].astype(np.float64), _SMOOTHING * RATE)
    real, used = real[:count], used[:count]
    lags = np.arange(-_LONGEST_LAG, _LONGEST_LAG + 1)
    values = _lagged(drawn, real, used, lags)
    first, step = _CHANCE_SHIFTS
    chance = [
        _lagged(np.roll(drawn, shift), real, used, lags).max() for shift in range(first, count - first, step)
    ]
    best = int(values.argmax())
    return Agreement(
        now=float(values[_LONGEST_LAG]),
        best=float(values[best]),
        lag_ms=1000.0 * float(lags[best]) / RATE,
        chance=float(np.percentile(chance, 95)) if chance else float("nan"),
    )


def _lagged(drawn: Array, real: Array, used: Array, lags: Array) -> Array:
    """Correlations when the drawn curve is taken `lags` frames later."""
    values = []
    for lag in lags:
        at = np.arange(len(real)) + lag
        kept = used & (at >= 0) & (at < len(drawn))
        a, b = drawn[at[kept]], real[kept]
        alike = np.corrcoef(a, b)[0, 1] if a.std() > 0 and b.std() > 0 else 0.0
        values.append(float(alike))
    return np.array(values)


def spoken_frames(phones: Phones, count: int) -> Array:
    """[count] bool at `RATE`: where somebody speaks."""
    return np.asarray(class_at(phones, np.arange(count) / RATE) != CLASS_INDEX[SILENCE])
