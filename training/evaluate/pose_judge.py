"""One row of the table: takes of one way to move the head, beside reference takes of the same sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .intervals import Interval, Statistic, interval, mean
from .pose_beats import Alignment, alignment, audio_beats, motion_beats, pauses
from .pose_frechet import Distance, FrechetJudge
from .pose_measures import (
    RATE,
    ROTATION,
    LongRun,
    Spectrum,
    angle_std,
    decibels,
    limits_of,
    long_run,
    shift_std,
    spectrum_of,
    variance_across_seeds,
    variance_over_time,
)
from .pose_rows import Takes
from .pose_sounds import PoseSound

_NOTHING = 1e-18  # rad^2 or m^2: variance of a head that stands still


@dataclass(frozen=True)
class Alignments:
    """How beats meet, means over pieces and seeds.

    Attributes:
        f1: with the own sound. other: with the sound of other voices' pieces. lost: own less other, paired.
        precision, recall: of `f1`. chance: with the own sound moved by seconds. count: beats per minute.
    """

    f1: Interval
    other: Interval
    lost: Interval
    precision: float
    recall: float
    chance: float
    count: float


@dataclass(frozen=True)
class PoseRow:
    """One way to move the head.

    Attributes:
        variance: [6] variance over time by the reference's; rotation: geometric mean of the rotations'.
        diversity: degrees, standard deviation across seeds of one sound, root mean over the rotations;
            shift_diversity: millimetres, the same of the translations.
        over_time, shift_over_time: standard deviations over time.
        frechet: to the reference. spectrum: as it is; decibels: [bands, 6] beside the reference's.
        run: behaviour over the whole sound. speaking, pausing: degrees per second, root mean square of the
            rotation's speed in speech and in pauses.
        speed: times real time on one processor.
    """

    variance: Array
    rotation: Interval
    diversity: Interval
    shift_diversity: float
    over_time: float
    shift_over_time: float
    beats: Alignments
    frechet: Distance
    spectrum: Spectrum
    decibels: Array
    run: LongRun
    speaking: float
    pausing: float
    speed: float


class PoseJudge:
    """Judges takes of one sound beside reference takes [S, T, 6]."""

    def __init__(self, sound: PoseSound, reference: Array) -> None:
        self._pieces = sound.pieces
        self._voices = [piece.voice for piece in sound.pieces]
        self._sounds = [audio_beats(piece.samples(sound.samples)) for piece in sound.pieces]
        self._variances = self._by_piece(reference)
        self._quiet = pauses(sound.samples, sound.frames)
        self._spectrum = spectrum_of(list(reference))
        self._frechet = FrechetJudge(self._cut(reference))
        self.limits = limits_of(reference)
        self.floor = self._frechet.floor()

    def row(self, takes: Takes) -> PoseRow:
        """Judge takes of the sound, as many as the reference has."""
        motions = takes.motions
        own = self._by_piece(motions)
        whole = variance_over_time(motions)
        across = np.stack([variance_across_seeds(motions[:, p.first : p.last]) for p in self._pieces])
        spectrum = spectrum_of(list(motions))
        return PoseRow(
            variance=own.sum(0) / np.maximum(self._variances.sum(0), _NOTHING),
            rotation=interval(_ratio(own, self._variances), self._voices),
            diversity=interval(_angle(across), self._voices),
            shift_diversity=shift_std(across.mean(0)),
            over_time=angle_std(whole),
            shift_over_time=shift_std(whole),
            beats=self._alignments(motions),
            frechet=self._frechet.distance(self._cut(motions)),
            spectrum=spectrum,
            decibels=decibels(spectrum, self._spectrum),
            run=long_run(motions, self.limits),
            speaking=_speed(motions, ~self._quiet),
            pausing=_speed(motions, self._quiet),
            speed=takes.speed,
        )

    def _cut(self, motions: Array) -> list[Array]:
        return [motion[piece.first : piece.last] for motion in motions for piece in self._pieces]

    def _by_piece(self, motions: Array) -> Array:
        """[pieces, 6] variance over time, each weighed with its length."""
        return np.stack(
            [
                piece.seconds * variance_over_time(motions[:, piece.first : piece.last])
                for piece in self._pieces
            ]
        )

    def _alignments(self, motions: Array) -> Alignments:
        number = len(self._pieces)
        beats = [[motion_beats(motion[p.first : p.last]) for motion in motions] for p in self._pieces]

        def met(sound: int, motion: int) -> list[Alignment]:
            seconds = min(self._pieces[sound].seconds, self._pieces[motion].seconds)
            heard = self._sounds[sound].until(seconds)
            return [alignment(heard, beat.until(seconds), seconds) for beat in beats[motion]]

        own = [met(i, i) for i in range(number)]
        f1 = [_mean([one.f1 for one in row]) for row in own]
        others = [[j for j in range(number) if self._voices[j] != self._voices[i]] for i in range(number)]
        other = [_mean([one.f1 for j in row for one in met(i, j)]) for i, row in enumerate(others)]
        every = [one for row in own for one in row]
        seconds = sum(piece.seconds for piece in self._pieces) * len(motions)
        ones = [1.0] * number
        return Alignments(
            f1=interval(mean(f1, ones), self._voices),
            other=interval(mean(other, ones), self._voices),
            lost=interval(mean([a - b for a, b in zip(f1, other, strict=True)], ones), self._voices),
            precision=_mean([one.precision for one in every]),
            recall=_mean([one.recall for one in every]),
            chance=_mean([one.chance for one in every]),
            count=60.0 * sum(one.count for one in every) / seconds,
        )


def _ratio(own: Array, reference: Array) -> Statistic:
    """Of variances [pieces, 6]: geometric mean of the rotations' ratios."""

    def statistic(counts: Array) -> float:
        ratio = (counts @ own + _NOTHING) / (counts @ reference + _NOTHING)
        return float(np.exp(np.log(ratio[ROTATION]).mean()))

    return statistic


def _angle(variances: Array) -> Statistic:
    """Of variances [pieces, 6]."""
    return lambda counts: angle_std(counts @ variances / counts.sum())


def _speed(motions: Array, where: Array) -> float:
    """Degrees per second of [S, T, 6], root mean square over the frames [T]; NaN without any."""
    if not where[1:].any():
        return float("nan")
    moved = np.diff(motions[..., ROTATION], axis=1)[:, where[1:]]
    return float(np.degrees(np.sqrt((moved**2).sum(2).mean())) * RATE)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
