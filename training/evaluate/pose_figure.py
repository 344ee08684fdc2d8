"""Pictures of head motion: traces under their waveform, and spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from blender_addon.protocol.tensorfile import Array, atomic_path
from models.audio.mel import SAMPLE_RATE

from .pose_measures import AXES, RATE, Spectrum, in_units

_ROWS = ((0, "pitch, degrees down"), (2, "yaw, degrees left"), (1, "roll, degrees left"))
_TOP = 10.0  # hertz shown
_COLOURS = ("tab:orange", "tab:blue", "tab:green", "tab:purple")


def draw_traces(path: Path, samples: Array, motions: Mapping[str, Sequence[Array]]) -> None:
    """Write a PNG of the rotations of motions [T, 6] by name, several takes of each, under [n] samples.

    Raises:
        OutputError: it cannot be written.
    """
    seconds = len(samples) / SAMPLE_RATE
    figure = Figure(figsize=(max(10.0, 0.75 * seconds), 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    sound, *rows = figure.subplots(1 + len(_ROWS), 1, sharex=True, height_ratios=(0.7, 1, 1, 1))
    sound.plot(np.arange(len(samples)) / SAMPLE_RATE, samples, lw=0.4, color="0.3")
    sound.set_ylabel("sound")
    for axes, (axis, label) in zip(rows, _ROWS, strict=True):
        _lines(axes, motions, axis)
        axes.set_ylabel(label)
        axes.axhline(0.0, color="0.8", lw=0.6, zorder=0)
    rows[0].legend(loc="upper right", ncols=len(motions), fontsize=8)
    rows[0].set_xlim(0.0, seconds)
    rows[-1].set_xlabel("seconds")
    _save(figure, path)


def _lines(axes: Axes, motions: Mapping[str, Sequence[Array]], axis: int) -> None:
    for number, (name, takes) in enumerate(motions.items()):
        colour = "black" if number == 0 else _COLOURS[(number - 1) % len(_COLOURS)]
        for take, motion in enumerate(takes):
            times = np.arange(len(motion)) / RATE
            label = name if take == 0 else None
            axes.plot(
                times, in_units(motion)[:, axis], color=colour, alpha=1.0 - 0.25 * take, lw=1.2, label=label
            )


def draw_spectra(path: Path, spectra: Mapping[str, Spectrum]) -> None:
    """Write a PNG of the spectra of all axes; the first one, black, is what the others are judged by.

    Raises:
        OutputError: it cannot be written.
    """
    figure = Figure(figsize=(15.0, 8.0), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, axes in enumerate(figure.subplots(2, 3, sharex=True).flat):
        for number, (name, spectrum) in enumerate(spectra.items()):
            shown = (spectrum.hertz > 0.0) & (spectrum.hertz <= _TOP)
            level = 20.0 * np.log10(in_units(np.sqrt(spectrum.power))[shown, axis] + 1e-6)
            colour = "black" if number == 0 else _COLOURS[(number - 1) % len(_COLOURS)]
            axes.plot(spectrum.hertz[shown], level, color=colour, lw=2.2 if number == 0 else 1.2, label=name)
        axes.set_title(AXES[axis])
        axes.set_ylabel("dB re 1 degree" if axis < 3 else "dB re 1 mm")
        axes.axvline(6.0, color="0.8", lw=0.6)
    axes.legend(fontsize=9)
    axes.set_xlabel("hertz")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=70, format="png")
