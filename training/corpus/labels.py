"""Xwaves label files, as Festival writes them: "end colour phone" lines after a header."""

from __future__ import annotations

from pathlib import Path

from ..symbols import Segment


def read_labels(path: Path) -> list[Segment]:
    """(start, end, phone) rows in seconds."""
    segments: list[Segment] = []
    start = 0.0
    for line in path.read_text("latin-1").splitlines():
        fields = line.split()
        if len(fields) >= 3:
            end = float(fields[0])
            segments.append((start, end, fields[2]))
            start = end
    return segments
