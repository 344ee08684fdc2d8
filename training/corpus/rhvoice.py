"""RHVoice: statistical voices built from recorded speakers. It gives no times: they are aligned."""

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
            recording = aligned_recording(f"rhvoice {voice.name}", samples, words, listen)
            if recording is not None:
                left -= len(recording.samples) / SAMPLE_RATE
                yield replace(recording, language=voice.language)


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
