"""How loud the speech around a frame is, known from the past and a fixed look-ahead only.

Loudness of a frame is the mean of its log-mel bands (nepers of power). The level is the mean power of the
loud frames so far, forgetting with `TIME_CONSTANT`; loud means within `GATE` of a maximum that decays
slowly. Pauses and digital silence are never loud, so they do not move the level, and below
`FLOOR` (white noise at -60 dBFS, our choice; speech at about -50 dBFS) nothing is amplified.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]

LOOK_AHEAD = 20  # frames of 10 ms
GATE = 4.0  # nepers of power, 17 dB
DECAY = 0.005  # nepers per frame
TIME_CONSTANT = 300.0  # frames
_FORGET = math.exp(-1.0 / TIME_CONSTANT)
_BLOCK = 500  # frames summed at once; what they forget stays well within a float's range
_HANN_POWER = 150.0  # sum of the squared analysis window
FLOOR = math.log(_HANN_POWER) - 6.0 * math.log(10.0)
_PRIOR = 0.01  # weight of FLOOR, in loud frames
FEATURE_LOW, FEATURE_HIGH, FEATURE_SCALE = -9.0, 4.0, 3.0
_HEADROOM = 1.0


@dataclass
class LevelState:
    """What the running level remembers: decaying maximum and filter memories, each [...]."""

    peak: FloatArray
    power: FloatArray
    weight: FloatArray


def initial_level(shape: tuple[int, ...] = ()) -> LevelState:
    """The state before the first frame, for one sound () or a batch (B,)."""
    return LevelState(np.full(shape, FLOOR), np.zeros(shape), np.zeros(shape))


def causal_level(loudness: FloatArray, state: LevelState) -> FloatArray:
    """[..., n] loudness -> [..., n] level after each frame; `state` moves on by n frames."""
    if loudness.shape[-1] == 0:
        return np.zeros(loudness.shape)
    ramp = DECAY * np.arange(1, loudness.shape[-1] + 1)
    raised = np.maximum.accumulate(np.maximum(loudness, FLOOR) + ramp, axis=-1)
    peak = np.maximum(np.maximum(raised, state.peak[..., None]) - ramp, FLOOR)
    loud = loudness > peak - GATE
    power, state.power = _forgetting_sum(np.where(loud, np.exp(loudness), 0.0), state.power)
    weight, state.weight = _forgetting_sum(loud.astype(np.float64), state.weight)
    state.peak = peak[..., -1]
    level = np.log((power + _PRIOR * math.exp(FLOOR)) / (weight + _PRIOR))
    return np.maximum(level, FLOOR)


def _forgetting_sum(values: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
    """y[t] = x[t] + f * y[t - 1] along the last axis; returns y and the memory after the last frame."""
    parts = []
    for start in range(0, values.shape[-1], _BLOCK):
        block = values[..., start : start + _BLOCK]
        faded = _FORGET ** np.arange(block.shape[-1])
        parts.append(faded * (np.cumsum(block / faded, axis=-1) + _FORGET * memory[..., None]))
        memory = parts[-1][..., -1]
    return np.concatenate(parts, axis=-1), memory


def running_level(loudness: FloatArray) -> FloatArray:
    """[..., n] loudness of whole sounds -> [..., n] level, each with `LOOK_AHEAD` frames of the future."""
    level = causal_level(loudness, initial_level(loudness.shape[:-1]))
    ahead = np.minimum(np.arange(level.shape[-1]) + LOOK_AHEAD, level.shape[-1] - 1)
    return level[..., ahead]


def normalise(bands: FloatArray, level: FloatArray) -> FloatArray:
    """[..., MELS] log-mel bands at `level` [...] -> features of about -3 (silence) to 1.3."""
    relative = bands - (level[..., None] + _HEADROOM)
    return (np.clip(relative, FEATURE_LOW, FEATURE_HIGH) / FEATURE_SCALE).astype(np.float32)
