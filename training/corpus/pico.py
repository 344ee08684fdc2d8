"""SVOX Pico: voices built from recorded speakers in five languages. It gives no times: they are aligned."""

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
    """A Pico voice: its name, espeak-ng's for the same language, the texts' language, share of minutes."""

    name: str
    espeak: str
    language: str
    share: float


VOICES: tuple[Voice, ...] = (
    Voice("en-US", "en-us", "en", 1.5),
    Voice("en-GB", "en", "en", 1.5),
    Voice("de-DE", "de", "de", 1.0),
    Voice("es-ES", "es", "es", 1.0),
    Voice("fr-FR", "fr", "fr", 1.0),
    Voice("it-IT", "it", "it", 1.0),
)
_PITCH, _SPEED = (75, 130), (75, 130)  # per cent of the voice's own
_TIMEOUT = 60.0


def recordings(minutes: float, seed: int, listen: Listener) -> Iterator[Recording]:
    """About `minutes` of speech, divided among the voices; badly aligned sentences are left out."""
    return aligned_speech("pico", VOICES, _say, listen, minutes, seed)


def _say(voice: Voice, text: str, rng: random.Random, path: Path) -> Array:
    """[n] f32 samples of `text` at a random pitch and speed."""
    pitch, speed = rng.randint(*_PITCH), rng.randint(*_SPEED)
    marked = f"<pitch level='{pitch}'><speed level='{speed}'>{text}</speed></pitch>"
    command = ["pico2wave", "-l", voice.name, "-w", str(path), marked]
    try:
        subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=True)
    except FileNotFoundError as error:
        raise InputError("pico2wave is not installed", "Install the package libttspico-utils") from error
    return read_wave(path)
