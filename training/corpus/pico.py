"""SVOX Pico: voices built from recorded speakers in five languages. It gives no times: they are aligned."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from .align import Listener
from .aligned import aligned_recording
from .espeak import Espeak
from .store import Recording
from .texts import sentences
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
    engine, rng = Espeak(), random.Random(seed)
    texts = {voice.language: sentences(voice.language) for voice in VOICES}
    left = minutes * 60.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        while left > 0:
            voice = rng.choices(VOICES, [v.share for v in VOICES])[0]
            text = rng.choice(texts[voice.language])
            samples = _say(voice, text, rng, path)
            words = engine.spell(text, voice.espeak)
            recording = aligned_recording(f"pico {voice.name}", samples, words, listen)
            if recording is not None:
                left -= len(recording.samples) / SAMPLE_RATE
                yield replace(recording, language=voice.language)


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
