"""From judged clips to figures with intervals, and to tables of plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from blender_addon.protocol.tensorfile import Array

from .closures import count
from .intervals import Interval, PairedAreas, Statistic, interval, mean, median, share
from .judge import ClipResult, FaceTrack
from .metrics import CLOSED, RATE, lag_of

Results = Sequence[ClipResult]
_FACE_DRAWS, _DRAWS = 1000, 300
_BITTEN, _NEARLY = 0.5e-3, 1e-3  # metres
# What is printed: name of a figure, heading, factor, digits.
EVENT_COLUMNS = (
    ("recall", "recall", 1, 3),
    ("precision", "precision", 1, 3),
    ("onset", "onset ms", 1e3, 0),
    ("recall_100", "recall100", 1, 3),
    ("precision_100", "precis100", 1, 3),
    ("bitten", "f/v<.5mm", 1, 3),
    ("nearly", "f/v<1mm", 1, 3),
    ("bite_auc", "f/v AUC", 1, 3),
)
CURVE_COLUMNS = (
    ("closure_auc", "closure", 1, 3),
    ("labiodental_auc", "f/v", 1, 3),
    ("rounding_auc", "rounding", 1, 3),
    ("stretch_auc", "stretch", 1, 3),
    ("openness_order", "openness", 1, 3),
    ("correlation", "correl.", 1, 3),
    ("offset", "lag ms", 1e3, 0),
    ("closed", "closed", 1, 3),
    ("false_closed", "false", 1, 3),
    ("smoothness", "5-20 Hz", 1, 2),
    ("pause", "pause", 1, 3),
)


@dataclass(frozen=True)
class Figures:
    """What one row of the tables says: figures by name; events per face, the first face's with intervals."""

    row: str
    curves: Mapping[str, Interval]
    events: Mapping[str, Mapping[str, Interval]]


def figures(row: str, results: Results, driven: Results, faces: Sequence[str]) -> Figures:
    """All figures of a row; `driven` are the results of curves from the true phones, for smoothness."""
    speakers = [result.clip.speaker for result in results]
    events = {
        face: {
            name: interval(statistic, speakers, _FACE_DRAWS if face == faces[0] else 1)
            for name, statistic in _event_statistics([result.faces[face] for result in results]).items()
        }
        for face in faces
    }
    curves = {name: interval(s, speakers, _DRAWS) for name, s in _curve_statistics(results, driven).items()}
    return Figures(row, curves, events)


def _event_statistics(tracks: Sequence[FaceTrack]) -> dict[str, Statistic]:
    result: dict[str, Statistic] = {}
    windows = {"": [track.strict for track in tracks], "_100": [track.wide for track in tracks]}
    for name, chosen in windows.items():
        counts = [count([part]) for part in chosen]
        hits = [part.hits for part in counts]
        result[f"recall{name}"] = share(hits, [part.closures for part in counts])
        result[f"precision{name}"] = share(hits, [part.hits + part.false for part in counts])
        result[f"onset{name}"] = median([part.errors for part in counts])
    bites = [len(track.bitten) for track in tracks]
    for name, limit in (("bitten", _BITTEN), ("nearly", _NEARLY)):
        result[name] = share([int((track.bitten <= limit).sum()) for track in tracks], bites)
    areas = PairedAreas([-track.bitten for track in tracks], [-track.apart for track in tracks])
    result["bite_auc"] = areas.area
    return result


def _curve_statistics(results: Results, driven: Results) -> dict[str, Statistic]:
    parts = [result.measures for result in results]
    areas = {
        "closure_auc": PairedAreas([-part.closed for part in parts], [-part.apart for part in parts]),
        "labiodental_auc": PairedAreas([part.bitten for part in parts], [part.unbitten for part in parts]),
        "rounding_auc": PairedAreas([part.rounded for part in parts], [part.unrounded for part in parts]),
        "stretch_auc": PairedAreas([part.stretched for part in parts], [part.unstretched for part in parts]),
    }
    near, other = [part.closest for part in parts], [part.apart for part in parts]
    lagged = np.stack([part.lagged for part in parts])
    frames = np.array([part.frames for part in parts], np.float64)
    pauses = [float(part.pause.mean()) if len(part.pause) else float("nan") for part in parts]
    return {
        **{name: table.area for name, table in areas.items()},
        "openness_order": _order([part.height for part in parts], [part.opened for part in parts]),
        "correlation": lambda counts: float((counts * frames @ lagged).max() / (counts @ frames)),
        "offset": lambda counts: lag_of(counts * frames @ lagged),
        "closed": share([int((part < CLOSED).sum()) for part in near], [len(part) for part in near]),
        "false_closed": share([int((part < CLOSED).sum()) for part in other], [len(part) for part in other]),
        "smoothness": _ratio(results, driven),
        "pause": mean(pauses, [len(part.pause) / RATE for part in parts]),
    }


def _order(height: Sequence[Array], opened: Sequence[Array]) -> Statistic:
    """Rank correlation over the vowels of all clips, each as often as its clip counts."""
    x, y = np.concatenate(height), np.concatenate(opened)
    clip = np.repeat(np.arange(len(height)), [len(part) for part in height])

    def statistic(counts: Array) -> float:
        times = counts[clip].astype(int)
        some, other = np.repeat(x, times), np.repeat(y, times)
        if len(some) < 2 or np.ptp(some) == 0 or np.ptp(other) == 0:
            return float("nan")
        return float(spearmanr(some, other).statistic)

    return statistic


def _ratio(results: Results, driven: Results) -> Statistic:
    """Energy from 5 to 20 Hz outside contacts, relative to phone-driven curves."""
    own = share([result.restless for result in results], [result.calm for result in results])
    phones = share([result.restless for result in driven], [result.calm for result in driven])
    return lambda counts: own(counts) / phones(counts) if phones(counts) else float("nan")


def event_table(rows: Sequence[Figures]) -> str:
    """Closure events and bites, one line per row and face; intervals below the first face."""
    lines = ["Lips on the mesh, with 95% intervals", _header(EVENT_COLUMNS)]
    for row in rows:
        for number, (face, found) in enumerate(row.events.items()):
            lines.append(_line(f"{row.row}, {face}", found, EVENT_COLUMNS))
            lines += _interval_lines(found, EVENT_COLUMNS) if number == 0 else []
    return "\n".join(lines)


def curve_table(rows: Sequence[Figures]) -> str:
    """Curve-level figures, one line per row with intervals by clip and by speaker below."""
    lines = ["Curves, with 95% intervals", _header(CURVE_COLUMNS)]
    for row in rows:
        lines.append(_line(row.row, row.curves, CURVE_COLUMNS))
        lines += _interval_lines(row.curves, CURVE_COLUMNS)
    return "\n".join(lines)


Columns = Sequence[tuple[str, str, float, int]]
_FIRST, _WIDE = 26, 13


def _header(columns: Columns) -> str:
    return " " * _FIRST + "".join(f"{heading:>{_WIDE}s}" for _, heading, _, _ in columns)


def _line(name: str, found: Mapping[str, Interval], columns: Columns) -> str:
    cells = [f"{factor * found[key].value:{_WIDE}.{digits}f}" for key, _, factor, digits in columns]
    return f"{name:{_FIRST}s}" + "".join(cells)


def _interval_lines(found: Mapping[str, Interval], columns: Columns) -> list[str]:
    lines = []
    for name in ("clips", "speakers"):
        cells = [_range(factor, digits, getattr(found[key], name)) for key, _, factor, digits in columns]
        lines.append(f"{'    by ' + name:{_FIRST}s}" + "".join(cells))
    return lines


def _range(factor: float, digits: int, ends: tuple[float, float]) -> str:
    low, high = (f"{factor * end:.{min(digits, 2)}f}" for end in ends)
    return f"{low + '..' + high:>{_WIDE}s}"


@dataclass(frozen=True)
class VoiceRow:
    """One speaker's clips on the first face."""

    speaker: str
    clips: int
    seconds: float
    closures: int
    recall: float
    precision: float
    false_per_minute: float


def voices(results: Results, face: str) -> list[VoiceRow]:
    """Every speaker of a row, the worst first: by the mean of recall and precision; unknown ones last."""
    rows = []
    for speaker in sorted({result.clip.speaker for result in results}):
        own = [result for result in results if result.clip.speaker == speaker]
        found = count([result.faces[face].strict for result in own])
        seconds = sum(result.clip.duration for result in own)
        rate = 60 * found.false / seconds
        row = VoiceRow(speaker, len(own), seconds, found.closures, found.recall, found.precision, rate)
        rows.append(row)
    return sorted(rows, key=lambda row: (np.isnan(row.recall), np.nan_to_num(row.recall + row.precision)))


def voice_table(rows: Sequence[VoiceRow]) -> str:
    """A plain-text table of voices."""
    head = f"{'Voice, worst first':20s}{'clips':>7s}{'seconds':>9s}{'closures':>10s}"
    lines = [head + f"{'recall':>9s}{'precision':>11s}{'false/min':>11s}"]
    for row in rows:
        lines.append(
            f"{row.speaker:20s}{row.clips:7d}{row.seconds:9.0f}{row.closures:10d}"
            f"{row.recall:9.3f}{row.precision:11.3f}{row.false_per_minute:11.1f}"
        )
    return "\n".join(lines)


def seed_table(rows: Sequence[Figures], face: str) -> str:
    """Mean and range of the same figures of several models."""
    lines = [f"Mean and range of {len(rows)} models"]
    events, curves = [row.events[face] for row in rows], [row.curves for row in rows]
    for columns, found in ((EVENT_COLUMNS, events), (CURVE_COLUMNS, curves)):
        for key, heading, factor, digits in columns:
            values = [factor * entry[key].value for entry in found]
            spread = f"({min(values):.{digits}f} to {max(values):.{digits}f})"
            lines.append(f"{heading:12s}{np.mean(values):9.{digits}f}  {spread}")
    return "\n".join(lines)
