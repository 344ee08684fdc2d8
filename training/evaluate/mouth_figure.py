"""A picture of a real mouth and drawn ones under their waveform."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from blender_addon.protocol.tensorfile import Array, atomic_path
from models.audio.mel import SAMPLE_RATE

from ..phones import SILENCE, Phones
from .mouths import COMPARED, RATE, MouthReport

_COLOURS = {"p": "tab:red", "b": "tab:red", "m": "tab:red", "f": "tab:blue", "v": "tab:blue"}
_LINES = {"loudness": "0.7", "ours": "tab:orange", "phone-driven": "tab:green"}


def draw_mouths(report: MouthReport, samples: Array, phones: Phones | None, path: Path) -> None:
    """Write a PNG. Raises `OutputError` when it cannot be written."""
    seconds = len(report.real["gap"]) / RATE
    figure = Figure(figsize=(max(10.0, 2.6 * seconds), 9.0), layout="constrained")
    FigureCanvasAgg(figure)
    rows = list(np.atleast_1d(figure.subplots(3, 1, sharex=True)))
    rows[0].plot(np.arange(len(samples)) / SAMPLE_RATE, samples, lw=0.4, color="0.3")
    rows[0].set_ylabel("sound")
    for axes, name in zip(rows[1:], COMPARED, strict=True):
        _compare(axes, report, name)
    if phones is not None:
        _label(rows, phones, float(np.abs(samples).max()))
    rows[0].set_xlim(0.0, seconds)
    rows[-1].set_xlabel("seconds")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=70)


def _compare(axes: Axes, report: MouthReport, name: str) -> None:
    """The real measure in millimetres, and the drawn ones with its mean and spread."""
    real = 1000.0 * report.real[name]
    times = np.arange(len(real)) / RATE
    axes.plot(times, real, color="black", lw=2.0, label="real, tracked")
    for drawn, curves in report.drawn.items():
        curve = curves[name][: len(real)]
        fitted = (curve - curve.mean()) / (curve.std() + 1e-12) * real.std() + real.mean()
        axes.plot(times[: len(fitted)], fitted, color=_LINES[drawn], lw=1.2, label=drawn)
    axes.set_ylabel(f"{name}, mm (eyes 63 mm apart)")
    axes.legend(loc="upper right", fontsize=8)


def _label(rows: list[Axes], phones: Phones, height: float) -> None:
    rows[0].set_ylim(-1.1 * height, 1.3 * height)
    for start, end, name in zip(phones.start, phones.end, phones.names, strict=True):
        if name != SILENCE:
            rows[0].text((start + end) / 2, 1.1 * height, name, ha="center", fontsize=8)
        for axes in rows if name in _COLOURS else ():
            axes.axvspan(start, end, color=_COLOURS[name], alpha=0.15, lw=0)
