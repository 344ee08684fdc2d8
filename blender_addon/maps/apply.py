"""ARKit weights through a map. Visemes are the non-negative mixture of recipes nearest to the mouth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from ..protocol.errors import InputError
from ..protocol.tensorfile import Array
from .facemap import Channel, FaceMap, Viseme

_STEPS = 300  # of the accelerated projected gradient; enough for 1e-4 on all presets
_SPARSE = 0.004  # price of a mixture's length, so that one mouth is not many visemes
# What a viewer sees first weighs more: whether lips are shut, and whether they are rounded. Chosen by eye.
_EMPHASIS = {
    "mouthClose": 2.0,
    "mouthPress": 1.5,
    "mouthRollLower": 1.5,
    "mouthRollUpper": 1.5,
    "mouthPucker": 1.3,
}


@dataclass(frozen=True)
class MappedMotion:
    """`values` [F, C] of the map's `parts`, C of them in the map's order."""

    parts: tuple[Channel | Viseme, ...]
    values: Array

    @property
    def names(self) -> tuple[str, ...]:
        """[C] the parts' first targets."""
        return tuple(part.targets[0] for part in self.parts)


def apply_map(face_map: FaceMap, weights: Array) -> MappedMotion:
    """Numbers of another head for ARKit `weights` [F, 52]."""
    if weights.ndim != 2 or weights.shape[1] != len(ARKIT_NAMES):
        raise InputError(f"weights have shape {weights.shape}, expected (frames, {len(ARKIT_NAMES)})")
    wide = weights.astype(np.float64)
    columns = [_channel_values(channel, wide) for channel in face_map.channels]
    visemes = viseme_weights(face_map.visemes, wide)
    values = np.concatenate([np.stack(columns, 1) if columns else np.zeros((len(wide), 0)), visemes], 1)
    return MappedMotion(face_map.parts, values.astype(np.float32))


def _channel_values(channel: Channel, weights: Array) -> Array:
    total = np.zeros(len(weights))
    for name, factor in channel.terms.items():
        total += factor * weights[:, ARKIT_INDEX[name]]
    values: Array = np.clip(channel.offset + channel.gain * total, channel.low, channel.high)
    return values


def recipe_weights(visemes: tuple[Viseme, ...]) -> Array:
    """[n, 52] each viseme's ARKit weights: the way back from visemes, `mixture @ recipe_weights(...)`."""
    recipes = np.zeros((len(visemes), len(ARKIT_NAMES)))
    for row, viseme in enumerate(visemes):
        for name, weight in viseme.recipe.items():
            recipes[row, ARKIT_INDEX[name]] = weight
    return recipes


def viseme_weights(visemes: tuple[Viseme, ...], weights: Array) -> Array:
    """[F, n] mixture of `visemes` for ARKit `weights` [F, 52]: 0-1, and no more than 1 together."""
    recipes = recipe_weights(visemes)
    speaking = np.flatnonzero(recipes.any(1))
    mixture = np.zeros((len(weights), len(visemes)))
    if len(speaking):
        emphasis = np.ones(len(ARKIT_NAMES))
        for name, factor in _EMPHASIS.items():
            for shape in (name, f"{name}Left", f"{name}Right"):
                if shape in ARKIT_INDEX:
                    emphasis[ARKIT_INDEX[shape]] = factor
        known = recipes.any(0)
        basis = (recipes * emphasis)[np.ix_(speaking, known)]
        mixture[:, speaking] = best_mixture(basis, (weights * emphasis)[:, known])
    rest = [row for row in range(len(visemes)) if row not in speaking]
    if rest:
        mixture[:, rest] = np.clip(1.0 - mixture.sum(1, keepdims=True), 0, 1) / len(rest)
    return mixture


def to_shares(x: Array) -> Array:
    """The nearest points to `x` [F, n] that are 0 or more and sum to 1 at most (Held et al. 1974)."""
    descending = -np.sort(-x, axis=1)
    excess = (np.cumsum(descending, axis=1) - 1.0) / np.arange(1, x.shape[1] + 1)
    kept = np.maximum((descending > excess).sum(1), 1)
    level = np.maximum(np.take_along_axis(excess, kept[:, None] - 1, axis=1), 0.0)
    shares: Array = np.maximum(x - level, 0.0)
    return shares


def prices(basis: Array) -> Array:
    """[n] price of a unit of each recipe of `basis` [n, C]."""
    lengths = np.linalg.norm(basis, axis=1)
    price: Array = _SPARSE * float(lengths.mean()) * lengths
    return price


def best_mixture(basis: Array, goals: Array) -> Array:
    """[F, n] shares x that minimise |x @ basis - goal|^2 / 2 + price * (x @ lengths of basis); basis [n, C].

    By length, a mouth that is a recipe costs least as that recipe (the triangle's inequality).
    Accelerated projected gradient (Nesterov 1983) with a fixed number of steps.
    """
    gram, pull = basis @ basis.T, goals @ basis.T
    pull = pull - prices(basis)
    step = 1.0 / max(float(np.linalg.eigvalsh(gram)[-1]), 1e-12)
    x: Array = np.zeros_like(pull)
    ahead = x
    momentum = 1.0
    for _ in range(_STEPS):
        new = to_shares(ahead - step * (ahead @ gram - pull))
        following = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
        ahead = new + (momentum - 1) / following * (new - x)
        x, momentum = new, following
    return x
