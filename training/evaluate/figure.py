"""A picture of one clip: sound with phones, the lips' gap with closures hit and missed, contacts, curves."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.tensorfile import Array, atomic_path
from models.audio.mel import SAMPLE_RATE
from models.expression.network import FRAME_RATE

from ..phones import SILENCE, Phones
from .closures import CLOSED_GAP, Matched
from .judge import ClipResult

_HIT, _MISSED, _FALSE = "tab:green", "tab:red", "tab:orange"
_SHAPES = ("mouthPucker", "mouthFunnel", "mouthStretchLeft", "mouthSmileLeft", "mouthLowerDownLeft")
_WIDEST = 20.0  # millimetres of gap that the picture shows
_INCHES_PER_SECOND, _NARROWEST, _BROADEST = 2.6, 9.0, 30.0


def draw_clip(path: Path, samples: Array, result: ClipResult, driven: ClipResult, face: str) -> None:
    """Write a .png of one judged clip, [n] `samples`, and of what the true phones would do, on `face`."""
    mpl.use("Agg")
    width = float(np.clip(_INCHES_PER_SECOND * result.clip.duration, _NARROWEST, _BROADEST))
    figure = Figure(figsize=(width, 9.0), layout="constrained")
    sound, gap, contact, jaw, shape = figure.subplots(5, 1, sharex=True, height_ratios=(1, 1.3, 0.8, 1, 1))
    sound.plot(np.arange(len(samples)) / SAMPLE_RATE, samples, lw=0.4, color="black")
    loudest = float(np.abs(samples).max())
    sound.set_ylim(-1.1 * loudest - 1e-3, 1.4 * loudest + 1e-3)
    _phones(sound, result.clip.phones, 1.1 * loudest)
    _gap(gap, result, driven, face)
    _lines(contact, {"p, b, m": result.motion.contact[:, 0], "f, v": result.motion.contact[:, 1]})
    own, true = result.motion.weights, driven.motion.weights
    opening = own[:, ARKIT_INDEX["jawOpen"]]
    aperture = opening - own[:, ARKIT_INDEX["mouthClose"]]
    _lines(jaw, {"jawOpen": opening, "less mouthClose": aperture})
    times = np.arange(len(true)) / FRAME_RATE
    jaw.plot(times, true[:, ARKIT_INDEX["jawOpen"]], color="0.6", lw=1, label="jawOpen, true phones")
    jaw.legend(loc="upper right", fontsize=8)
    _lines(shape, {name: own[:, ARKIT_INDEX[name]] for name in _SHAPES})
    for axes in (sound, gap, contact, jaw, shape):
        _closures(axes, result.faces[face].strict)
    sound.set_xlim(0.0, result.clip.duration)
    shape.set_xlabel("seconds")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=70, format="png")


def _gap(axes: Axes, result: ClipResult, driven: ClipResult, face: str) -> None:
    for track, style in ((driven, {"color": "0.6", "lw": 1.0}), (result, {"color": "black", "lw": 1.4})):
        gap = 1e3 * track.faces[face].gap
        label = "gap of the lips, mm" if track is result else "true phones"
        axes.plot(np.arange(len(gap)) / FRAME_RATE, gap, label=label, **style)  # type: ignore[arg-type]
    axes.axhline(1e3 * CLOSED_GAP, color="0.5", lw=0.5)
    axes.set_ylim(-0.5, _WIDEST)
    axes.legend(loc="upper right", fontsize=8)


def _lines(axes: Axes, lines: dict[str, Array]) -> None:
    for name, values in lines.items():
        axes.plot(np.arange(len(values)) / FRAME_RATE, values, lw=1.2, label=name)
    axes.set_ylim(-0.05, 1.05)
    axes.legend(loc="upper right", fontsize=8)


def _closures(axes: Axes, matched: Matched) -> None:
    """Shade what the sound asks for, green where hit, red where missed, and false events orange."""
    for closure, hit in zip(matched.closures, matched.hit, strict=True):
        axes.axvspan(closure.start, closure.end, color=_HIT if hit >= 0 else _MISSED, alpha=0.2, lw=0)
    for event, false in zip(matched.events, matched.false, strict=True):
        if false:
            axes.axvspan(event.start, event.end, color=_FALSE, alpha=0.3, lw=0)


def _phones(axes: Axes, phones: Phones, height: float) -> None:
    for start, end, name in zip(phones.start, phones.end, phones.names, strict=True):
        if name != SILENCE:
            axes.text((start + end) / 2, height, name, ha="center", fontsize=8)
        axes.axvline(start, color="0.85", lw=0.5, zorder=0)
