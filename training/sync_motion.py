"""Mouths as they are filmed and animated: rule-based motion with a speaker's manner and a camera's faults.

The sync expert has to judge real mouths, tracked from video, and other programs' curves. All ranges here are
our choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from blender_addon.protocol.controls import STYLE_NAMES, MotionStyle
from blender_addon.protocol.tensorfile import Array
from models.sync.measures import MEASURES, MouthMeter, resampled, standardised
from models.sync.network import RATE

from .articulation import class_at, spoken_weights
from .phones import CLASS_INDEX, SILENCE, Phones

Generator = np.random.Generator

DENSE = 4 * RATE  # motion per second before a camera sees it
_RATES = (24.0, 25.0, 25.0, 30.0, 30.0, 50.0, 60.0)
_GAP, _WIDTH, _JAW = (MEASURES.index(name) for name in ("gap", "width", "jaw"))
# Measures that are hidden, and how often: a frontal video knows gap and width.
_MASKS: Sequence[tuple[float, tuple[str, ...]]] = (
    (0.35, ()),
    (0.35, ("protrusion", "bite", "jaw")),
    (0.10, ("width", "protrusion", "bite", "jaw")),
    (0.10, ("protrusion", "bite")),
    (0.10, ("gap", "bite")),
)


def spoken_measures(phones: Phones, seconds: float, meter: MouthMeter, rng: Generator) -> Array:
    """[F, 5] measures at `DENSE` of a speaker with a manner of their own."""
    times = np.arange(int(seconds * DENSE)) / DENSE
    shifted = rng.normal(0.0, rng.choice([0.0, 0.01, 0.02]), len(phones))
    moved = Phones(phones.start + shifted, phones.end + shifted, phones.kind, phones.effort)
    style = MotionStyle(*rng.uniform(-1.0, 1.0, len(STYLE_NAMES)).tolist())
    return with_idle_pauses(meter.measure(spoken_weights(moved, times, style)), moved, rng)


def with_idle_pauses(measures: Array, phones: Phones, rng: Generator) -> Array:
    """[F, 5] at `DENSE` -> the same with a mouth that, often, is not at rest in pauses: breath, smiles."""
    if rng.random() < 0.4:
        return measures
    silent = class_at(phones, np.arange(len(measures)) / DENSE) == CLASS_INDEX[SILENCE]
    idle = _wander(len(measures), rng.uniform(0.5, 3.0), rng) * rng.uniform(0.3, 2.5) * _size(measures)
    idle[:, [_GAP, _JAW]] = np.abs(idle[:, [_GAP, _JAW]])
    share = gaussian_filter1d(silent.astype(np.float64), 0.04 * DENSE)
    return np.asarray(measures + share[:, None] * idle)


def with_manner(measures: Array, rng: Generator) -> Array:
    """[F, 5] -> [F, 5]: lips that do not quite meet, an early or late articulator, slurring, idle motion."""
    size = _size(measures)
    result = measures.copy()
    if rng.random() < 0.3:
        result[:, _GAP] = np.maximum(result[:, _GAP], rng.uniform(0.0, 0.6) * size[_GAP])
    if rng.random() < 0.5:
        share = rng.uniform(-0.6, 0.3) * size[_WIDTH] / size[_JAW]
        result[:, _WIDTH] += share * (measures[:, _JAW] - measures[:, _JAW].mean())
    if rng.random() < 0.4:
        for column in range(len(MEASURES)):
            late = int(rng.normal(0.0, 0.015) * DENSE)
            result[:, column] = np.roll(result[:, column], late)
    if rng.random() < 0.6:
        result = gaussian_filter1d(result, rng.uniform(0.0, 0.05) * DENSE, axis=0)
    if rng.random() < 0.6:
        result += rng.uniform(0.0, 1.0) * size * _wander(len(result), rng.uniform(0.3, 2.5), rng)
    return result


def filmed(measures: Array, rng: Generator) -> tuple[Array, float]:
    """[F, 5] dense -> [f, 5] frames of a camera or a scene with tracking noise, and their rate."""
    fps = float(rng.choice(_RATES))
    frames = resampled(measures, DENSE, fps)
    if rng.random() < 0.6:
        frames += rng.uniform(0.0, 0.35) * _size(measures) * rng.standard_normal(frames.shape)
    if rng.random() < 0.1:
        held = np.arange(len(frames))
        held[1:] -= rng.random(len(frames) - 1) < 0.15
        frames = frames[held]
    return frames, fps


def seen_motion(phones: Phones, frames: int, meter: MouthMeter, rng: Generator) -> tuple[Array, Array]:
    """What the network sees of a mouth that says `phones`: [frames, 5] standardised measures, [5] known."""
    spoken = spoken_measures(phones, frames / RATE + 0.5, meter, rng)
    taken, fps = filmed(with_manner(spoken, rng), rng)
    values, known = standardised(resampled(taken, fps, RATE)[:frames])
    return values, known * mask_of(rng)


def mask_of(rng: Generator) -> Array:
    """[5] f32 random choice of known measures."""
    shares = [share for share, _ in _MASKS]
    hidden = _MASKS[int(rng.choice(len(_MASKS), p=shares))][1]
    return np.array([name not in hidden for name in MEASURES], np.float32)


def _size(measures: Array) -> Array:
    """[5] how much each measure varies, metres."""
    return np.asarray(measures.std(0) + 1e-5)


def _wander(count: int, hertz: float, rng: Generator) -> Array:
    """[count, 5] slow random motion of about unit size."""
    knots = rng.standard_normal((max(4, int(count / DENSE * hertz) + 3), len(MEASURES)))
    at = np.linspace(0, len(knots) - 1, count)
    return np.stack([np.interp(at, np.arange(len(knots)), column) for column in knots.T], axis=1)
