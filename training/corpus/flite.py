"""flite: small English voices built from recorded speakers, with exact phone ends."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from blender_addon.protocol.errors import InputError
from models.audio.mel import SAMPLE_RATE

from ..symbols import Segment, to_classes
from .store import Recording
from .texts import sentences
from .wavefile import read_wave

# voice -> (share, usual pitch in hertz)
VOICES: dict[str, tuple[float, float]] = {
    "kal16": (0.5, 105.0),
    "awb": (1.2, 125.0),
    "rms": (1.2, 110.0),
    "slt": (1.2, 180.0),
}
_TIMEOUT = 60.0
_TOLERANCE = 0.08  # seconds between the last phone's end and the sound's end


def recordings(minutes: float, seed: int) -> Iterator[Recording]:
    """About `minutes` of English with random tempo and pitch."""
    rng, texts = random.Random(seed), sentences("en")
    left = minutes * 60.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        while left > 0:
            voice = rng.choices(list(VOICES), [share for share, _ in VOICES.values()])[0]
            segments = _say(rng.choice(texts), voice, rng, path)
            samples = read_wave(path)
            if segments and abs(segments[-1][1] - len(samples) / SAMPLE_RATE) <= _TOLERANCE:
                left -= len(samples) / SAMPLE_RATE
                yield Recording(f"flite {voice}", samples, to_classes(segments, "arpa"), "en")


def _say(text: str, voice: str, rng: random.Random, path: Path) -> list[Segment]:
    pitch = VOICES[voice][1] * rng.uniform(0.75, 1.4)
    command = ["flite", "-voice", voice, "-psdur", "-t", text]
    command += ["--setf", f"duration_stretch={rng.uniform(0.75, 1.25):.2f}"]
    command += ["--setf", f"int_f0_target_mean={pitch:.0f}", str(path)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True)
    except FileNotFoundError as error:
        raise InputError("flite is not installed", "Install the package flite") from error
    return _parse(run.stdout)


def _parse(text: str) -> list[Segment]:
    """ "pau:0.2 hh:0.3" -> (start, end, phone) rows."""
    segments: list[Segment] = []
    start = 0.0
    for token in text.split():
        phone, colon, end = token.rpartition(":")
        if not colon or not end.replace(".", "", 1).isdigit():
            continue
        segments.append((start, float(end), phone))
        start = float(end)
    return segments
