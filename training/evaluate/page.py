"""A page of one evaluation: tables first, then pictures of the worst clips and of some others."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from blender_addon.protocol.tensorfile import Array, atomic_path, output_error

from .conditions import recordings_under
from .figure import draw_clip
from .judge import ClipResult
from .lipsync import read_manifest
from .motions import HOP
from .report import LipsyncPlan, LipsyncReport, format_report, part_of

_WORST, _OTHERS, _SEED = 10, 10, 0
STYLE = """body{font:15px/1.5 sans-serif;margin:2em auto;max-width:1500px;color:#222;padding:0 1em}
pre{font:12.5px/1.45 monospace;background:#f5f5f5;padding:1em;overflow-x:auto}
div{overflow-x:auto}i{font-style:normal;padding:0 .4em}"""
_LEGEND = """Shaded: p, b, m that the lips meet in time <i style="background:#d5ecd5">green</i>, missed ones
<i style="background:#f6d4d4">red</i>, closures that nothing asks for
<i style="background:#ffe0bd">orange</i>. Grey lines: what the true phones would do."""


def write_page(report: LipsyncReport, plan: LipsyncPlan, folder: Path) -> Path:
    """Write `folder`/index.html and its pictures, of the first row; returns the page's path.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    row, results = next(iter(report.rows.items()))
    face = next(iter(results[0].faces))
    worst, others = _chosen(results, face)
    driven = {result.clip.id: result for result in report.driven}
    sounds = _sounds(plan, {result.clip.id for result in worst + others})
    sections = []
    for title, chosen in (("Worst clips", worst), ("Other clips", others)):
        sections.append(f"<h2>{title}: {html.escape(row)}, {html.escape(face)}</h2><p>{_LEGEND}</p>")
        for result in chosen:
            identity = result.clip.id
            name = f"{len(sections):03d}.png"
            draw_clip(folder / name, sounds[identity], result, driven[identity], face)
            sections.append(_figure(name, result, face))
    tables = html.escape(format_report(report, plan))
    page = f"<!doctype html><meta charset=utf-8><title>Lips and speech</title><style>{STYLE}</style>"
    page += f"<h1>Lips and speech</h1><pre>{tables}</pre>{''.join(sections)}"
    with atomic_path(folder / "index.html") as temporary:
        temporary.write_text(page, "utf-8")
    return folder / "index.html"


def _chosen(results: Sequence[ClipResult], face: str) -> tuple[list[ClipResult], list[ClipResult]]:
    """The clips with the most misses and false closures, and some of the others at random."""
    ordered = sorted(results, key=lambda result: -sum(_mistakes(result, face)))
    worst, rest = ordered[:_WORST], ordered[_WORST:]
    picked = np.random.default_rng(_SEED).permutation(len(rest))[:_OTHERS]
    return worst, [rest[i] for i in sorted(picked)]


def _mistakes(result: ClipResult, face: str) -> tuple[int, int]:
    """Closures missed, and false ones."""
    matched = result.faces[face].strict
    return int((matched.hit < 0).sum()), int(matched.false.sum())


def _figure(name: str, result: ClipResult, face: str) -> str:
    missed, false = _mistakes(result, face)
    number = len(result.faces[face].strict.closures)
    title = f"{result.clip.id} ({result.clip.speaker}): {missed} of {number} missed, {false} false"
    return f'<h3>{html.escape(title)}</h3><div><img src="{name}" alt="{html.escape(title)}"></div>'


def _sounds(plan: LipsyncPlan, wanted: set[str]) -> dict[str, Array]:
    """The samples of some clips, as the plan's condition has them."""
    clips = part_of(read_manifest(plan.manifest), plan.part)
    return {
        part.clip.id: recording.samples[part.first * HOP :][: part.frames * HOP]
        for recording in recordings_under(plan.condition, clips)
        for part in recording.parts
        if part.clip.id in wanted
    }
