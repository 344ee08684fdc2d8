"""Random numbers of a seed, an event's number and what they are for, so that nothing depends on chunks."""

from __future__ import annotations

import math
from statistics import NormalDist

from models.expression.noise import derived_seed

_NORMAL = NormalDist()


class Draws:
    """The random numbers of one layer."""

    def __init__(self, seed: int, layer: int) -> None:
        self._seed = derived_seed(seed, layer)

    def uniform(self, event: int, purpose: int) -> float:
        """Between 0 and 1, both left out."""
        word = derived_seed(derived_seed(self._seed, event), purpose)
        return ((word >> 11) + 0.5) / (1 << 53)

    def between(self, event: int, purpose: int, lowest: float, highest: float) -> float:
        """Evenly between two numbers."""
        return lowest + (highest - lowest) * self.uniform(event, purpose)

    def normal(self, event: int, purpose: int) -> float:
        """Mean 0, standard deviation 1."""
        return _NORMAL.inv_cdf(self.uniform(event, purpose))


def log_normal(mean: float, deviation: float, normal: float) -> float:
    """The log-normal value of this mean and standard deviation that belongs to a standard normal one."""
    variance = math.log1p((deviation / mean) ** 2)
    return mean * math.exp(math.sqrt(variance) * normal - variance / 2.0)
