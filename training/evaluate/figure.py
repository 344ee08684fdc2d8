"""A picture of what the model hears: waveform, aperture, contacts and rounding over time, with phones."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.tensorfile import Array, atomic_path, output_error
from models.audio.mel import SAMPLE_RATE
from models.expression import ExpressionModel

from ..phones import BILABIAL, LABIODENTAL, SILENCE, Phones
from .lipsync import read_manifest, read_sound

_COLOURS = {**dict.fromkeys(BILABIAL, "tab:red"), **dict.fromkeys(LABIODENTAL, "tab:blue")}


def draw_manifest(manifest: Path, model: ExpressionModel, folder: Path, fps: float = 25.0) -> None:
    """Write `folder`/ID.png for every clip of a manifest, as `draw_clip` does.

    Raises:
        InputError, FileFormatError: the manifest or a sound cannot be read.
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    for clip in read_manifest(manifest):
        draw_clip(folder / f"{clip.id}.png", model, read_sound(clip.sound), fps, clip.phones)


def draw_clip(path: Path, model: ExpressionModel, samples: Array, fps: float, phones: Phones | None) -> None:
    """Write a .png of one sound; `phones` are written above the waveform and marked through all rows."""
    mpl.use("Agg")
    stream = model.stream(fps)
    chunks = [stream.push(samples), stream.finish()]
    weights = np.concatenate([chunk.weights for chunk in chunks])
    contact = np.concatenate([chunk.contact for chunk in chunks])
    duration = len(samples) / SAMPLE_RATE
    figure = Figure(figsize=(max(8.0, 3.2 * duration), 8.0), layout="constrained")
    rows: list[Axes] = list(figure.subplots(4, 1, sharex=True))
    rows[0].plot(np.arange(len(samples)) / SAMPLE_RATE, samples, lw=0.4, color="black")
    times = np.arange(len(weights)) / fps
    jaw, close = weights[:, ARKIT_INDEX["jawOpen"]], weights[:, ARKIT_INDEX["mouthClose"]]
    _plot(rows[1], times, {"jawOpen": jaw, "aperture (jawOpen - mouthClose)": jaw - close})
    _plot(rows[2], times, {"bilabial contact": contact[:, 0], "labiodental contact": contact[:, 1]})
    names = ("mouthPucker", "mouthFunnel", "mouthStretchLeft", "mouthSmileLeft", "mouthLowerDownLeft")
    _plot(rows[3], times, {name: weights[:, ARKIT_INDEX[name]] for name in names})
    if phones is not None:
        _label(rows, phones, float(np.abs(samples).max()))
    rows[0].set_xlim(0.0, duration)
    rows[3].set_xlabel("seconds")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=80)


def _plot(axes: Axes, times: Array, lines: dict[str, Array]) -> None:
    for name, values in lines.items():
        axes.plot(times, values, marker=".", ms=3, lw=1.2, label=name)
    axes.set_ylim(-0.05, 1.05)
    axes.legend(loc="upper right", fontsize=8)


def _label(rows: list[Axes], phones: Phones, height: float) -> None:
    for start, end, name in zip(phones.start, phones.end, phones.names, strict=True):
        if name != SILENCE:
            rows[0].text((start + end) / 2, height, name, ha="center", fontsize=8)
        for axes in rows if name in _COLOURS else ():
            axes.axvspan(start, end, color=_COLOURS[name], alpha=0.18, lw=0)
