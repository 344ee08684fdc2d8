"""Phone classes: broad IPA-like units that all corpora are mapped to, and what the mouth does for each.

Targets are ARKit weights of a typical speaker and dominances are our own choice, tuned by eye after the
descriptions of English articulation in Ladefoged's "A Course in Phonetics"; nothing is measured data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.expression.network import SILENCE_CLASS

SILENCE = SILENCE_CLASS
GLOTTAL = "q"
BILABIAL = frozenset({"p", "b", "m"})
LABIODENTAL = frozenset({"f", "v"})
ROUNDED = frozenset({"u", "U", "o", "w", "y", "2"})
SPREAD = frozenset({"i", "I", "ae", "E", "e"})
# Jaw height order of vowels: 0 close, 1 mid, 2 open.
OPENNESS: Mapping[str, int] = MappingProxyType(
    {"a": 2, "A": 2, "ae": 2, "O": 2, "V": 2, "E": 1, "o": 1, "e": 1, "i": 0, "I": 0, "u": 0, "U": 0, "y": 0}
)


@dataclass(frozen=True)
class Target:
    """Where a phone pulls the mouth, and how hard.

    Attributes:
        weights: curve name -> ARKit weight at the phone's centre; curves not named go to 0.
        dominance: pull on jaw, rounding, lips and tongue against neighbouring phones (relative).
    """

    weights: Mapping[str, float]
    dominance: tuple[float, float, float, float]


def _target(dominance: tuple[float, float, float, float], **short: float) -> Target:
    names = {
        "j": "jawOpen",
        "p": "mouthPucker",
        "f": "mouthFunnel",
        "x": "mouthPress",
        "s": "mouthStretch",
        "m": "mouthSmile",
        "rl": "mouthRollLower",
        "ru": "mouthRollUpper",
        "u": "mouthUpperUp",
        "l": "mouthLowerDown",
        "t": "tongueOut",
    }
    return Target({names[key]: value for key, value in short.items()}, dominance)


_FRONT, _BACK_STOP = (1.0, 0.9, 0.8, 0.5), (0.5, 0.10, 0.4, 0.5)

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        SILENCE: _target((0.7, 0.35, 0.7, 0.6)),
        "p": _target((3, 0.15, 6, 0.3), j=0.12, x=0.35, rl=0.18, ru=0.12),
        "b": _target((3, 0.15, 6, 0.3), j=0.12, x=0.28, rl=0.15, ru=0.10),
        "m": _target((3, 0.15, 6, 0.3), j=0.12, x=0.22, rl=0.12, ru=0.08),
        "f": _target((2, 0.3, 5, 0.3), j=0.10, rl=0.50, u=0.30, x=0.05),
        "v": _target((2, 0.3, 5, 0.3), j=0.12, rl=0.42, u=0.25, x=0.05),
        "th": _target((1.5, 0.3, 1.5, 4), j=0.18, t=0.45, l=0.22, u=0.10),
        "dh": _target((1, 0.25, 1.2, 3), j=0.18, t=0.35, l=0.20, u=0.08),
        "t": _target((0.8, 0.12, 0.6, 0.6), j=0.12, l=0.20, u=0.10, s=0.08),
        "d": _target((0.8, 0.12, 0.6, 0.6), j=0.14, l=0.18, u=0.08, s=0.06),
        "n": _target((0.7, 0.12, 0.6, 0.6), j=0.14, l=0.16, u=0.06, s=0.05),
        "l": _target((0.7, 0.15, 0.6, 1), j=0.22, l=0.18, u=0.06, t=0.06),
        "s": _target((2.5, 0.5, 1.2, 1), j=0.06, l=0.32, u=0.16, s=0.25, m=0.08),
        "z": _target((2.3, 0.5, 1.2, 1), j=0.07, l=0.30, u=0.14, s=0.22, m=0.07),
        "sh": _target((2.3, 2.5, 1.2, 1), j=0.08, f=0.55, p=0.25, l=0.22, u=0.20),
        "zh": _target((2.3, 2.3, 1.2, 1), j=0.09, f=0.50, p=0.25, l=0.20, u=0.18),
        "sj": _target((2.3, 1, 1.2, 1), j=0.07, f=0.22, p=0.08, l=0.26, u=0.15, s=0.10),
        "k": _target(_BACK_STOP, j=0.20, l=0.10, u=0.05),
        "g": _target(_BACK_STOP, j=0.20, l=0.10, u=0.05),
        "ng": _target(_BACK_STOP, j=0.20, l=0.10, u=0.04),
        "x": _target(_BACK_STOP, j=0.24, l=0.12, u=0.05),
        GLOTTAL: _target((0.1, 0.05, 0.15, 0.2), j=0.22, l=0.10, u=0.05),
        "h": _target((0.15, 0.05, 0.2, 0.3), j=0.25, l=0.10, u=0.05),
        "r": _target((1, 1.2, 0.7, 0.6), j=0.15, f=0.32, p=0.28, l=0.12, u=0.08),
        "rt": _target((0.6, 0.12, 0.5, 0.6), j=0.18, l=0.16, u=0.06),
        "j": _target((1, 0.9, 0.6, 0.6), j=0.10, s=0.25, m=0.22, l=0.18, u=0.08),
        "w": _target((2, 3.5, 1, 0.5), j=0.10, p=0.80, f=0.20),
        "i": _target((1, 1, 0.8, 0.5), j=0.13, s=0.30, m=0.30, l=0.22, u=0.12),
        "I": _target((1, 0.8, 0.8, 0.5), j=0.20, s=0.20, m=0.16, l=0.20, u=0.10),
        "e": _target((1, 1, 0.8, 0.5), j=0.26, s=0.24, m=0.20, l=0.24, u=0.12),
        "E": _target(_FRONT, j=0.38, s=0.18, m=0.10, l=0.26, u=0.15),
        "ae": _target((1.1, 0.9, 0.8, 0.5), j=0.50, s=0.22, m=0.10, l=0.30, u=0.18),
        "a": _target((1.1, 0.8, 0.8, 0.5), j=0.58, s=0.05, l=0.30, u=0.15),
        "A": _target((1.1, 0.8, 0.8, 0.5), j=0.60, f=0.05, l=0.26, u=0.12),
        "O": _target((1, 1.2, 0.8, 0.5), j=0.45, f=0.35, p=0.22, l=0.14, u=0.08),
        "V": _target((1, 0.7, 0.8, 0.5), j=0.40, l=0.22, u=0.10),
        "@": _target((0.6, 0.3, 0.6, 0.5), j=0.25, l=0.16, u=0.07),
        "3": _target((0.8, 1, 0.7, 0.5), j=0.28, f=0.28, p=0.18, l=0.14, u=0.07),
        "o": _target((1, 1.5, 0.8, 0.5), j=0.32, p=0.45, f=0.38, l=0.08, u=0.04),
        "u": _target((1, 2, 0.8, 0.5), j=0.14, p=0.75, f=0.28),
        "U": _target((1, 1.3, 0.8, 0.5), j=0.22, p=0.45, f=0.25, l=0.06),
        "y": _target((1, 2, 0.8, 0.5), j=0.12, p=0.68, f=0.25),
        "2": _target((1, 1.5, 0.8, 0.5), j=0.30, p=0.38, f=0.42, l=0.08, u=0.04),
        "1": _target((0.8, 0.5, 0.6, 0.5), j=0.16, s=0.12, m=0.06, l=0.16, u=0.07),
    }
)
PHONE_CLASSES: tuple[str, ...] = tuple(TARGETS)
CLASS_INDEX: Mapping[str, int] = MappingProxyType({name: i for i, name in enumerate(PHONE_CLASSES)})


@dataclass(frozen=True)
class Phones:
    """A sound's phones as columns, in time order.

    Attributes:
        start, end: [n] f64 seconds.
        kind: [n] i64 index into `PHONE_CLASSES`.
        effort: [n] f64 how far the jaw opens for this phone, 1 is usual.
    """

    start: Array
    end: Array
    kind: Array
    effort: Array

    def __len__(self) -> int:
        return len(self.start)

    @property
    def names(self) -> list[str]:
        """[n] class names."""
        return [PHONE_CLASSES[k] for k in self.kind]

    def select(self, index: Any) -> Phones:
        """The phones that a NumPy index picks."""
        return Phones(self.start[index], self.end[index], self.kind[index], self.effort[index])

    def shifted(self, seconds: float, stretch: float = 1.0) -> Phones:
        """The phones of the same sound played `stretch` times as long and `seconds` later."""
        return Phones(self.start * stretch + seconds, self.end * stretch + seconds, self.kind, self.effort)


def phones_of(segments: list[tuple[float, float, str]], effort: Array | None = None) -> Phones:
    """`Phones` from (start, end, class name) rows."""
    times = np.array([row[:2] for row in segments], np.float64).reshape(-1, 2)
    kind = np.array([CLASS_INDEX[row[2]] for row in segments], np.int64)
    return Phones(times[:, 0], times[:, 1], kind, np.ones(len(kind)) if effort is None else effort)


def joined(parts: list[Phones]) -> Phones:
    """Several tables, one after the other."""
    columns = [[getattr(part, name) for part in parts] for name in ("start", "end", "kind", "effort")]
    start, end, kind, effort = (np.concatenate(column) for column in columns)
    return Phones(start, end, kind.astype(np.int64), effort)


def is_kind(kind: Array, names: frozenset[str]) -> Array:
    """[n] bool: which class indices belong to `names`."""
    return np.isin(kind, [CLASS_INDEX[name] for name in names])
