"""The choice of a code: the same for the same logits, seed and step, on every machine."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array

from ..expression.noise import derived_seed

_ROUNDED = 2.0**10  # logits are multiples of 1/1024: how they were added up then hardly ever matters
_PURPOSE = 6  # of the seed, beside what else a take draws; our choice
_LEVELS = 4  # numbers that belong to a step


def stream_key(seed: int) -> int:
    """What a take's choices are drawn from."""
    return derived_seed(seed, _PURPOSE)


def uniform(key: int, step: int, level: int) -> float:
    """A number from 0 to below 1 that depends on nothing else."""
    word = derived_seed(key, _LEVELS * step + level)
    return (word >> 11) * 2.0**-53


def choose(logits: Array, temperature: float, top: int, chance: float) -> int:
    """The code that the number `chance`, 0 to 1, falls on.

    Args:
        logits: [K] unnormalised log probabilities.
        temperature: above 1 evens them out, towards 0 the most probable code wins.
        top: only so many of the most probable are considered.
    """
    rounded = np.rint(np.asarray(logits, np.float64) * _ROUNDED) / _ROUNDED
    order = np.argsort(-rounded, kind="stable")[:top]
    share = np.exp((rounded[order] - rounded[order[0]]) / max(temperature, 1e-3))
    edges = np.cumsum(share)
    return int(order[min(np.searchsorted(edges, chance * edges[-1], side="right"), len(order) - 1)])
