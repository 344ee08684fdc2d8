"""One format for everything that is trained on: motion clips beside their sounds.

A folder of clips is read as utterances, whether they were rendered, tracked on video, or keyed in Blender and
exported. A clip says what of it is known: its phones are known when its header lists them; its weights and
contact are known, unless its layer "known" has zeros at their places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from scipy.io import wavfile

from blender_addon.protocol.clip import (
    ClipInfo,
    MotionClip,
    expression_clip,
    frame_count,
    read_clip,
    write_clip,
)
from blender_addon.protocol.controls import MotionStyle
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.face import FACE_KEY
from blender_addon.protocol.tensorfile import Array, output_error, read_metadata
from models.audio.mel import SAMPLE_RATE
from models.expression.network import FRAME_RATE

from .articulation import contacts, spoken_weights, with_effort
from .corpus.build import summary
from .corpus.resample import to_corpus_rate
from .corpus.store import Utterance, read_source
from .motion import Motion, unknown_motion
from .phones import CLASS_INDEX, Phones, phones_of
from .pieces import slowed

KNOWN_LAYER = "known"
_FULL_SCALE = 32768.0
_SHORTEST = 0.5  # seconds


@dataclass(frozen=True)
class ClipSound:
    """The part of a sound that a clip covers: see `ClipInfo`."""

    path: Path
    offset: float
    duration: float
    speed: float


SoundReader = Callable[[ClipSound], Array]  # -> [n] f32 at 16 kHz


def read_dataset(folder: Path, read_sound: SoundReader | None = None) -> list[Utterance]:
    """Every clip in `folder` and the folders in it, as utterances with their motion.

    Args:
        folder: clips and, as their headers say, the sounds.
        read_sound: decodes a clip's sound; by default .wav, .flac, .ogg and .mp3 can be read.

    Raises:
        InputError: there are no clips, or a clip's sound is missing.
        FileFormatError: a clip is damaged, has unknown phones or differs in length from its sound.
    """
    paths = clip_paths(folder)
    if not paths:
        raise InputError(
            f"{folder} has no motion clips", "Give a folder of .safetensors clips and their sounds"
        )
    return [_utterance(path, read_sound or sound_of) for path in paths]


def clip_paths(folder: Path) -> list[Path]:
    """Every clip in `folder` and the folders in it, without the heads of tracked people beside them."""
    return [path for path in sorted(folder.rglob("*.safetensors")) if FACE_KEY not in read_metadata(path)]


def sound_of(sound: ClipSound) -> Array:
    """[n] f32 at 16 kHz, the channels' mean."""
    try:
        with soundfile.SoundFile(sound.path) as file:
            file.seek(min(file.frames, round(sound.offset * file.samplerate)))
            count = round(sound.duration * file.samplerate) if sound.duration else -1
            samples = file.read(count, dtype="float32", always_2d=True).mean(1)
            return slowed(to_corpus_rate(samples, file.samplerate), 1.0 / sound.speed)
    except (OSError, soundfile.SoundFileError) as error:
        raise InputError(
            f"the sound {sound.path} cannot be read: {error}", "Put it where its clip says"
        ) from error


def _utterance(path: Path, read_sound: SoundReader) -> Utterance:
    clip = read_clip(path)
    info = clip.info
    if not info.audio_path:
        raise InputError(f"the clip {path} names no sound", "Export it with its sound")
    sound = ClipSound(path.parent / info.audio_path, info.audio_offset, info.audio_duration, info.audio_speed)
    samples = read_sound(sound)
    seconds = len(samples) / SAMPLE_RATE
    if seconds < _SHORTEST or abs(seconds - clip.duration) > 2.0 / info.fps + 0.05:
        raise FileFormatError(
            f"the clip {path} has {clip.duration:.2f} s of motion for {seconds:.2f} s of sound",
            "Export it again with its sound",
        )
    stored = np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return Utterance(path.stem, stored, _phones(path, info, samples), motion=_motion(clip))


def _phones(path: Path, info: ClipInfo, samples: Array) -> Phones:
    unknown = {symbol for *_, symbol in info.phonemes} - set(CLASS_INDEX)
    if unknown:
        raise FileFormatError(
            f"the clip {path} has phonemes that training does not know: {', '.join(sorted(unknown))}",
            f"Use those of training/phones.py: {' '.join(CLASS_INDEX)}",
        )
    return with_effort(list(info.phonemes), samples) if info.phonemes else phones_of([])


def _motion(clip: MotionClip) -> Motion | None:
    """The clip's motion at 50 frames per second; None when nothing of it is known."""
    masks = clip.layers.get(KNOWN_LAYER, {})
    everything = unknown_motion(clip.frames)
    own = Motion(
        weights=clip.weights,
        contact=clip.contact,
        knows_weights=masks["weights"] > 0.5 if "weights" in masks else ~everything.knows_weights,
        knows_contact=masks["contact"] > 0.5 if "contact" in masks else ~everything.knows_contact,
    )
    if not (own.knows_weights.any() or own.knows_contact.any()):
        return None
    times = np.arange(frame_count(clip.duration, FRAME_RATE)) / FRAME_RATE
    return own.at(times, clip.info.fps)


def write_dataset(folder: Path, name: str, utterances: Iterable[Utterance]) -> int:
    """Write utterances as clips in `folder/name` with one sound, `folder/name.wav`; returns how many.

    Where no motion was recorded, the clip holds what the phones ask of an average speaker, as not known.

    Raises:
        OutputError: something cannot be written.
    """
    sounds, offset, count = [], 0, 0
    try:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for utterance in utterances:
            info = ClipInfo(
                fps=float(FRAME_RATE),
                audio_path=f"../{name}.wav",
                audio_offset=offset / SAMPLE_RATE,
                audio_duration=utterance.duration,
                phonemes=_rows(utterance.phones),
            )
            write_clip(folder / name / f"{count:06d}.safetensors", _clip(info, utterance))
            sounds.append(np.asarray(utterance.samples))
            offset, count = offset + len(utterance.samples), count + 1
        wavfile.write(folder / f"{name}.wav", SAMPLE_RATE, np.concatenate(sounds))
    except OSError as error:
        raise output_error(folder, error) from error
    return count


def write_corpus_clips(folder: Path, corpus: Path) -> int:
    """Write every source of a rendered corpus as clips; returns how many."""
    return sum(write_dataset(folder, one.name, read_source(corpus, one.name)) for one in summary(corpus))


def _rows(phones: Phones) -> tuple[tuple[float, float, str], ...]:
    return tuple(zip(phones.start.tolist(), phones.end.tolist(), phones.names, strict=True))


def _clip(info: ClipInfo, utterance: Utterance) -> MotionClip:
    frames = frame_count(utterance.duration, FRAME_RATE)
    times, motion = np.arange(frames) / FRAME_RATE, utterance.motion
    if motion is None:
        known = unknown_motion(frames)
        weights = spoken_weights(utterance.phones, times, MotionStyle())
        contact = contacts(utterance.phones, times)
    else:
        known = motion.at(times)
        weights, contact = known.weights, known.contact
    clip = expression_clip(info, weights, contact)
    masks = {"weights": known.knows_weights, "contact": known.knows_contact}
    layer = {tensor: mask.astype(np.float32) for tensor, mask in masks.items()}
    return replace(clip, layers={KNOWN_LAYER: layer})
