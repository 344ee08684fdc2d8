"""Drawn mouths beside a real one: how a video's lip gap and width go with curves made from its sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.expression import ExpressionModel
from models.sync import MEASURES, SyncModel, SyncScore

from ..articulation import class_at, spoken_weights
from ..phones import CLASS_INDEX, SILENCE, Phones
from .mouth_track import MouthTrack

RATE = 100  # frames per second of the comparison
_LONGEST_LAG = 30  # frames
_SMOOTHING = 0.02  # seconds; a camera's frame is about as long
_LOUD_SMOOTHING = 0.04  # seconds
_CHANCE_SHIFTS = (100, 10)  # frames: from so far on, in steps of so much
_SHIFTS = (-0.4, -0.2, 0.2, 0.4)  # seconds of sound that are cut off, or of motion
COMPARED = ("gap", "width")
_OWN = "its own sound"


@dataclass(frozen=True)
class Agreement:
    """One measure of a drawn mouth beside the real one's.

    Attributes:
        now: Pearson correlation as it is.
        aligned: when sound and picture are brought together as the sync expert says, one offset for all.
        best, lag_ms: the highest within 0.3 s, and how much later the drawn mouth is there.
        chance: 95th percentile of `best` when the drawn mouth is of another second of the same sound.
    """

    now: float
    aligned: float
    best: float
    lag_ms: float
    chance: float


@dataclass(frozen=True)
class Judges:
    """The models: one draws a mouth from the sound, the other judges the real one."""

    expression: ExpressionModel
    sync: SyncModel


def loudness_mouth(samples: Array, seconds: float) -> dict[str, Array]:
    """Gap and width that only follow loudness, any unit: the simplest talking head."""
    power = gaussian_filter1d(samples.astype(np.float64) ** 2, _LOUD_SMOOTHING * SAMPLE_RATE)
    at = np.arange(int(seconds * RATE)) / RATE * SAMPLE_RATE
    loud = np.sqrt(np.interp(at, np.arange(len(power)), power))
    return {"gap": loud, "width": loud}


def phone_mouth(phones: Phones, seconds: float, sync: SyncModel) -> dict[str, Array]:
    """What the rule-based mouth does for known phones."""
    times = np.arange(int(seconds * RATE)) / RATE
    return _columns(sync.measure(spoken_weights(phones, times)))


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


def agreement(drawn: Array, real: Array, used: Array, late: float = 0.0) -> Agreement:
    """Compare [F] curves at `RATE` in the frames [F] of the real one that are `used`.

    `late`: by how many seconds the picture is late in its file.
    """
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
        aligned=float(values[int(np.clip(_LONGEST_LAG - round(late * RATE), 0, 2 * _LONGEST_LAG))]),
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


@dataclass(frozen=True)
class Row:
    """One drawn mouth beside the real one: over the whole sound, and the gap where somebody speaks."""

    gap: Agreement
    width: Agreement
    spoken_gap: Agreement | None


@dataclass(frozen=True)
class MouthReport:
    """A real mouth and drawn ones.

    Attributes:
        real: gap and width in metres at `RATE`.
        drawn: name -> gap and width at `RATE`.
        rows: name -> how they agree.
        verdicts: what the sync expert says of the real mouth, by what it was given.
    """

    real: Mapping[str, Array]
    drawn: Mapping[str, Mapping[str, Array]]
    rows: Mapping[str, Row]
    verdicts: Mapping[str, SyncScore]


def compare_mouths(
    samples: Array,
    track: MouthTrack,
    judges: Judges,
    phones: Phones | None = None,
    foreign: Mapping[str, Array] | None = None,
) -> MouthReport:
    """Loudness, the model and, if phones are known, the rule-based mouth beside the tracked one.

    Args:
        samples: [n] f32 at 16 kHz, the video's sound.
        foreign: name -> other sounds for the sync expert.
    """
    seconds = min(len(samples) / SAMPLE_RATE, len(track.gap) / track.fps)
    real = real_mouth(track)
    drawn = {
        "loudness": loudness_mouth(samples, seconds),
        "ours": drawn_mouth(judges.expression, samples, seconds, judges.sync),
    }
    if phones is not None:
        drawn["phone-driven"] = phone_mouth(phones, seconds, judges.sync)
    verdicts = expert_verdicts(judges.sync, samples, track, foreign or {})
    late = verdicts[_OWN].offset_seconds
    rows = {name: _row(curves, real, phones, late) for name, curves in drawn.items()}
    return MouthReport(real, drawn, rows, verdicts)


def _row(drawn: Mapping[str, Array], real: Mapping[str, Array], phones: Phones | None, late: float) -> Row:
    every = np.ones(len(real["gap"]), bool)
    gap, width = (agreement(drawn[name], real[name], every, late) for name in COMPARED)
    spoken = None
    if phones is not None:
        spoken = agreement(drawn["gap"], real["gap"], spoken_frames(phones, len(every)), late)
    return Row(gap, width, spoken)


def expert_verdicts(
    sync: SyncModel, samples: Array, track: MouthTrack, foreign: Mapping[str, Array]
) -> dict[str, SyncScore]:
    """The tracked mouth with its own sound, with it shifted by known times, and with foreign sounds."""
    measures, fps = track.measures(), track.fps
    verdicts = {_OWN: sync.score(samples, measures, fps)}
    for frames in (round(seconds * fps) for seconds in _SHIFTS):
        sound = samples[round(max(0, frames) / fps * SAMPLE_RATE) :]
        shifted = f"made {1000 * abs(frames) / fps:.0f} ms {'late' if frames > 0 else 'early'}"
        verdicts[shifted] = sync.score(sound, measures[max(0, -frames) :], fps)
    verdicts["its halves swapped"] = sync.score(np.roll(samples, len(samples) // 2), measures, fps)
    for name, other in foreign.items():
        verdicts[name] = sync.score(other[: len(samples)], measures, fps)
    return verdicts


def format_report(report: MouthReport) -> str:
    """Two plain-text tables: drawn beside real, and the sync expert's verdicts."""
    lines = [
        f"{'':14s}{'gap: now':>12s}"
        + _HEADS
        + f"{'width: now':>13s}"
        + _HEADS
        + f"{'spoken gap':>12s}"
        + _HEADS
    ]
    for name, row in report.rows.items():
        spoken = "" if row.spoken_gap is None else _cells(row.spoken_gap, 12)
        lines.append(f"{name:14s}" + _cells(row.gap, 12) + _cells(row.width, 13) + spoken)
    lines += ["", f"{'sync expert':24s}{'confidence':>11s}{'late ms':>9s}{'margin':>8s}"]
    for name, score in report.verdicts.items():
        late = 1000.0 * score.offset_seconds
        lines.append(f"{name:24s}{score.confidence:11.3f}{late:9.0f}{score.margin:8.3f}")
    return "\n".join(lines)


_HEADS = f"{'aligned':>9s}{'best':>7s}{'lag ms':>8s}{'chance':>8s}"


def _cells(found: Agreement, width: int) -> str:
    return (
        f"{found.now:{width}.2f}{found.aligned:9.2f}{found.best:7.2f}{found.lag_ms:8.0f}{found.chance:8.2f}"
    )
