"""Writes the test sets, one manifest per language with its sounds, and the source of recorded voices."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.tensorfile import Array, atomic_path, output_error
from models.audio.mel import SAMPLE_RATE

from ..corpus.store import Recording, write_source
from ..phones import BILABIAL
from .align import AGREEMENT, Aligner, Piece
from .sound import read_recording
from .sources import VOICES, Spoken

ALIGNED_BY = (
    f"pocketsphinx en-us, where a warp to espeak-ng agrees within {AGREEMENT * 1000:.0f} ms on p, b, m"
)

RECORDED = "recorded"  # the source's name


@dataclass(frozen=True)
class Built:
    """What became of one language's recordings; counts of recordings, then of pieces between pauses."""

    language: str
    recordings: int
    unreadable: int
    not_aligned: int
    doubtful: int
    kept: int
    bilabials: int


def build(
    language: str, recordings: Iterable[Spoken], folder: Path, tick: Callable[[], None] = lambda: None
) -> Built:
    """Write `folder`/LANGUAGE.jsonl (sure) and LANGUAGE-doubtful.jsonl (left out), and their sounds.

    Raises:
        OutputError: the folder cannot be written.
    """
    aligner, counts = Aligner(), Counter[str]()
    rows: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    try:
        (folder / "audio").mkdir(parents=True, exist_ok=True)
        for spoken in recordings:
            tick()
            counts["recordings"] += 1
            try:
                samples = read_recording(spoken.path)
            except FileFormatError:
                counts["unreadable"] += 1
                continue
            pieces = aligner.align(samples, spoken.text, VOICES[spoken.language])
            counts["not_aligned"] += not pieces
            for number, piece in enumerate(pieces):
                rows[piece.sure].append(_write(folder, spoken, number, piece, samples))
        _write_rows(folder / f"{language}.jsonl", rows[True])
        _write_rows(folder / f"{language}-doubtful.jsonl", rows[False])
    except OSError as error:
        raise output_error(folder, error) from error
    bilabials = sum(phone[2] in BILABIAL for row in rows[True] for phone in row["phones"])
    return Built(
        language,
        recordings=counts["recordings"],
        unreadable=counts["unreadable"],
        not_aligned=counts["not_aligned"],
        doubtful=len(rows[False]),
        kept=len(rows[True]),
        bilabials=bilabials,
    )


def write_taught(recordings: Iterable[Spoken], corpus: Path) -> float:
    """Add the pieces on whose phones both aligners agree to a corpus, as its source `recorded`; minutes.

    Raises:
        InputError: there is none.
        OutputError: the corpus cannot be written.
    """
    try:
        return write_source(corpus, RECORDED, _taught_pieces(recordings))
    except OSError as error:
        raise output_error(corpus, error) from error


def _taught_pieces(recordings: Iterable[Spoken]) -> Iterator[Recording]:
    aligner = Aligner()
    for spoken in recordings:
        try:
            samples = read_recording(spoken.path)
        except FileFormatError:
            continue
        for piece in aligner.align(samples, spoken.text, VOICES[spoken.language]):
            if piece.sure:
                part = samples[int(piece.start * SAMPLE_RATE) : int(piece.end * SAMPLE_RATE)]
                yield Recording(spoken.speaker, part, piece.segments, spoken.language)


def chosen(recordings: list[Spoken], limit: int) -> list[Spoken]:
    """At most `limit` of each source's recordings, always the same ones."""
    result = []
    for source in sorted({item.source for item in recordings}):
        members = [item for item in recordings if item.source == source]
        result += members if len(members) <= limit else random.Random(source).sample(members, limit)
    return result


def _write(folder: Path, spoken: Spoken, number: int, piece: Piece, samples: Array) -> dict[str, Any]:
    name = f"{spoken.id}-{number}"
    part = samples[int(piece.start * SAMPLE_RATE) : int(piece.end * SAMPLE_RATE)]
    with atomic_path(folder / "audio" / f"{name}.flac") as path:
        soundfile.write(path, part, SAMPLE_RATE, format="FLAC")
    return {
        "id": name,
        "wav": f"audio/{name}.flac",
        "lang": spoken.language,
        "spk": spoken.speaker,
        "set": spoken.source,
        "dur": len(part) / SAMPLE_RATE,
        "text": spoken.text,
        "system": "classes",
        "aligned": ALIGNED_BY,
        "apart": round(piece.disagreement, 3),
        "phones": [[round(a, 3), round(b, 3), phone] for a, b, phone in piece.segments],
    }


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in sorted(rows, key=lambda row: row["id"])]
    with atomic_path(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), "utf-8")
