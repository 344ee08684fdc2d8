"""Clips under other conditions: noise, a room, a telephone, a whisper, a higher voice, words alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, resample_poly, sosfilt

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from ..corpus.revoice import whisper
from ..phones import SILENCE, is_kind
from .lipsync import LipsyncClip
from .motions import HOP, Part, Recording, recordings_of

# Our choices, the first five as in the trial that set the goals.
_NOISE_RATIO, _NOISE_POLE, _LOUD = 12.0, 0.9, 0.02  # decibels; colour; what counts as loud
_DECAY, _WET = 0.45, 0.5  # seconds for 60 dB; energy of the tail beside the direct sound
_BAND, _COMPANDING = (300.0, 3400.0), 255.0  # hertz and mu-law of a telephone
_HIGHER = (118, 100)  # pitch, formants and speed up by 1.18
_QUIET = 10 ** (-12 / 20)
_PAUSE = 0.15  # seconds of silence between what is cut into words
_KEPT = 0.05  # seconds of that silence which words keep
_LONGEST = 2.0  # seconds: what is longer is left out, since it is no word
_BETWEEN = SAMPLE_RATE // 2
_HOUR = 3600.0

Change = Callable[[Array, np.random.Generator], Array]


def noisy(samples: Array, rng: np.random.Generator) -> Array:
    """Coloured noise 12 dB below the loud samples."""
    noise = np.asarray(lfilter([1.0], [1.0, -_NOISE_POLE], rng.standard_normal(len(samples))))
    loud = samples[np.abs(samples) > _LOUD]
    power = float(np.mean(loud**2)) if len(loud) else 0.0
    noise *= np.sqrt(power / np.mean(noise**2)) * 10 ** (-_NOISE_RATIO / 20)
    return np.asarray(samples + noise)


def reverberant(samples: Array, rng: np.random.Generator) -> Array:
    """A room of 0.45 s: noise that decays."""
    time = np.arange(int((_DECAY + 0.05) * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / _DECAY)
    tail *= _WET / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(fftconvolve(samples, tail)[: len(samples)])


def telephone(samples: Array, _rng: np.random.Generator) -> Array:
    """300 to 3400 Hz at 8 kHz in 8 bits, mu-law."""
    narrow = resample_poly(sosfilt(butter(4, _BAND, "bandpass", output="sos", fs=SAMPLE_RATE), samples), 1, 2)
    bent = np.sign(narrow) * np.log1p(_COMPANDING * np.minimum(np.abs(narrow), 1)) / np.log1p(_COMPANDING)
    coarse = np.round(bent * 127) / 127
    wide = np.sign(coarse) * np.expm1(np.abs(coarse) * np.log1p(_COMPANDING)) / _COMPANDING
    return np.asarray(resample_poly(wide, 2, 1)[: len(samples)])


def quiet(samples: Array, _rng: np.random.Generator) -> Array:
    """12 dB less."""
    return samples * _QUIET


CHANGES: Mapping[str, Change] = {
    "noise": noisy,
    "reverb": reverberant,
    "telephone": telephone,
    "quiet": quiet,
    "whisper": whisper,
}
WORD_CONDITIONS = ("words", "words-quiet", "words-joined", "words-hour")
CONDITIONS = ("clean", *CHANGES, "pitch", *WORD_CONDITIONS)


def recordings_under(condition: str, clips: Sequence[LipsyncClip]) -> Iterator[Recording]:
    """The clips as `condition` has them; clips of the words conditions are words of the clips.

    Raises:
        InputError: there is no such condition, or no words for it.
    """
    if condition == "clean":
        yield from recordings_of(clips)
    elif condition in CHANGES:
        yield from (_changed(one, CHANGES[condition]) for one in recordings_of(clips))
    elif condition == "pitch":
        yield from (_higher(one) for one in recordings_of(clips))
    elif condition in WORD_CONDITIONS:
        yield from _words_under(condition, clips)
    else:
        raise InputError(f"there is no condition {condition!r}", f"Use one of {', '.join(CONDITIONS)}")


def _changed(recording: Recording, change: Change) -> Recording:
    rng = np.random.default_rng(zlib.crc32(recording.parts[0].clip.id.encode()))
    samples = change(recording.samples.astype(np.float64), rng)
    return replace(recording, samples=np.clip(samples, -1, 1).astype(np.float32))


def _higher(recording: Recording) -> Recording:
    """Played 1.18 times as fast: pitch and formants rise, as a child's."""
    up, down = _HIGHER
    clip = recording.parts[0].clip
    faster = replace(clip, duration=clip.duration * down / up, phones=clip.phones.shifted(0.0, down / up))
    samples = resample_poly(recording.samples, down, up).astype(np.float32)
    return Recording(samples, (Part(faster),))


def _words_under(condition: str, clips: Sequence[LipsyncClip]) -> Iterator[Recording]:
    words = [word for recording in recordings_of(clips) for word in words_of(recording)]
    if not words:
        raise InputError("the manifest has no words with silence around them", "Use another condition")
    if condition == "words":
        yield from words
    elif condition == "words-quiet":
        yield from (_changed(word, quiet) for word in words)
    elif condition == "words-joined":
        yield joined(words)
    else:
        before = [one.samples for one in recordings_of(clips)]
        yield _after_an_hour(before, joined(words))


def words_of(recording: Recording) -> Iterator[Recording]:
    """What a clip says between silences, in whole frames, where that takes two seconds at most."""
    clip = recording.parts[0].clip
    spoken = clip.phones.select(~is_kind(clip.phones.kind, frozenset({SILENCE})))
    breaks = np.flatnonzero(spoken.start[1:] - spoken.end[:-1] >= _PAUSE) + 1
    for number, index in enumerate(np.split(np.arange(len(spoken)), breaks)):
        if len(index) == 0:
            continue
        word = spoken.select(index)
        first = max(0, int((word.start[0] - _KEPT) * SAMPLE_RATE / HOP))
        last = min(len(recording.samples) // HOP, int(np.ceil((word.end[-1] + _KEPT) * SAMPLE_RATE / HOP)))
        length = (last - first) * HOP / SAMPLE_RATE
        if 0 < length <= _LONGEST:
            phones = word.shifted(-first * HOP / SAMPLE_RATE)
            cut = replace(clip, id=f"{clip.id} {number}", duration=length, phones=phones)
            yield Recording(recording.samples[first * HOP : last * HOP], (Part(cut),))


def joined(recordings: Sequence[Recording]) -> Recording:
    """One sound with half a second of digital silence before each part."""
    pieces: list[Array] = []
    parts: list[Part] = []
    length = 0
    for one in recordings:
        whole = -len(one.samples) % HOP
        pieces += [np.zeros(_BETWEEN, np.float32), one.samples, np.zeros(whole, np.float32)]
        first = (length + _BETWEEN) // HOP
        parts += [Part(part.clip, first + part.first) for part in one.parts]
        length += _BETWEEN + len(one.samples) + whole
    return Recording(np.concatenate(pieces), tuple(parts))


def _after_an_hour(before: Sequence[Array], recording: Recording) -> Recording:
    """`recording` at the end of an hour of other speech, repeated until it is long enough."""
    other = np.concatenate(before)
    missing = int(max(0.0, _HOUR - len(recording.samples) / SAMPLE_RATE) * SAMPLE_RATE) // HOP * HOP
    speech = np.resize(other, missing).astype(np.float32)
    parts = tuple(Part(part.clip, part.first + missing // HOP) for part in recording.parts)
    return Recording(np.concatenate([speech, recording.samples]), parts)
