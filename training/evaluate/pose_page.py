"""A page of one evaluation of head motion: tables, spectra, and traces of pieces of each voice."""

from __future__ import annotations

import html
from pathlib import Path

from blender_addon.protocol.tensorfile import atomic_path, output_error
from models.audio.mel import SAMPLE_RATE

from .page import STYLE
from .pose import CODEBOOK, REFERENCE, PoseReport
from .pose_figure import draw_spectra, draw_traces
from .pose_measures import RATE
from .pose_tables import format_pose

_SHOWN = 20.0  # seconds of a piece
_TAKES = 3


def write_pose_page(report: PoseReport, folder: Path) -> Path:
    """Write `folder`/index.html and its pictures; returns the page's path.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    draw_spectra(folder / "spectra.png", {name: row.spectrum for name, row in report.rows.items()})
    sections = ['<h2>Spectra</h2><div><img src="spectra.png" alt="Spectra of all rows"></div>']
    heard: set[str] = set()
    for piece in report.sound.pieces:
        if piece.voice not in heard:
            heard.add(piece.voice)
            sections.append(_traces(report, piece.voice, piece.first, folder / f"{len(heard):02d}.png"))
    tables = html.escape(format_pose(report))
    page = f"<!doctype html><meta charset=utf-8><title>Head motion</title><style>{STYLE}</style>"
    page += f"<h1>Head motion</h1><pre>{tables}</pre>{''.join(sections)}"
    with atomic_path(folder / "index.html") as temporary:
        temporary.write_text(page, "utf-8")
    return folder / "index.html"


def _traces(report: PoseReport, voice: str, first: int, path: Path) -> str:
    """The first seconds of a piece: one take of the reference, some of the codebook, one of the others."""
    last = min(first + round(_SHOWN * RATE), report.sound.frames)
    counts = {name: _TAKES if name == CODEBOOK else 1 for name in report.takes}
    chosen = [REFERENCE, *(name for name in report.takes if name != REFERENCE)]
    motions = {name: list(report.takes[name].motions[: counts[name], first:last]) for name in chosen}
    step = SAMPLE_RATE / RATE
    draw_traces(path, report.sound.samples[round(first * step) : round(last * step)], motions)
    title = html.escape(voice)
    return f'<h2>{title}</h2><div><img src="{path.name}" alt="Head motion of {title}"></div>'
