"""A corpus on disk: for each source one flat int16 array of samples and one JSON list of utterances."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.tensorfile import Array, atomic_path
from models.audio.mel import SAMPLE_RATE

from ..articulation import with_effort
from ..motion import Motion
from ..phones import CLASS_INDEX, Phones
from ..symbols import Segment

_PEAK = 0.5
_FULL_SCALE = 32767.0
_SHORTEST = 0.5  # seconds


@dataclass(frozen=True)
class Utterance:
    """One spoken sentence.

    Attributes:
        voice: which engine and voice said it, or which speaker.
        samples: [n] int16 at 16 kHz, read from disk when touched.
        phones: what is said when; empty when that is not known.
        language: as in the tags of BCP 47, where it is known.
        motion: how the face moved, where somebody recorded it.
    """

    voice: str
    samples: Array
    phones: Phones
    language: str = ""
    motion: Motion | None = None

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class Recording:
    """Speech as an engine delivers it: [n] f32 samples at 16 kHz, its phones and its language."""

    voice: str
    samples: Array
    segments: list[Segment]
    language: str = ""


def write_source(folder: Path, name: str, recordings: Iterable[Recording]) -> float:
    """Write one source's recordings, each scaled to the same peak; returns minutes of speech."""
    sounds: list[Array] = []
    rows = []
    offset = 0
    for recording in recordings:
        if len(recording.samples) < _SHORTEST * SAMPLE_RATE or not recording.segments:
            continue
        scaled = recording.samples * (_PEAK / (np.abs(recording.samples).max() + 1e-6))
        phones = with_effort(recording.segments, scaled)
        columns = zip(phones.start, phones.end, phones.names, phones.effort, strict=True)
        rows.append(
            {
                "voice": recording.voice,
                "language": recording.language,
                "offset": offset,
                "samples": len(scaled),
                "phones": [[round(a, 4), round(b, 4), name, round(e, 3)] for a, b, name, e in columns],
            }
        )
        sounds.append((scaled * _FULL_SCALE).astype(np.int16))
        offset += len(scaled)
    if not rows:
        raise InputError(f"source {name!r} gave no usable speech", "Check the packages in docs/training.md")
    with atomic_path(folder / f"{name}.npy") as path:
        np.save(path, np.concatenate(sounds))
    with atomic_path(folder / f"{name}.json") as path:
        path.write_text(json.dumps(rows))
    return offset / SAMPLE_RATE / 60.0


def is_written(folder: Path, name: str) -> bool:
    """Whether a source is there, whole: its list is written last."""
    return (folder / f"{name}.json").exists()


def read_source(folder: Path, name: str) -> list[Utterance]:
    """The utterances of one source; samples stay on disk until they are used.

    Raises:
        InputError: the source is not in the folder.
        FileFormatError: its files are damaged.
    """
    try:
        samples = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        rows = json.loads((folder / f"{name}.json").read_text())
        return [_utterance(row, samples) for row in rows]
    except OSError as error:
        raise InputError(
            f"corpus {folder} has no source {name!r}",
            "Delete the folder and train again: it is then made anew",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"corpus source {folder / name} is damaged: {error}") from error


def _utterance(row: dict[str, object], samples: Array) -> Utterance:
    offset, count, rows = row["offset"], row["samples"], row["phones"]
    assert isinstance(offset, int)
    assert isinstance(count, int)
    assert isinstance(rows, list)
    times = np.array([r[:2] for r in rows], np.float64)
    kind = np.array([CLASS_INDEX[r[2]] for r in rows], np.int64)
    effort = np.array([r[3] for r in rows], np.float64)
    phones = Phones(times[:, 0], times[:, 1], kind, effort)
    return Utterance(
        str(row["voice"]), samples[offset : offset + count], phones, str(row.get("language", ""))
    )
