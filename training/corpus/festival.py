"""Festival: voices built from recorded speakers; segments are exact because they drive the synthesis."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blender_addon.protocol.errors import InputError
from models.audio.mel import SAMPLE_RATE

from ..symbols import to_classes
from .labels import read_labels
from .store import Recording
from .texts import sentences
from .wavefile import read_wave


@dataclass(frozen=True)
class Voice:
    """A Festival voice: its language, phone set, text encoding and share of the minutes."""

    name: str
    language: str
    system: str
    encoding: str
    share: float


TRAINING_VOICES: tuple[Voice, ...] = (
    Voice("kal_diphone", "en", "arpa", "ascii", 1.0),
    Voice("ked_diphone", "en", "arpa", "ascii", 1.6),
    Voice("cmu_us_slt_arctic_hts", "en", "arpa", "ascii", 1.0),
)
# Under the GPL: heard when checkpoints are compared, never trained on.
DEVELOPMENT_VOICES: tuple[Voice, ...] = (
    Voice("czech_dita", "cs", "sampa", "iso-8859-2", 1.0),
    Voice("czech_krb", "cs", "sampa", "iso-8859-2", 1.0),
    Voice("czech_machac", "cs", "sampa", "iso-8859-2", 1.0),
    Voice("czech_ph", "cs", "sampa", "iso-8859-2", 1.0),
)
_BATCH = 40
_USUAL_SENTENCE = 3.5  # seconds
_TIMEOUT = 180.0
_TOLERANCE = 0.15  # seconds between the last label and the sound's end


def recordings(voices: tuple[Voice, ...], minutes: float, seed: int) -> Iterator[Recording]:
    """About `minutes` of speech, divided among `voices` by their shares."""
    rng, total = random.Random(seed), sum(voice.share for voice in voices)
    for voice in voices:
        left = minutes * 60.0 * voice.share / total
        texts = sentences(voice.language)
        while left > 0:
            count = min(_BATCH, int(left / _USUAL_SENTENCE) + 1)
            batch = list(_say(voice, rng.choices(texts, k=count), rng))
            if not batch:
                raise InputError(
                    f"Festival's voice {voice.name} gave no speech",
                    "Install the packages in docs/training.md",
                )
            for recording in batch:
                left -= len(recording.samples) / SAMPLE_RATE
                yield recording


def _say(voice: Voice, texts: list[str], rng: random.Random) -> Iterator[Recording]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "say.scm"
        script.write_bytes(_script(voice, texts, rng, folder).encode(voice.encoding, "ignore"))
        try:
            subprocess.run(["festival", "-b", script], capture_output=True, timeout=_TIMEOUT, check=False)
        except FileNotFoundError as error:
            raise InputError("festival is not installed", "Install the package festival") from error
        for index in range(len(texts)):
            recording = _read(voice, folder / f"{index}.wav", folder / f"{index}.lab")
            if recording is not None:
                yield recording


def _script(voice: Voice, texts: list[str], rng: random.Random, folder: Path) -> str:
    lines = [f"(voice_{voice.name})"]
    for index, text in enumerate(texts):
        said = text.replace('"', "").replace("\\", "").replace("\u2019", "'")
        lines.append(f"(Parameter.set 'Duration_Stretch {rng.uniform(0.8, 1.2):.2f})")
        lines.append(
            f'(unwind-protect (begin (set! u (SynthText "{said}")) (utt.save.segs u "{folder}/{index}.lab")'
            f' (utt.save.wave u "{folder}/{index}.wav" \'riff)) nil)'
        )
    return "\n".join(lines)


def _read(voice: Voice, sound: Path, labels: Path) -> Recording | None:
    """None for a sentence that Festival could not say, which happens with odd words."""
    if not sound.exists() or not labels.exists():
        return None
    samples, segments = read_wave(sound), read_labels(labels)
    if not segments or abs(segments[-1][1] - len(samples) / SAMPLE_RATE) > _TOLERANCE:
        return None
    return Recording(f"festival {voice.name}", samples, to_classes(segments, voice.system), voice.language)
