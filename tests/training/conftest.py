"""A tiny corpus of synthetic vowels, hisses and hums whose phone times are exact; no engine needed."""

from pathlib import Path

import numpy as np
import pytest

from training.corpus.build import DEVELOPMENT_SOURCES
from training.corpus.store import Recording, write_source
from training.expression import SOURCE_SHARES

RATE = 16000
_FORMANTS = {"a": (750, 1200), "i": (280, 2300), "u": (300, 800), "m": (250, 1000)}


def spoken(segments: list[tuple[float, float, str]], seed: int) -> np.ndarray:
    """[n] f32: buzzing formants for vowels and m, noise for s, nothing for the rest."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(int(segments[-1][1] * RATE), np.float32)
    pitch = rng.uniform(90, 220)
    for start, end, name in segments:
        span = slice(int(start * RATE), int(end * RATE))
        time = np.arange(span.start, span.stop) / RATE
        if name in _FORMANTS:
            harmonics = pitch * np.arange(1, 30)
            gains = sum(np.exp(-(((harmonics - f) / 120.0) ** 2)) for f in _FORMANTS[name]) + 0.01
            samples[span] = np.sin(2 * np.pi * time[:, None] * harmonics) @ gains
            samples[span] *= 0.3 if name == "m" else 1.0
        elif name == "s":
            samples[span] = 0.3 * np.diff(rng.standard_normal(len(time) + 1))
    return samples + 1e-4 * rng.standard_normal(len(samples)).astype(np.float32)


def sentence(seed: int) -> Recording:
    """Syllables of the known phones in random order, 0.1 s each, with silence around."""
    rng = np.random.default_rng(seed)
    consonants, vowels = rng.permutation(list("mpsfmpsff")), rng.permutation(list("aiu" * 3))
    pairs = zip(consonants, vowels, strict=True)
    names = ["sil", *(str(name) for pair in pairs for name in pair), "sil"]
    segments = [(0.1 * i, 0.1 * (i + 1), name) for i, name in enumerate(names)]
    return Recording(f"synthetic {seed}", spoken(segments, seed), segments)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number, name in enumerate((*SOURCE_SHARES, *DEVELOPMENT_SOURCES)):
        count = 20 if name in DEVELOPMENT_SOURCES else 6  # a fifth of them has enough f to be judged
        write_source(folder, name, [sentence(20 * number + i) for i in range(count)])
    return folder
