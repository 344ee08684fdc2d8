"""`vividtalk evaluate lipsync`: every row on every clip, as figures, tables and a page."""

from __future__ import annotations

import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blender_addon.protocol.errors import InputError
from models.expression import ExpressionModel
from models.expression.finishing import UNFINISHED
from models.face import load_head

from .conditions import recordings_under
from .judge import ClipResult, judge
from .lipsync import LipsyncClip, read_manifest, write_prediction
from .mesh import JudgedFace, judged_faces
from .motions import Predictor, of_files, of_loudness, of_model, of_phones
from .rest import RestRow, rest_rows, rest_table
from .tables import (
    Figures,
    VoiceRow,
    curve_table,
    event_table,
    figures,
    seed_table,
    voice_table,
    voices,
)

PARTS = ("all", "development", "report")
PHONES, LOUDNESS, RAW = "true phones", "loudness", "unfinished"


@dataclass(frozen=True)
class LipsyncPlan:
    """What is judged.

    Attributes:
        models: weights files; the shipped ones where None. predictions: folders of other programs' curves.
        condition: one of `conditions.CONDITIONS`. part: one of `PARTS`.
        people: random persons besides the built-in head, for the models.
        beside: whether true phones, loudness, unfinished curves and rest are judged too.
    """

    manifest: Path
    models: tuple[Path | None, ...] = (None,)
    predictions: tuple[Path, ...] = ()
    condition: str = "clean"
    part: str = "all"
    people: int = 3
    beside: bool = True


@dataclass(frozen=True)
class LipsyncReport:
    """What `evaluate_lipsync` found.

    Attributes:
        rows: every clip by row, models first. driven: the same clips, moved by their true phones.
        figures: of each row. models: names of the rows that are models. voices: of the first row.
        rest: of the first model where nobody speaks.
    """

    rows: Mapping[str, Sequence[ClipResult]]
    driven: Sequence[ClipResult]
    figures: Sequence[Figures]
    models: tuple[str, ...]
    voices: Sequence[VoiceRow]
    rest: Sequence[RestRow]


def evaluate_lipsync(plan: LipsyncPlan) -> LipsyncReport:
    """Judge all rows of `plan`.

    Raises:
        InputError, FileFormatError, ModelError: the manifest, a sound, curves or weights cannot be used.
    """
    clips = part_of(read_manifest(plan.manifest), plan.part)
    faces = judged_faces(load_head(None), plan.people)
    first = dict([next(iter(faces.items()))])
    models = {_name(path, number): path for number, path in enumerate(plan.models)}
    loaded = {name: ExpressionModel.load(path) for name, path in models.items()}
    rows: dict[str, list[ClipResult]] = {}
    for name, model in loaded.items():
        rows[name] = _judged(of_model(model), plan, clips, faces)
    others: dict[str, Predictor] = {}
    for number, folder in enumerate(plan.predictions, 1):
        taken = folder.name in loaded or folder.name in others
        others[f"{folder.name} #{number}" if taken else folder.name] = of_files(folder)
    if plan.beside:
        if loaded:
            others[RAW] = of_model(next(iter(loaded.values())), UNFINISHED)
        others[LOUDNESS] = of_loudness
    for name, predictor in others.items():
        rows[name] = _judged(predictor, plan, clips, first)
    driven = _judged(of_phones, plan, clips, first)
    if plan.beside:
        rows[PHONES] = driven
    head = next(iter(faces))
    return LipsyncReport(
        rows=rows,
        driven=driven,
        figures=[figures(name, found, driven, list(found[0].faces)) for name, found in rows.items()],
        models=tuple(loaded),
        voices=voices(next(iter(rows.values())), head),
        rest=rest_rows(of_model(next(iter(loaded.values()))), faces[head]) if loaded and plan.beside else [],
    )


def _name(path: Path | None, number: int) -> str:
    return "shipped" if path is None else f"{path.stem}" if not number else f"{path.stem} #{number + 1}"


def _judged(
    predictor: Predictor, plan: LipsyncPlan, clips: Sequence[LipsyncClip], faces: Mapping[str, JudgedFace]
) -> list[ClipResult]:
    return judge(predictor, recordings_under(plan.condition, clips), faces)


def part_of(clips: Sequence[LipsyncClip], part: str) -> list[LipsyncClip]:
    """All clips, or those for choices ("development"), or those for reporting ("report").

    Choices are made on one half of the clips of the speaker with the most of them: those whose id has an even
    CRC-32. Everything else, every other speaker among it, is only reported.
    """
    if part not in PARTS:
        raise InputError(f"there is no part {part!r}", f"Use one of {', '.join(PARTS)}")
    most = Counter(clip.speaker for clip in clips).most_common(1)[0][0]
    chosen = [
        clip
        for clip in clips
        if part == "all"
        or (clip.speaker == most and zlib.crc32(clip.id.encode()) % 2 == 0) == (part == "development")
    ]
    if not chosen:
        raise InputError(f"the manifest has no clips for {part!r}", "Use all")
    return chosen


def format_report(report: LipsyncReport, plan: LipsyncPlan) -> str:
    """All tables as plain text, the most important first."""
    clips = next(iter(report.rows.values()))
    seconds = sum(result.clip.duration for result in clips)
    blocks = [
        f"{plan.manifest.name}, {plan.part}, {plan.condition}: {len(clips)} clips, {seconds / 60:.1f} min",
        event_table(report.figures),
        voice_table(report.voices),
        curve_table(report.figures),
    ]
    own = [row for row in report.figures if row.row in report.models]
    if len(own) > 1:
        blocks.append(seed_table(own, next(iter(own[0].events))))
    if report.rest:
        blocks.append(rest_table(report.rest))
    return "\n\n".join(blocks)


def report_json(report: LipsyncReport) -> str:
    """All figures as one JSON document; null where there is none."""
    document = {
        "rows": [asdict(row) for row in report.figures],
        "voices": [asdict(row) for row in report.voices],
        "rest": [asdict(row) for row in report.rest],
    }
    return json.dumps(_without_nan(document), allow_nan=False)


def _without_nan(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, Mapping):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def write_curves(report: LipsyncReport, folder: Path) -> None:
    """Write every row's curves as `folder`/ROW/ID.npz, for other programs. Raises `OutputError`."""
    for name, results in report.rows.items():
        for result in results:
            path = folder / name / f"{result.clip.id}.npz"
            write_prediction(path, result.motion.weights, result.motion.contact)
