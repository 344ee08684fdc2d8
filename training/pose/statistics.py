"""What motion of heads is like in figures that the literature gives too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import minimum_filter1d
from scipy.signal import find_peaks, welch

from blender_addon.protocol.controls import PoseStyle
from blender_addon.protocol.tensorfile import Array

from ..corpus.store import Utterance
from ..scenes import Pool
from .events import POSE_RATE, SpeechEvents, speech_events
from .prior import sample_motion
from .speech import long_recording

Generator = np.random.Generator

# Hertz: posture, slow, ordinary and rapid movements and tremor of Hadar et al. (1983).
BANDS = (0.0, 0.2, 1.8, 3.7, 7.0, 8.0, 12.51)
MOVING = 3.0  # degrees per second that count as moving; our choice
_LEAST_NOD, _LONGEST_NOD = 1.5, 0.8  # degrees down from both sides, seconds across at half depth; our choice
_REACH = 0.6  # seconds about an accent
_LONG_PAUSE, _MEAN_OVER, _SPECTRUM = 1.2, 30.0, 10.24  # seconds


@dataclass(frozen=True)
class PoseStatistics:
    """Figures of many clips. Columns of a pose: x (pitch down), y (roll), z (yaw), then left, back, up.

    Attributes:
        deviation, span, farthest, mean_30: [6] degrees and millimetres: deviation and range within a clip,
            largest excursion, largest mean of any 30 s (0 where no clip is as long).
        bands: [6, 6] share of each column's power between neighbouring `BANDS`.
        speed: degrees per second while speaking, pausing, and deep within pauses.
        moving: share of the time faster than `MOVING` in the same three.
        nods: per minute of speech; nod_size: degrees, median and 95th percentile.
        accents: [2 n + 1] mean speed up to 0.6 s before and after accents of more than median strength,
            relative to that about any times within phrases; accent_pitch: [2 n + 1] mean degrees down, less
            those about any times within phrases.
    """

    deviation: Array
    span: Array
    farthest: Array
    mean_30: Array
    bands: Array
    speed: tuple[float, float, float]
    moving: tuple[float, float, float]
    nods: float
    nod_size: tuple[float, float]
    accents: Array
    accent_pitch: Array


def statistics(poses: Sequence[Array], events: Sequence[SpeechEvents]) -> PoseStatistics:
    """Of clips of poses [T, 6] and what is said in them."""
    shown = [in_degrees(one) for one in poses]
    speeds = [head_speed(one) for one in shown]
    speech = np.concatenate([one.speech() for one in events]) > 0.5
    deep = np.concatenate([_deep(one) for one in events])
    speed = np.concatenate(speeds)
    parts = (speech, ~speech, deep)
    sizes = np.concatenate([_nods(pose, one.speech()) for pose, one in zip(shown, events, strict=True)])
    pitch = [one[:, 0] for one in shown]
    strong = float(np.median(np.concatenate([one.strength for one in events])))
    times = [one.accents[one.strength >= strong] for one in events]
    anywhere = [_anywhere(one) for one in events]
    return PoseStatistics(
        deviation=np.mean([one.std(0) for one in shown], 0),
        span=np.mean([np.ptp(one, axis=0) for one in shown], 0),
        farthest=np.max([np.abs(one).max(0) for one in shown], 0),
        mean_30=np.max([_largest_mean(one) for one in shown], 0),
        bands=np.mean([_band_shares(one) for one in shown], 0),
        speed=_each(speed, parts),
        moving=_each(speed > MOVING, parts),
        nods=60.0 * POSE_RATE * len(sizes) / max(1, int(speech.sum())),
        nod_size=(float(np.median(sizes)), float(np.percentile(sizes, 95))) if len(sizes) else (0.0, 0.0),
        accents=_about(speeds, times) / _about(speeds, anywhere),
        accent_pitch=_about(pitch, times) - _about(pitch, anywhere),
    )


def of_prior(speech: Pool | Sequence[Utterance], minutes: int, rng: Generator) -> PoseStatistics:
    """`statistics` of the prior on `minutes` clips of a minute, in average style."""
    poses, heard = [], []
    for _ in range(minutes):
        recording = long_recording(speech, 60.0, rng)
        heard.append(speech_events(recording.samples, recording.phones))
        poses.append(sample_motion(heard[-1], PoseStyle(), rng))
    return statistics(poses, heard)


def in_degrees(pose: Array) -> Array:
    """[T, 6] radians and metres -> degrees and millimetres."""
    return np.concatenate([np.degrees(pose[:, :3]), 1e3 * pose[:, 3:]], axis=1)


def head_speed(degrees: Array) -> Array:
    """[T] degrees per second of poses [T, 6] in degrees."""
    return np.asarray(np.linalg.norm(np.gradient(degrees[:, :3], axis=0), axis=1) * POSE_RATE)


def _deep(events: SpeechEvents) -> Array:
    """[T] bool: nobody speaks for 0.6 s before and after."""
    silent = events.speech() < 0.5
    return np.asarray(minimum_filter1d(silent, int(_LONG_PAUSE * POSE_RATE)))


def _each(values: Array, parts: Sequence[Array]) -> tuple[float, float, float]:
    a, b, c = (float(values[part].mean()) if part.any() else 0.0 for part in parts)
    return a, b, c


def _largest_mean(values: Array) -> Array:
    """[6] largest absolute mean of any 30 s."""
    count = int(_MEAN_OVER * POSE_RATE)
    if len(values) < count:
        return np.zeros(values.shape[1])
    total = np.cumsum(np.pad(values, ((1, 0), (0, 0))), axis=0)
    return np.asarray(np.abs(total[count:] - total[:-count]).max(0) / count)


def _band_shares(values: Array) -> Array:
    """[6, 6] shares of power, a row for each band."""
    frequency, power = welch(values, POSE_RATE, nperseg=int(_SPECTRUM * POSE_RATE), axis=0)
    rows = [power[(frequency >= a) & (frequency < b)].sum(0) for a, b in pairwise(BANDS)]
    return np.asarray(np.stack(rows) / np.maximum(power.sum(0), 1e-12))


def _nods(degrees: Array, speech: Array) -> Array:
    """Depths [n] in degrees of dips of the face while speaking."""
    longest = _LONGEST_NOD * POSE_RATE
    peaks, found = find_peaks(degrees[:, 0], prominence=_LEAST_NOD, width=(None, longest), rel_height=0.5)
    return np.asarray(found["prominences"][speech[peaks] > 0.5])


def _about(values: Sequence[Array], times: Sequence[Array]) -> Array:
    """[2 n + 1] mean of clips' `values` [T] about `times` [k] seconds."""
    reach = int(_REACH * POSE_RATE)
    rows = []
    for one, moments in zip(values, times, strict=True):
        frames = np.rint(moments * POSE_RATE).astype(int)
        frames = frames[(frames >= reach) & (frames < len(one) - reach)]
        rows.append(one[frames[:, None] + np.arange(-reach, reach + 1)])
    return np.asarray(np.concatenate(rows).mean(0))


def _anywhere(events: SpeechEvents) -> Array:
    """[n] seconds of all frames within phrases."""
    return np.asarray(np.flatnonzero(events.speech() > 0.5) / POSE_RATE)
