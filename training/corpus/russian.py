"""festvox-ru: 620 sentences that a person read, labelled by hand; the only real recording we train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from blender_addon.protocol.errors import InputError

from ..symbols import to_classes
from .labels import read_labels
from .store import Recording
from .wavefile import read_wave

FOLDER = Path("/usr/share/festival/voices/russian/msu_ru_nsh_clunits")
_CYCLE = 12
_TEST, _DEVELOPMENT = 0, 6  # every 12th sentence from the first is for tests only: never used here


def training_recordings() -> Iterator[Recording]:
    """The ten twelfths that are trained on."""
    held_out = (_TEST, _DEVELOPMENT)
    return (_read(path) for i, path in enumerate(_sounds()) if i % _CYCLE not in held_out)


def development_recordings() -> Iterator[Recording]:
    """The twelfth that checkpoints are compared with."""
    return (_read(path) for i, path in enumerate(_sounds()) if i % _CYCLE == _DEVELOPMENT)


def _sounds() -> list[Path]:
    paths = sorted((FOLDER / "wav").glob("*.wav"))
    if not paths:
        raise InputError(f"no recordings in {FOLDER}", "Install the package festvox-ru")
    return paths


def _read(path: Path) -> Recording:
    labels = read_labels(FOLDER / "lab" / f"{path.stem}.lab")
    return Recording("festvox-ru nsh", read_wave(path), to_classes(labels, "ru"), "ru")
