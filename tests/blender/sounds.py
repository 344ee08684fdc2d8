"""Sound files for tests, inside Blender and outside."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np


def write_sound(path: Path, seconds: float) -> Path:
    """A 16 kHz mono WAV of a tone at `path`."""
    tone = (8000 * np.sin(np.arange(round(16000 * seconds)) * 0.1)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(tone.tobytes())
    return path
