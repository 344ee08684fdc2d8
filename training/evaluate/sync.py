"""How well the sync expert judges sound and motion of voices that it was not trained on.

Pieces are cut from the sounds of a manifest. Their motion is the rule-based mouth of the known phones, the
same as a camera may see it, or what the shipped model draws, late by a known time. The expert says by how
much, and tells it from the motion of another piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.expression import ExpressionModel
from models.sync import MEASURES, SyncModel
from models.sync.measures import resampled
from models.sync.model import probability

from ..articulation import spoken_weights
from ..sync_motion import DENSE, filmed, with_manner
from ..sync_pairs import FARTHEST, Judged, Pair, auc, judge_pairs
from .lipsync import LipsyncClip, read_manifest, read_sound
from .mouths import RATE as LOUDNESS_RATE
from .mouths import loudness_mouth

Generator = np.random.Generator

_SEEN_IN_VIDEO = ("gap", "width")
_NOISE = 12.0  # decibels below the sound
PHONES, FILMED, MODEL, LOUDNESS = "phones", "filmed", "model", "loudness"


@dataclass(frozen=True)
class Condition:
    """What the expert is given. `fps` counts for `phones` and `model`; a film has a rate of its own."""

    source: str
    seconds: float = 5.0
    fps: float = 25.0
    noisy: bool = False
    known: tuple[str, ...] = MEASURES

    def __str__(self) -> str:
        rate = "" if self.source == FILMED else f" {self.fps:g} fps"
        some = "" if self.known == MEASURES else " " + "+".join(self.known)
        return f"{self.source} {self.seconds:g} s{rate}{some}{' noise' if self.noisy else ''}"


def _conditions(source: str) -> list[Condition]:
    both = [
        Condition(source, seconds, known=known)
        for known in (MEASURES, _SEEN_IN_VIDEO)
        for seconds in (5.0, 2.0)
    ]
    rates = [] if source == FILMED else [Condition(source, fps=fps) for fps in (24.0, 30.0, 60.0)]
    return [*both, Condition(source, noisy=True), Condition(source, seconds=2.0, noisy=True), *rates]


CONDITIONS: tuple[Condition, ...] = (
    *(condition for source in (PHONES, FILMED, MODEL) for condition in _conditions(source)),
    Condition(LOUDNESS),
)


@dataclass(frozen=True)
class SyncMeasures:
    """How right the expert is.

    Attributes:
        pieces: how many pieces of sound.
        error_ms: median size of the offset's error; bias_ms: median error, positive: found too late.
        within_40_ms: share of offsets that are right to 40 ms.
        auc: own against foreign motion, by confidence.
        margin, foreign_margin: mean of the peaks' margins, of own and of foreign motion.
        accepted: share of own motions with a confidence of 0.5 or more; refused: of foreign ones below.
    """

    pieces: int
    error_ms: float
    bias_ms: float
    within_40_ms: float
    auc: float
    margin: float
    foreign_margin: float
    accepted: float
    refused: float


@dataclass(frozen=True)
class _Track:
    """A whole sound [n] and its motion [F, 5] at `DENSE` frames per second."""

    samples: Array
    motion: Array


def evaluate_sync(
    manifest: Path,
    model: SyncModel,
    judged: ExpressionModel,
    conditions: Sequence[Condition] = CONDITIONS,
    most: int = 120,
    seed: int = 0,
) -> dict[str, SyncMeasures]:
    """Measure `model` under each condition, on at most `most` pieces; `judged` draws the "model" motion.

    Raises:
        InputError: the manifest or a sound cannot be read.
    """
    clips = read_manifest(manifest)
    sounds = [read_sound(clip.sound) for clip in clips]
    spoken = [_Track(x, _rule_motion(clip, model)) for x, clip in zip(sounds, clips, strict=True)]
    tracks = {PHONES: spoken, FILMED: spoken}
    tracks[LOUDNESS] = [_Track(x, _loud_motion(x, model)) for x in sounds]
    if any(condition.source == MODEL for condition in conditions):
        tracks[MODEL] = [_Track(x, _drawn_motion(x, judged, model)) for x in sounds]
    results = {}
    for condition in conditions:
        pairs = _pairs(tracks[condition.source], condition, most, np.random.default_rng(seed))
        if len(pairs) > 1:
            results[str(condition)] = _measures(judge_pairs(model.checkpoint.network, pairs), model)
    return results


def _rule_motion(clip: LipsyncClip, model: SyncModel) -> Array:
    times = np.arange(int(clip.duration * DENSE)) / DENSE
    return model.measure(spoken_weights(clip.phones, times))


def _loud_motion(samples: Array, model: SyncModel) -> Array:
    """A jaw that opens with loudness and knows no sounds; a good judge does not trust it."""
    loud = loudness_mouth(samples, len(samples) / SAMPLE_RATE)["gap"]
    weights = np.zeros((len(loud), len(ARKIT_NAMES)))
    weights[:, ARKIT_INDEX["jawOpen"]] = 0.6 * np.minimum(1.0, loud / (np.percentile(loud, 95) + 1e-9))
    return resampled(model.measure(weights), LOUDNESS_RATE, DENSE)


def _drawn_motion(samples: Array, judged: ExpressionModel, model: SyncModel) -> Array:
    fps = 50.0
    stream = judged.stream(fps)
    weights = np.concatenate([stream.push(samples).weights, stream.finish().weights])
    return resampled(model.measure(weights), fps, DENSE)


def _pairs(tracks: Sequence[_Track], condition: Condition, most: int, rng: Generator) -> list[Pair]:
    """Up to `most` pieces from random places, in random order."""
    places = [
        (track, FARTHEST + i * condition.seconds)
        for track in tracks
        for i in range(_room(track, condition.seconds))
    ]
    chosen = [places[i] for i in rng.permutation(len(places))[:most]]
    return [_pair(track, start, condition, rng) for track, start in chosen]


def _room(track: _Track, seconds: float) -> int:
    """How many pieces a sound has, with room for a shift at both ends."""
    usable = min(len(track.samples) / SAMPLE_RATE, len(track.motion) / DENSE) - 2.0 * FARTHEST
    return max(0, int(usable / seconds))


def _pair(track: _Track, start: float, condition: Condition, rng: Generator) -> Pair:
    first = round((start - rng.uniform(-FARTHEST, FARTHEST)) * DENSE)
    seen, fps = track.motion[first : first + int(condition.seconds * DENSE)], condition.fps
    if condition.source == FILMED:
        seen, fps = filmed(with_manner(seen, rng), rng)
    else:
        seen = resampled(seen, DENSE, fps)
    seen[:, [name not in condition.known for name in MEASURES]] = np.nan
    begin = int(start * SAMPLE_RATE)
    samples = track.samples[begin : begin + int(condition.seconds * SAMPLE_RATE)]
    if condition.noisy:
        size = np.sqrt(np.mean(samples**2)) * 10.0 ** (-_NOISE / 20.0)
        samples = samples + (size * rng.standard_normal(len(samples))).astype(np.float32)
    return Pair(samples, seen, fps, begin / SAMPLE_RATE - first / DENSE)


def _measures(judged: Judged, model: SyncModel) -> SyncMeasures:
    own, foreign = (
        [
            probability(peak, seconds, model.checkpoint.calibration)
            for peak, seconds in zip(peaks, judged.seconds, strict=True)
        ]
        for peaks in (judged.own, judged.foreign)
    )
    return SyncMeasures(
        pieces=len(own),
        error_ms=1000.0 * float(np.median(np.abs(judged.errors))),
        bias_ms=1000.0 * float(np.median(judged.errors)),
        within_40_ms=judged.within_40_ms,
        auc=auc(own, foreign),
        margin=float(np.mean([peak.margin for peak in judged.own])),
        foreign_margin=float(np.mean([peak.margin for peak in judged.foreign])),
        accepted=float(np.mean(np.array(own) >= 0.5)),
        refused=float(np.mean(np.array(foreign) < 0.5)),
    )


def format_measures(results: dict[str, SyncMeasures]) -> str:
    """A plain-text table, one row per condition."""
    header = f"{'motion':34s}{'pieces':>8s}{'error ms':>10s}{'bias ms':>9s}{'<= 40 ms':>10s}{'AUC':>7s}"
    lines = [header + f"{'margin':>8s}{'foreign':>9s}{'accepted':>10s}{'refused':>9s}"]
    for name, row in results.items():
        lines.append(
            f"{name:34s}{row.pieces:8d}{row.error_ms:10.1f}{row.bias_ms:9.1f}{row.within_40_ms:10.3f}"
            f"{row.auc:7.3f}{row.margin:8.2f}{row.foreign_margin:9.2f}{row.accepted:10.3f}{row.refused:9.3f}"
        )
    return "\n".join(lines)
