"""The tables of `vividtalk evaluate pose` as plain text, and its figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..pose.reconstruction import Reconstruction
from .intervals import Interval
from .pose import REFERENCE, UNQUANTISED, PoseReport
from .pose_measures import AXES, FAST, in_units

_NAME = 16


def format_pose(report: PoseReport) -> str:
    """All tables, the most important first."""
    takes = next(iter(report.takes.values())).motions
    minutes = takes.shape[1] / 25.0 / 60.0
    voices = ", ".join(dict.fromkeys(piece.voice for piece in report.sound.pieces))
    return "\n\n".join(
        [
            f"{minutes:.1f} minutes of {voices}; {len(takes)} seeds; 95% intervals over pieces of a minute."
            " The reference is a synthetic prior, not motion capture.",
            variance_table(report),
            likeness_table(report),
            beat_table(report),
            run_table(report),
            kept_table(report.kept),
        ]
    )


def variance_table(report: PoseReport) -> str:
    """Variance over time by the reference's, and standard deviations."""
    lines = [f"{'variance ratio':{_NAME}s}" + "".join(f"{axis:>8s}" for axis in AXES) + f"{'rotation':>22s}"]
    for name, row in report.rows.items():
        cells = "".join(f"{value:8.2f}" for value in row.variance)
        lines.append(f"{name:{_NAME}s}{cells}{_interval(row.rotation, 22)}")
    return "\n".join(lines)


def likeness_table(report: PoseReport) -> str:
    """Diversity, Frechet distance, spectrum, stillness in pauses, speed."""
    lines = [
        f"{'':{_NAME}s}{'across seeds: deg':>22s}{'mm':>6s}{'over time: deg':>16s}{'mm':>6s}"
        f"{'Frechet (splits)':>22s}{'spectrum dB':>13s}{'deg/s: speech':>15s}{'pause':>7s}{'x real':>8s}"
    ]
    for name, row in report.rows.items():
        distance = report.floor if name == REFERENCE else row.frechet
        splits = f"{distance.value:.2f} ({distance.low:.2f}-{distance.high:.2f})"
        lines.append(
            f"{name:{_NAME}s}{_interval(row.diversity, 22)}{row.shift_diversity:6.2f}{row.over_time:16.2f}"
            f"{row.shift_over_time:6.2f}{splits:>22s}{np.abs(row.decibels).max():13.1f}"
            f"{row.speaking:15.2f}{row.pausing:7.2f}{row.speed:8.0f}"
        )
    lines.append(
        "The reference's Frechet distance is that of its halves: the floor. Spectrum: worst half hertz of any"
        " axis to 6 Hz. Speed on one processor."
    )
    return "\n".join(lines)


def beat_table(report: PoseReport) -> str:
    """Alignment of beats, with the own sound and with that of other voices."""
    lines = [
        f"{'beat alignment':{_NAME}s}{'F1':>22s}{'other voice':>22s}{'lost by it':>22s}"
        f"{'prec.':>7s}{'recall':>7s}{'chance':>7s}{'per min':>9s}"
    ]
    for name, row in report.rows.items():
        beats = row.beats
        lines.append(
            f"{name:{_NAME}s}{_interval(beats.f1, 22)}{_interval(beats.other, 22)}{_interval(beats.lost, 22)}"
            f"{beats.precision:7.2f}{beats.recall:7.2f}{beats.chance:7.2f}{beats.count:9.0f}"
        )
    return "\n".join(lines)


def run_table(report: PoseReport) -> str:
    """Drift, size, smoothness of the whole run; the worst of all seeds, of the axes where one says most."""
    lines = [
        f"{'whole run':{_NAME}s}{'30 s mean: deg':>15s}{'mm':>6s}{'std ratio':>11s}{'2nd diff.: worst':>18s}"
        f"{'beyond':>9s}{f'over {FAST:g} Hz: mdeg':>18s}{'um':>7s}"
    ]
    for name, row in report.rows.items():
        mean, fast = in_units(row.run.mean), in_units(row.run.fast)
        lines.append(
            f"{name:{_NAME}s}{mean[:3].max():15.2f}{mean[3:].max():6.2f}{row.run.std_ratio.max():11.2f}"
            f"{row.run.bend_ratio.max():18.2f}{100.0 * row.run.bend_share.max():8.3f}%"
            f"{1000.0 * fast[:3].max():18.2f}{1000.0 * fast[3:].max():7.2f}"
        )
    lines.append(
        "2nd differences: the largest by the reference's 99.9th percentile, and how many are beyond it."
    )
    return "\n".join(lines)


def kept_table(kept: Mapping[str, Reconstruction]) -> str:
    """What codebooks keep of the reference's motion."""
    lines = [
        f"{'R2':{_NAME}s}" + "".join(f"{axis:>8s}" for axis in AXES) + f"{'worst dB':>10s}{'nods':>7s}"
        "   codes used, perplexity by level"
    ]
    for name, found in kept.items():
        levels = zip(found.used, found.perplexity, strict=True)
        codes = "; ".join(f"{100.0 * used:.0f}%, {perplexity:.0f}" for used, perplexity in levels)
        lines.append(
            f"{name:{_NAME}s}"
            + "".join(f"{value:8.3f}" for value in found.r2)
            + f"{found.spectrum.max():10.2f}{found.nods:7.2f}   {'-' if name == UNQUANTISED else codes}"
        )
    return "\n".join(lines)


def _interval(found: Interval, width: int) -> str:
    low, high = found.clips
    return f"{f'{found.value:.2f} ({low:.2f} to {high:.2f})':>{width}s}"


def pose_json(report: PoseReport) -> str:
    """All figures as one JSON document, angles in radians, lengths in metres; null where there is none."""
    document = {
        "axes": AXES,
        "floor": report.floor,
        "limits": report.limits,
        "rows": report.rows,
        "kept": report.kept,
    }
    return json.dumps(_plain(document), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if hasattr(value, "__dataclass_fields__"):
        return _plain(vars(value))
    return None if isinstance(value, float) and not np.isfinite(value) else value
