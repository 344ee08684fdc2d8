"""Phones with times -> articulation curves, after the dominance model of Cohen and Massaro (1993).

Every phone pulls each group of articulators towards its target with a strength that falls off
exponentially in time; the curve is the average of the targets, weighted by these strengths.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import convolve

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.controls import MotionStyle
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.expression.curves import CURVE_INDEX, CURVES, to_arkit

from .phones import BILABIAL, CLASS_INDEX, LABIODENTAL, SILENCE, TARGETS, Phones, is_kind, phones_of

AVERAGE_STYLE = MotionStyle()
_JAW = CURVE_INDEX["jawOpen"]
_CLOSE = CURVE_INDEX["mouthClose"]
_PARTING = [CURVE_INDEX["mouthUpperUp"], CURVE_INDEX["mouthLowerDown"]]
# Articulator groups in the order of `Target.dominance`; rounding spreads widest. Seconds, our choice.
_GROUPS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.045, ("jawOpen",)),
    (0.065, ("mouthPucker", "mouthFunnel", "mouthStretch", "mouthSmile")),
    (
        0.035,
        ("mouthClose", "mouthPress", "mouthRollLower", "mouthRollUpper", "mouthUpperUp", "mouthLowerDown"),
    ),
    (0.040, ("tongueOut",)),
)
# What a motion style scales: jaw, rounding, spread, effort.
_STYLED: tuple[tuple[str, ...], ...] = (
    ("jawOpen", "mouthUpperUp", "mouthLowerDown"),
    ("mouthPucker", "mouthFunnel"),
    ("mouthStretch", "mouthSmile"),
    ("mouthPress", "mouthRollLower", "mouthRollUpper"),
)
_LEAN = 0.35  # how much more the leading side moves at asymmetry 1; our choice
_PLATEAU = 0.25  # half of the flat top, as a share of the phone's length
_CONTACT_EDGE = 0.055  # seconds
_CONTACT_CORE, _CONTACT_INSET = 0.7, 0.012  # full during this share of half a phone, or all but these seconds
_SHORTEST_HALF = 0.025  # seconds

_TARGET = np.zeros((len(TARGETS), len(CURVES)))
_DOMINANCE = np.zeros((len(TARGETS), len(_GROUPS)))
for _row, _entry in enumerate(TARGETS.values()):
    _DOMINANCE[_row] = _entry.dominance
    for _name, _weight in _entry.weights.items():
        _TARGET[_row, CURVE_INDEX[_name]] = _weight


def articulate(phones: Phones, times: Array, style: MotionStyle = AVERAGE_STYLE) -> Array:
    """[T] times in seconds -> [T, 12] f32 curves of the mouth that says `phones` in the manner of `style`."""
    if len(phones) == 0:
        return np.zeros((len(times), len(CURVES)), np.float32)
    middle, length = (phones.start + phones.end) / 2.0, phones.end - phones.start
    distance = np.maximum(0.0, np.abs(times[:, None] - middle) - _PLATEAU * length)  # [T, n]
    target = _TARGET[phones.kind] * _gains(style)
    target[:, _JAW] *= phones.effort
    shorter = 2.0 ** (style.sharpness / 2)
    curves = np.zeros((len(times), len(CURVES)))
    for group, (reach, names) in enumerate(_GROUPS):
        pull = _DOMINANCE[phones.kind, group] * np.exp(-distance * shorter / reach)
        columns = [CURVE_INDEX[name] for name in names]
        curves[:, columns] = pull @ target[:, columns] / (pull.sum(1, keepdims=True) + 1e-9)
    closed = contacts(phones, times)[:, :1]
    curves[:, _CLOSE] = curves[:, _JAW] * closed[:, 0]
    curves[:, _PARTING] *= 1.0 - closed
    return np.minimum(curves, 1.0).astype(np.float32)


def spoken_weights(phones: Phones, times: Array, style: MotionStyle = AVERAGE_STYLE) -> Array:
    """[T] times -> [T, 52] f32 ARKit weights of the mouth that says `phones`, one side ahead by `style`."""
    weights = to_arkit(articulate(phones, times, style))
    for names, share in (("Left", style.asymmetry), ("Right", -style.asymmetry)):
        sided = [i for i, name in enumerate(ARKIT_NAMES) if name.endswith(names)]
        weights[:, sided] *= 1.0 + _LEAN * share
    return np.minimum(weights, 1.0)


def _gains(style: MotionStyle) -> Array:
    """[12] factors of the curves' targets."""
    gains = np.ones(len(CURVES))
    for names, value in zip(_STYLED, (style.jaw, style.rounding, style.spread, style.effort), strict=True):
        gains[[CURVE_INDEX[name] for name in names]] = 2.0 ** (value / 2)
    return gains


def contacts(phones: Phones, times: Array) -> Array:
    """[T] times -> [T, 2] f32 bilabial and labiodental contact, 1 in the phone, raised-cosine edges."""
    result = np.zeros((len(times), 2), np.float32)
    for column, names in enumerate((BILABIAL, LABIODENTAL)):
        chosen = phones.select(is_kind(phones.kind, names))
        if len(chosen) == 0:
            continue
        half = np.maximum((chosen.end - chosen.start) / 2.0, _SHORTEST_HALF)
        core = np.maximum(_CONTACT_CORE * half, half - _CONTACT_INSET)
        away = np.abs(times[:, None] - (chosen.start + chosen.end) / 2.0)
        near = np.clip(1.0 - (away - core) / _CONTACT_EDGE, 0.0, 1.0)
        result[:, column] = (0.5 - 0.5 * np.cos(np.pi * near)).max(1)
    return result


def class_at(phones: Phones, times: Array) -> Array:
    """[T] times -> [T] i64 phone class; silence where no phone is."""
    result = np.full(len(times), CLASS_INDEX[SILENCE], np.int64)
    if len(phones) == 0:
        return result
    index = np.searchsorted(phones.start, times, side="right") - 1
    inside = (index >= 0) & (times < phones.end[np.maximum(index, 0)])
    result[inside] = phones.kind[index[inside]]
    return result


def with_effort(segments: list[tuple[float, float, str]], samples: Array) -> Phones:
    """`Phones` whose jaw opens more for loud phones and less for soft ones (0.7 to 1.2, our choice)."""
    hop = SAMPLE_RATE // 100
    power = convolve(samples.astype(np.float64) ** 2, np.full(2 * hop, 0.5 / hop), "same")[::hop]
    decibel = 10.0 * np.log10(np.maximum(power, 0.0) + 1e-9)
    loud = np.percentile(decibel, 90)
    effort = np.ones(len(segments))
    for i, (start, end, _) in enumerate(segments):
        first = max(0, int(start * 100))
        if first < len(decibel):
            peak = decibel[first : max(first + 1, int(end * 100))].max()
            effort[i] = np.clip(1.0 + 0.025 * (peak - loud + 2.0), 0.7, 1.2)
    return phones_of(segments, effort)
