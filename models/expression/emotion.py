"""Emotions over time: keyed intensities, alive while they are held, making way for speech."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES, OTHER_SHAPES
from blender_addon.protocol.controls import EMOTION_NAMES
from blender_addon.protocol.emotions import emotion_poses, make_way
from blender_addon.protocol.tensorfile import Array

from .network import FRAME_RATE
from .noise import derived_seed, noise_at

Keys = Mapping[str, tuple[tuple[float, float], ...]]
_STREAM = 1  # of the take's seed
_SWING = 0.15  # deviation of a held emotion, as a share of it; our choice
_LARGEST_SWING = 0.4
# How lively brows speak within each emotion: sad and angry brows move less, and so do raised ones, which have
# little way to go. Our choice.
_BROW_ENERGY = np.array([1.15, 0.6, 0.6, 0.7])
# Brows, lids with cheeks and nose, and the mouth come and go each on their own.
_PARTS: tuple[tuple[int, ...], ...] = (
    tuple(i for i in OTHER_SHAPES if ARKIT_NAMES[i].startswith("brow")),
    tuple(i for i in OTHER_SHAPES if not ARKIT_NAMES[i].startswith("brow")),
    tuple(i for i in range(len(ARKIT_NAMES)) if i not in OTHER_SHAPES),
)


def intensities(keys: Keys, times: Array) -> Array:
    """[F, 4] f32 intensity of each of `EMOTION_NAMES` at `times` [F] in seconds, 0 without keys."""
    result = np.zeros((len(times), len(EMOTION_NAMES)), np.float32)
    for name, points in keys.items():
        at, value = np.array(points, np.float64).T
        result[:, EMOTION_NAMES.index(name)] = np.interp(times, at, value)
    return result


def emotion_layer(keys: Keys, times: Array, speech: Array, contact: Array, seed: int) -> Array:
    """[F, 52] f32 weights to add to `speech` [F, 52] at `times` [F] in seconds; `contact` is [F, 2]."""
    if not keys:
        return np.zeros((len(times), len(ARKIT_NAMES)), np.float32)
    felt: Array = intensities(keys, times) @ emotion_poses()
    swing = _SWING * noise_at(derived_seed(seed, _STREAM), times * FRAME_RATE, len(_PARTS))
    for part, columns in enumerate(_PARTS):
        felt[:, columns] *= 1.0 + np.clip(swing[:, part, None], -_LARGEST_SWING, _LARGEST_SWING)
    return np.clip(make_way(felt, speech, contact), 0.0, 1.0)


def brow_energy(keys: Keys, times: Array) -> Array:
    """[F] f32 factor of what brows, lids, cheeks and nose do in speech while emotions last."""
    felt = intensities(keys, times)
    share = felt / np.maximum(felt.sum(1, keepdims=True), 1.0)
    energy: Array = 1.0 + share @ (_BROW_ENERGY - 1.0).astype(np.float32)
    return energy
