"""Lip-sync measures against phone times; no video needed.

Closure and contact are judged as detectors (area under the ROC curve over frames at 100 per second), mouth
opening as an order and as a signal. All times are seconds; frame i of a prediction is at i / fps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.stats import rankdata, spearmanr

from blender_addon.protocol.tensorfile import Array

from ..articulation import class_at
from ..phones import (
    BILABIAL,
    CLASS_INDEX,
    LABIODENTAL,
    OPENNESS,
    PHONE_CLASSES,
    ROUNDED,
    SILENCE,
    SPREAD,
    Phones,
    is_kind,
)

RATE = 100  # frames per second of the comparison
CLOSED = 0.15  # of the clip's 95th percentile of aperture
_MARGIN = 4  # frames near a contact that count neither as contact nor as none
_CLOSURE_WINDOW = 6  # frames to either side of a bilabial's centre
_LAGS = 25  # frames
_FAST = 12.0  # hertz
_MANY = 5
# Expected opening of a reference mouth, by class; everything else but contacts and silence opens a little.
_OPENING: Mapping[str, float] = {
    "a": 1, "A": 1, "ae": 0.9, "O": 0.8, "V": 0.7, "E": 0.65, "o": 0.55, "e": 0.45, "3": 0.45,
    "@": 0.4, "I": 0.35, "U": 0.35, "i": 0.25, "u": 0.25, "y": 0.2, "h": 0.4,
}  # fmt: skip
_OTHER_OPENING = 0.2


@dataclass(frozen=True)
class Prediction:
    """A mouth over time: [F] columns at `fps`, ARKit weights by name with left and right averaged.

    `contact` [F, 2] is empty where nothing is known of it.
    """

    fps: float
    columns: Mapping[str, Array]
    contact: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __getitem__(self, name: str) -> Array:
        found = self.columns.get(name)
        return np.zeros(self.frames) if found is None else np.asarray(found, np.float64)

    @property
    def frames(self) -> int:
        """F."""
        return len(next(iter(self.columns.values())))

    def aperture(self) -> Array:
        """[F] how far the lips part."""
        return np.maximum(0.0, self["jawOpen"] - self["mouthClose"])

    def bite(self) -> Array:
        """[F] how much the mouth looks like f and v."""
        rolled = self["mouthRollLower"] + self["mouthUpperUp"]
        return rolled - self["mouthLowerDown"] - 0.5 * self["mouthPress"]

    def rounding(self) -> Array:
        """[F] how round the lips are."""
        return self["mouthPucker"] + self["mouthFunnel"]

    def stretch(self) -> Array:
        """[F] how wide the mouth is drawn."""
        return self["mouthStretch"] + self["mouthSmile"]


@dataclass(frozen=True)
class LipsyncScores:
    """What `score` returns; shares in 0-1, `offset` in seconds (positive: the mouth is late)."""

    clips: int
    bilabials: int
    closure_auc: float
    closure_hits: float
    false_closures: float
    labiodental_auc: float
    rounding_auc: float
    stretch_auc: float
    openness_order: float
    correlation: float
    best_correlation: float
    offset: float
    pause_aperture: float
    jitter: float


@dataclass(frozen=True)
class ClipMeasures:
    """One clip's samples for the pooled measures; arrays of any length.

    Attributes:
        closed, closest: opening in the middle of p, b, m and the least nearby; apart: in other spoken frames.
        bitten, unbitten: bite at f, v and elsewhere. rounded, unrounded: rounding of round and spread vowels.
        stretched, unstretched: stretch of spread and round vowels.
        height, opened: class and opening of vowels. pause: opening in silence.
        lagged: [51] correlation with a reference mouth per lag.
        frames: number of frames at `RATE`. jitter: see `LipsyncScores`.
    """

    closed: Array
    closest: Array
    apart: Array
    bitten: Array
    unbitten: Array
    rounded: Array
    unrounded: Array
    stretched: Array
    unstretched: Array
    height: Array
    opened: Array
    pause: Array
    lagged: Array
    frames: int
    jitter: float


def score(clips: Sequence[tuple[Phones, float, Prediction]]) -> LipsyncScores:
    """Pooled scores of (phones, duration in seconds, prediction) clips."""
    parts = [measure_clip(phones, duration, prediction) for phones, duration, prediction in clips]

    def pool(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in parts])

    weights = [part.frames for part in parts]
    lagged = np.average([part.lagged for part in parts], axis=0, weights=weights)
    best = int(lagged.argmax())
    closest, apart = pool("closest"), pool("apart")
    return LipsyncScores(
        clips=len(parts),
        bilabials=len(closest),
        closure_auc=auc(-pool("closed"), -apart),
        closure_hits=float((closest < CLOSED).mean()) if len(closest) else float("nan"),
        false_closures=float((apart < CLOSED).mean()) if len(apart) else float("nan"),
        labiodental_auc=auc(pool("bitten"), pool("unbitten")),
        rounding_auc=auc(pool("rounded"), pool("unrounded")),
        stretch_auc=auc(pool("stretched"), pool("unstretched")),
        openness_order=_rank_correlation(pool("height"), pool("opened")),
        correlation=float(lagged[_LAGS]),
        best_correlation=float(lagged[best]),
        offset=lag_of(lagged),
        pause_aperture=float(pool("pause").mean()) if len(pool("pause")) >= 2 * RATE else float("nan"),
        jitter=_mean_of_known([part.jitter for part in parts]),
    )


def _mean_of_known(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def auc(positive: Array, negative: Array) -> float:
    """Chance that a random positive is larger than a random negative (Mann-Whitney); NaN for too few."""
    if min(len(positive), len(negative)) < _MANY:
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    excess = ranks.sum() - len(positive) * (len(positive) + 1) / 2
    return float(excess / (len(positive) * len(negative)))


def measure_clip(phones: Phones, duration: float, prediction: Prediction) -> ClipMeasures:
    """What one clip of `duration` seconds adds to the pooled measures."""
    count = int(duration * RATE)
    times = np.arange(count) / RATE
    own = np.arange(prediction.frames) / prediction.fps
    columns = (prediction.aperture(), prediction.bite(), prediction.rounding(), prediction.stretch())
    aperture, bite, rounding, stretch = (np.interp(times, own, column) for column in columns)
    opening = aperture / (np.percentile(aperture, 95) + 1e-6)
    phones = phones.select(phones.end <= count / RATE + 0.02)
    kind = class_at(phones, times + 1e-6)
    speaking = kind != CLASS_INDEX[SILENCE]
    near_closure = _widened(is_kind(kind, BILABIAL))
    near_bite = _widened(is_kind(kind, LABIODENTAL))
    centre = np.minimum(count - 1, np.rint((phones.start + phones.end) / 2 * RATE).astype(int))

    def at(names: frozenset[str]) -> Array:
        return np.asarray(centre[is_kind(phones.kind, names)])

    vowels = is_kind(phones.kind, frozenset(OPENNESS)) & (phones.end - phones.start >= 0.05)
    return ClipMeasures(
        closed=opening[at(BILABIAL)],
        closest=_around(opening, at(BILABIAL), _CLOSURE_WINDOW, np.min),
        apart=opening[speaking & ~near_closure],
        bitten=bite[at(LABIODENTAL)],
        unbitten=bite[speaking & ~near_bite & ~near_closure],
        rounded=rounding[at(ROUNDED)],
        unrounded=rounding[at(SPREAD)],
        stretched=stretch[at(SPREAD)],
        unstretched=stretch[at(ROUNDED)],
        height=np.array([OPENNESS[PHONE_CLASSES[k]] for k in phones.kind[vowels]], np.float64),
        opened=_around(opening, centre[vowels], 2, np.mean),
        pause=np.concatenate([np.zeros(0), *_pauses(phones, opening)]),
        lagged=_lagged_correlation(aperture, _reference_opening(kind)),
        frames=count,
        jitter=_fast_share(prediction.aperture(), prediction.fps),
    )


def _widened(mask: Array) -> Array:
    return np.asarray(binary_dilation(mask, iterations=_MARGIN)) if mask.any() else mask


def _around(signal: Array, centres: Array, reach: int, reduce: Callable[[Array], np.floating[Any]]) -> Array:
    return np.array([reduce(signal[max(0, c - reach) : c + reach + 1]) for c in centres], np.float64)


def _pauses(phones: Phones, opening: Array) -> list[Array]:
    """Opening inside silences longer than 0.3 s, 0.1 s from their ends."""
    silent = is_kind(phones.kind, frozenset({SILENCE})) & (phones.end - phones.start > 0.3)
    chosen = phones.select(silent)
    return [
        opening[int((start + 0.1) * RATE) : int((end - 0.1) * RATE)]
        for start, end in zip(chosen.start, chosen.end, strict=True)
    ]


def _reference_opening(kind: Array) -> Array:
    """[T] classes -> [T] how open a reference mouth is, smoothed over about 100 ms."""
    table = np.array([_OPENING.get(name, _OTHER_OPENING) for name in PHONE_CLASSES])
    table[[CLASS_INDEX[name] for name in (*BILABIAL, SILENCE)]] = 0.0
    kernel = np.exp(-0.5 * (np.arange(-15, 16) / 4.0) ** 2)
    return np.convolve(table[kind], kernel / kernel.sum(), "same")[: len(kind)]


def _lagged_correlation(signal: Array, reference: Array) -> Array:
    """[2 * _LAGS + 1] correlation of the overlap, the signal later by -_LAGS ... _LAGS frames."""
    x, r = np.pad(signal - signal.mean(), _LAGS), np.pad(reference - reference.mean(), _LAGS)
    result = []
    for lag in range(-_LAGS, _LAGS + 1):
        late = x[max(0, lag) : len(x) + min(0, lag)]
        early = r[max(0, -lag) : len(r) - max(0, lag)]
        norm = np.sqrt((late @ late) * (early @ early) + 1e-12)
        result.append(late @ early / norm)
    return np.array(result)


def lag_of(lagged: Array) -> float:
    """Seconds by which a mouth is late whose correlation per lag is `lagged` [51]."""
    best = int(lagged.argmax())
    return (best - _LAGS + _vertex(lagged, best)) / RATE


def _vertex(values: Array, best: int) -> float:
    """Where the parabola through the best value and its neighbours peaks, relative to `best`."""
    if not 0 < best < len(values) - 1:
        return 0.0
    before, top, after = values[best - 1 : best + 2]
    return float((before - after) / (2 * (before - 2 * top + after)))


def _fast_share(aperture: Array, fps: float) -> float:
    """Share of the aperture's velocity energy above 12 Hz; NaN where `fps` cannot show it."""
    velocity = np.diff(aperture)
    frequency = np.fft.rfftfreq(len(velocity), 1.0 / fps) if len(velocity) else np.zeros(1)
    if frequency[-1] <= _FAST + 0.4:
        return float("nan")
    energy = np.abs(np.fft.rfft(velocity * np.hanning(len(velocity)))) ** 2
    return float(energy[frequency > _FAST].sum() / (energy.sum() + 1e-12))


def _rank_correlation(x: Array, y: Array) -> float:
    if len(x) < _MANY or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(spearmanr(x, y).statistic)
