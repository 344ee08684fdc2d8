"""RHVoice: statistical voices built from recorded speakers. It gives no times: they are aligned."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array

from .align import Listener
from .aligned import aligned_speech
from .store import Recording
from .wavefile import read_wave


@dataclass(frozen=True)
class Voice:
    """An RHVoice voice: its name, espeak-ng's for the same language, its language, package and share."""

    name: str
    espeak: str
    language: str
    package: str
    share: float


# Those under the LGPL only; the package's other voices forbid commercial use or changes.
VOICES: tuple[Voice, ...] = (
    Voice("alan", "en", "en", "rhvoice-english", 1.5),
    Voice("bdl", "en-us", "en", "rhvoice-english", 1.5),
    Voice("clb", "en-us", "en", "rhvoice-english", 1.5),
    Voice("aleksandr", "ru", "ru", "rhvoice-russian", 1.0),
    Voice("anna", "ru", "ru", "rhvoice-russian", 1.0),
    Voice("elena", "ru", "ru", "rhvoice-russian", 1.0),
    Voice("irina", "ru", "ru", "rhvoice-russian", 1.0),
    Voice("anatol", "uk", "uk", "rhvoice-ukrainian", 1.0),
    Voice("natalia", "uk", "uk", "rhvoice-ukrainian", 1.0),
    Voice("spomenka", "eo", "eo", "rhvoice-esperanto", 1.0),
)
_FOLDER = Path("/usr/share/RHVoice/voices")
_PITCH, _RATE = (80, 125), (75, 130)  # per cent of the voice's own
_TIMEOUT = 60.0


def recordings(minutes: float, seed: int, listen: Listener) -> Iterator[Recording]:
    """About `minutes` of speech, divided among the voices; badly aligned sentences are left out."""
    return aligned_speech("rhvoice", VOICES, _say, listen, minutes, seed)


def is_installed(voice: Voice) -> bool:
    """Whether the voice's package is there."""
    return (_FOLDER / voice.name).exists()


def _say(voice: Voice, text: str, rng: random.Random, path: Path) -> Array:
    """[n] f32 samples of `text` at a random pitch and rate."""
    command = ["RHVoice-test", "-p", voice.name, "-o", str(path)]
    command += ["-t", str(rng.randint(*_PITCH)), "-r", str(rng.randint(*_RATE))]
    try:
        subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT, check=True)
    except FileNotFoundError as error:
        raise InputError("RHVoice-test is not installed", "Install the package rhvoice") from error
    return read_wave(path)
