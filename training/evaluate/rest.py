"""What a mouth does where nobody speaks: digital silence, noise, tones, music.

The sounds of the first rows are made here and are not what training makes; the last row draws those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import chirp

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.expression.network import FRAME_RATE

from ..nonspeech import nonspeech
from ..phones import phones_of
from .lipsync import LipsyncClip
from .mesh import JudgedFace
from .motions import Part, Predictor, Recording

_SECONDS, _LEVEL, _SEED = 8, 0.3, 9000  # the seed is none of training's
_NOTES = 2.0 ** (np.array([0, 4, 7, 12, 9, 5, 2, 11]) / 12)
_DRAWN = 10

Generator = np.random.Generator


def _silence(count: int, _rng: Generator) -> Array:
    return np.zeros(count)


def _white(count: int, rng: Generator) -> Array:
    return np.asarray(rng.standard_normal(count))


def _pink(count: int, rng: Generator) -> Array:
    spectrum = np.fft.rfft(rng.standard_normal(count))
    return np.asarray(np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), count))


def _tone(count: int, rng: Generator) -> Array:
    return np.asarray(np.sin(2 * np.pi * rng.uniform(150, 2000) * np.arange(count) / SAMPLE_RATE))


def _sweep(count: int, _rng: Generator) -> Array:
    return np.asarray(chirp(np.arange(count) / SAMPLE_RATE, 80, _SECONDS, 4000, method="logarithmic"))


def _music(count: int, rng: Generator) -> Array:
    """Two plucked voices and a drum."""
    time = np.arange(count) / SAMPLE_RATE
    beat = rng.uniform(0.25, 0.5)
    sound = np.exp(-(time % (2 * beat)) / 0.03) * rng.standard_normal(count)
    for root in (110.0, 220.0):
        pitch = root * rng.choice(_NOTES, int(_SECONDS / beat) + 1)[(time / beat).astype(int)]
        phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
        sound += np.exp(-(time % beat) / 0.2) * (
            np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.3 * np.sin(3 * phase)
        )
    return np.asarray(sound)


_MADE: Mapping[str, tuple[Callable[[int, Generator], Array], int]] = {
    "digital silence": (_silence, 1),
    "white noise": (_white, 3),
    "pink noise": (_pink, 3),
    "tones": (_tone, 5),
    "sweep": (_sweep, 1),
    "music": (_music, 5),
    "as in training": (nonspeech, _DRAWN),
}


@dataclass(frozen=True)
class RestRow:
    """The worst over sounds of one kind.

    Attributes:
        gap: widest gap of the lips, mm. moves: widest less narrowest, mm. jitter: root mean square of the
            gap's change from frame to frame at 50 fps, mm. weight: the largest weight of any shape.
    """

    kind: str
    sounds: int
    gap: float
    moves: float
    jitter: float
    weight: float


def rest_rows(predictor: Predictor, face: JudgedFace) -> list[RestRow]:
    """What `predictor` does on `face` for 8 s of every kind of sound."""
    return [rest_row(kind, _sounds(make, number), predictor, face) for kind, (make, number) in _MADE.items()]


def _sounds(make: Callable[[int, Generator], Array], number: int) -> list[Array]:
    sounds = []
    for i in range(number):
        sound = make(_SECONDS * SAMPLE_RATE, np.random.default_rng([_SEED, i]))
        sounds.append((_LEVEL * sound / (np.abs(sound).max() + 1e-9)).astype(np.float32))
    return sounds


def rest_row(kind: str, sounds: Sequence[Array], predictor: Predictor, face: JudgedFace) -> RestRow:
    """The worst of 8 s `sounds` [n] at 16 kHz."""
    clip = LipsyncClip(kind, Path(), _SECONDS, phones_of([]))
    worst = np.zeros(4)
    for samples in sounds:
        (motion,) = predictor(Recording(samples, (Part(clip),)))
        gap = 1e3 * face.gap(face.lips(motion.weights, motion.contact, float(FRAME_RATE)))
        jitter = np.sqrt(np.mean(np.diff(gap) ** 2))
        worst = np.maximum(worst, [gap.max(), np.ptp(gap), jitter, motion.weights.max()])
    return RestRow(kind, len(sounds), *map(float, worst))


def rest_table(rows: Sequence[RestRow]) -> str:
    """A plain-text table; lengths in millimetres."""
    lines = [
        f"{'Nobody speaks':20s}{'sounds':>8s}{'gap mm':>9s}{'moves mm':>10s}{'jitter mm':>11s}{'weight':>8s}"
    ]
    lines += [
        f"{row.kind:20s}{row.sounds:8d}{row.gap:9.2f}{row.moves:10.2f}{row.jitter:11.3f}{row.weight:8.2f}"
        for row in rows
    ]
    return "\n".join(lines)
