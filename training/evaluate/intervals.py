"""Intervals by bootstrap: whole clips, or whole speakers, are drawn again with replacement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array

DRAWS = 1000
_RANGE = (2.5, 97.5)  # percentiles
_MANY = 5  # positives and negatives below which an area means nothing

Statistic = Callable[[Array], float]  # [n] how often each clip counts -> a figure


@dataclass(frozen=True)
class Interval:
    """A figure of all clips, and its 95% intervals (low, high) over clips and over speakers."""

    value: float
    clips: tuple[float, float]
    speakers: tuple[float, float]


def interval(statistic: Statistic, speakers: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Interval:
    """`statistic` of all clips, whose `speakers` are named; draws without a figure are left out."""
    number = len(speakers)
    each = np.arange(number)
    groups = np.unique(np.array(speakers), return_inverse=True)[1]
    return Interval(
        statistic(np.ones(number)),
        _spread(statistic, each, draws, seed),
        _spread(statistic, groups, draws, seed + 1),
    )


def _spread(statistic: Statistic, groups: Array, draws: int, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    number = int(groups.max()) + 1
    counts = rng.multinomial(number, np.full(number, 1 / number), draws)
    values = np.array([statistic(row[groups].astype(np.float64)) for row in counts])
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return (float("nan"), float("nan"))
    low, high = np.percentile(known, _RANGE)
    return (float(low), float(high))


class PairedAreas:
    """Area under the ROC curve of clips that count more or less often, without sorting anew.

    wins: [n, n] how often a positive of clip i beats a negative of clip j; ties count half.
    """

    def __init__(self, positive: Sequence[Array], negative: Sequence[Array]) -> None:
        every = np.concatenate([np.zeros(0), *positive])
        starts = np.cumsum([0, *map(len, positive)])
        self._positives = np.array([len(part) for part in positive], np.float64)
        self._negatives = np.array([len(part) for part in negative], np.float64)
        self._wins = np.zeros((len(positive), len(negative)))
        for j, part in enumerate(negative):
            ordered = np.sort(part)
            below = np.searchsorted(ordered, every, "left") + np.searchsorted(ordered, every, "right")
            sums = np.concatenate([[0.0], np.cumsum(below / 2)])
            self._wins[:, j] = sums[starts[1:]] - sums[starts[:-1]]

    def area(self, counts: Array) -> float:
        """Chance that a random positive is larger than a random negative; NaN for too few."""
        positives, negatives = counts @ self._positives, counts @ self._negatives
        if min(positives, negatives) < _MANY:
            return float("nan")
        return float(counts @ self._wins @ counts / (positives * negatives))


def share(hits: Sequence[float] | Array, among: Sequence[float] | Array) -> Statistic:
    """The share of hits per clip among so many per clip."""
    top, bottom = np.array(hits, np.float64), np.array(among, np.float64)

    def statistic(counts: Array) -> float:
        whole = counts @ bottom
        return float(counts @ top / whole) if whole else float("nan")

    return statistic


def median(values: Sequence[Array]) -> Statistic:
    """The median of all clips' values."""
    every = np.concatenate([np.zeros(0), *values])
    clip = np.repeat(np.arange(len(values)), [len(part) for part in values])
    order = np.argsort(every)
    ordered, of = every[order], clip[order]

    def statistic(counts: Array) -> float:
        weight = np.cumsum(counts[of])
        if len(weight) == 0 or weight[-1] == 0:
            return float("nan")
        low = np.searchsorted(weight, weight[-1] / 2)
        high = np.searchsorted(weight, weight[-1] / 2, "right")
        return float((ordered[low] + ordered[min(high, len(ordered) - 1)]) / 2)

    return statistic


def mean(values: Sequence[float], weights: Sequence[float]) -> Statistic:
    """The weighted mean of one value per clip; NaN values are left out."""
    value, weight = np.array(values, np.float64), np.array(weights, np.float64)
    weight = np.where(np.isnan(value), 0.0, weight)
    return share(np.nan_to_num(value) * weight, weight)
