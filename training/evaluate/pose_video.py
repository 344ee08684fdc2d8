"""One real head beside ours on the same sound: how far they go, how fast, and whether on the beat."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.pose import PoseModel

from .head_track import HeadTrack
from .pose_beats import alignment, audio_beats, motion_beats
from .pose_figure import draw_spectra, draw_traces
from .pose_measures import AXES, RATE, Spectrum, in_units, spectrum_of
from .pose_rows import Mover, of_model, of_prior, takes_of
from .pose_sounds import of_files

REAL, OURS, PRIOR = "real, tracked", "codebook", "prior"
_EDGES = (0.0, 1.0, 2.0, 4.0, 6.0)  # hertz, of the bands that are printed
_DRAWN = 3  # takes


@dataclass(frozen=True)
class HeadFigures:
    """Means over takes.

    Attributes:
        std, reach: [6] standard deviation and range, radians and metres.
        spectrum: of all takes. f1, chance: alignment of beats.
    """

    std: Array
    reach: Array
    spectrum: Spectrum
    f1: float
    chance: float


@dataclass(frozen=True)
class VideoReport:
    """heads: figures by name, the real one first. takes: [S, T, 6] by name. samples: [n] at 16 kHz."""

    heads: Mapping[str, HeadFigures]
    takes: Mapping[str, Array]
    samples: Array


def compare_video(track: HeadTrack, samples: Array, model: PoseModel, seeds: int) -> VideoReport:
    """The tracked head beside `seeds` takes of ours and of the prior, on its sound [n] at 16 kHz.

    Raises:
        InputError: it is shorter than six seconds.
    """
    sound = of_files([("video", samples)])
    real = track.at(RATE).astype(np.float64)
    count = min(len(real), sound.frames)
    movers: dict[str, Mover] = {OURS: of_model(model), PRIOR: of_prior()}
    takes = {REAL: (real - np.median(real, axis=0))[None, :count]}
    takes |= {name: takes_of(mover, sound, range(seeds)).motions[:, :count] for name, mover in movers.items()}
    heads = {name: _figures(motions, sound.samples) for name, motions in takes.items()}
    return VideoReport(heads, takes, sound.samples)


def _figures(takes: Array, samples: Array) -> HeadFigures:
    beats = audio_beats(samples)
    met = [alignment(beats, motion_beats(motion), takes.shape[1] / RATE) for motion in takes]
    return HeadFigures(
        std=takes.std(1).mean(0),
        reach=np.ptp(takes, axis=1).mean(0),
        spectrum=spectrum_of(list(takes)),
        f1=float(np.mean([one.f1 for one in met])),
        chance=float(np.mean([one.chance for one in met])),
    )


def video_table(report: VideoReport) -> str:
    """Plain text: degrees and millimetres, and the rotations' level by band."""
    takes = {name: len(motions) for name, motions in report.takes.items()}
    seconds = next(iter(report.takes.values())).shape[1] / RATE
    lines = [
        f"One real clip of {seconds:.1f} s; ours and the prior are means over {takes[OURS]} takes.",
        f"{'':16s}" + "".join(f"{axis:>16s}" for axis in AXES) + f"{'beats F1':>10s}{'chance':>8s}",
    ]
    for name, head in report.heads.items():
        std, reach = in_units(head.std), in_units(head.reach)
        cells = "".join(f"{f'{a:.2f}, {b:.1f}':>16s}" for a, b in zip(std, reach, strict=True))
        lines.append(f"{name:16s}{cells}{head.f1:10.2f}{head.chance:8.2f}")
    lines.append("Standard deviation and range, degrees and millimetres. Depth of a video is a guess.")
    bands = list(itertools.pairwise(_EDGES))
    lines.append(f"{'rotation, dB':16s}" + "".join(f"{f'{a:g}-{b:g} Hz':>12s}" for a, b in bands))
    for name, head in report.heads.items():
        lines.append(f"{name:16s}" + "".join(f"{_level(head.spectrum, *band):12.1f}" for band in bands))
    lines.append("Power of the three rotations in a band, relative to one square degree.")
    return "\n".join(lines)


def _level(spectrum: Spectrum, low: float, high: float) -> float:
    inside = (spectrum.hertz > low) & (spectrum.hertz <= high)
    power = spectrum.power[inside, :3].sum() * spectrum.hertz[1]
    return float(10.0 * np.log10(np.degrees(1.0) ** 2 * power + 1e-12))


def draw_video(report: VideoReport, folder: Path) -> None:
    """Write `folder`/video_traces.png and video_spectra.png. Raises `OutputError`."""
    shown = {name: list(motions[:_DRAWN]) for name, motions in report.takes.items() if name != PRIOR}
    draw_traces(folder / "video_traces.png", report.samples, shown)
    draw_spectra(folder / "video_spectra.png", {name: head.spectrum for name, head in report.heads.items()})
