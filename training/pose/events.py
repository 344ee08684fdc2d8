"""What in a sound a speaker's head may follow: phrases, pauses, turns, accents, pitch and loudness."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from blender_addon.protocol.clip import frame_count
from blender_addon.protocol.tensorfile import Array
from models.expression.prosody import SAMPLE_RATE, Prosody, prosody_of

from ..articulation import class_at
from ..phones import CLASS_INDEX, SILENCE, Phones

POSE_RATE = 25
_PROSODY_RATE = 50
_HOP = SAMPLE_RATE // _PROSODY_RATE
Generator = np.random.Generator

# Shorter silences are closures and hesitations inside a phrase: "brief" pauses last up to 0.2 s (Campione and
# Véronis 2002, "A large-scale multilingual study of silent pause duration").
_PAUSE = 0.2
TURN_PAUSE = 1.0  # seconds; "long" pauses of Campione and Véronis: what follows opens a turn
_SHORTEST_PHRASE = 0.25  # seconds; our choice
# What is speech without known phones: near the loud parts and well above the room; decibels, our choice.
_LOUD_PERCENTILE, _RANGE_DB, _FLOOR_DB = 97.0, 32.0, -66.0
_ROOM_PERCENTILE, _ABOVE_ROOM_DB, _LOUD_RANGE_DB = 8.0, 9.0, 20.0
# Prominence as of the brows (`training.other`): semitones and decibels above the surroundings that count as
# one, and the share of pitch, our choice.
_PITCH_SCALE, _LOUDNESS_SCALE, _PITCH_SHARE = 2.5, 5.0, 0.6
_LEAST_PROMINENCE = 0.25  # our choice: gives 1.4 accents per second of the corpus' voices
_ACCENT_DISTANCE = 0.24  # seconds: a foot is hardly shorter; our choice
_SMOOTH = 2.0  # frames at 50 per second, of the prominence before its peaks are sought; our choice
_VOWEL_REACH = 0.12  # seconds to the vowel that an accent belongs to; our choice
_VOWELS = frozenset(["a", "A", "ae", "O", "V", "E", "e", "@", "I", "i", "3", "o", "u", "U", "y", "2", "1"])

# Made-up speech. Phrases and pauses are log-normal as Campione and Véronis found of pauses; medians (seconds)
# and deviations of the logarithm are our choice, with about half of the time silent as in dialogue.
_PHRASE, _SILENCE_WITHIN = (1.6, 0.5), (0.45, 0.5)
_PHRASES_OF_TURN = (1, 6)
LISTENING = (1.2, 7.0)  # seconds between two turns of one speaker; our choice
_ACCENT_GAP = (0.62, 0.4)  # seconds and deviation of the logarithm, as measured on the corpus' voices
_STRENGTH = (0.5, 0.38)  # median and deviation of the logarithm, as measured on the corpus' voices


@dataclass(frozen=True)
class SpeechEvents:
    """One speaker's speech over T frames at `POSE_RATE`; frame i is at i / 25 s.

    Attributes:
        frames: T.
        accents: [n] f64 seconds of prominent syllables; strength: [n] f64 0.25 to 2.5, half of them below
            0.5.
        phrases: [m, 2] f64 seconds where stretches of speech start and end, at least 0.2 s apart.
        pitch: [T] f64 semitones, loudness: [T] f64 decibels above the surroundings, 0 outside speech.
    """

    frames: int
    accents: Array
    strength: Array
    phrases: Array
    pitch: Array
    loudness: Array

    @property
    def turns(self) -> Array:
        """[m] bool: phrases that follow silence of at least `TURN_PAUSE`."""
        before = self.phrases[:, 0] - np.concatenate([[-np.inf], self.phrases[:-1, 1]])
        return np.asarray(before >= TURN_PAUSE)

    def speech(self, rate: float = POSE_RATE) -> Array:
        """[T * rate / 25] f64, 1 within phrases, 0 elsewhere."""
        times = np.arange(round(self.frames * rate / POSE_RATE)) / rate
        inside = (times >= self.phrases[:, :1]) & (times < self.phrases[:, 1:])
        return np.asarray(inside.any(0), np.float64)


def speech_events(samples: Array, phones: Phones | None = None) -> SpeechEvents:
    """The events of clean mono `samples` [n] f32 at 16 kHz; T = ceil(25 n / 16000).

    Args:
        samples: one speaker; others are to be silent, noise far below.
        phones: what is said when, if it is known. Phrases then are theirs, and accents stand on vowels.
    """
    frames = frame_count(len(samples) / SAMPLE_RATE, POSE_RATE)
    padded = np.pad(np.asarray(samples, np.float32), (0, -len(samples) % _HOP + 2 * _HOP))
    speaking = _loud(padded) if phones is None else _spoken(phones, len(padded) // _HOP)
    phrases = _phrases(speaking)
    prosody = prosody_of(padded, speaking)
    accents, strength = _accents(prosody)
    if phones is not None:
        accents = _on_vowels(accents, phones)
    pitch, loudness = _every_other(prosody.pitch)[:frames], _every_other(prosody.loudness)[:frames]
    return SpeechEvents(frames, accents, strength, phrases, pitch, loudness)


def _every_other(values: Array) -> Array:
    """From 50 to 25 per second."""
    smooth: Array = gaussian_filter1d(values.astype(np.float64), 1.0)
    return smooth[:: _PROSODY_RATE // POSE_RATE]


def _loud(samples: Array) -> Array:
    """[F] f64 1 where the sound is near the level of its loud parts, and above that of its quiet ones."""
    blocks = samples[: len(samples) // _HOP * _HOP].reshape(-1, _HOP).astype(np.float64)
    decibel = 10.0 * np.log10(np.square(blocks).mean(1) + 1e-10)
    room, loud = np.percentile(decibel, (_ROOM_PERCENTILE, _LOUD_PERCENTILE))
    least = max(loud - _RANGE_DB, min(room + _ABOVE_ROOM_DB, loud - _LOUD_RANGE_DB), _FLOOR_DB)
    return np.asarray(decibel > least, np.float64)


def _spoken(phones: Phones, frames: int) -> Array:
    kind = class_at(phones, np.arange(frames) / _PROSODY_RATE)
    return np.asarray(kind != CLASS_INDEX[SILENCE], np.float64)


def _phrases(speaking: Array) -> Array:
    """[F] -> [m, 2] seconds, joined over short gaps."""
    edges = np.flatnonzero(np.diff(np.pad(speaking > 0.5, 1).astype(int)))
    runs = edges.reshape(-1, 2) / _PROSODY_RATE
    joined: list[list[float]] = []
    for start, end in runs:
        if joined and start - joined[-1][1] < _PAUSE:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return np.array([run for run in joined if run[1] - run[0] >= _SHORTEST_PHRASE]).reshape(-1, 2)


def _accents(prosody: Prosody) -> tuple[Array, Array]:
    """Peaks of prominence: seconds [n] and strength [n]."""
    prominence = _PITCH_SHARE * np.clip(prosody.pitch / _PITCH_SCALE, -1.0, 2.5)
    prominence = prominence + (1.0 - _PITCH_SHARE) * np.clip(prosody.loudness / _LOUDNESS_SCALE, -1.0, 2.5)
    prominence = gaussian_filter1d(prominence.astype(np.float64), _SMOOTH) * prosody.speech
    distance = round(_ACCENT_DISTANCE * _PROSODY_RATE)
    peaks, found = find_peaks(prominence, height=_LEAST_PROMINENCE, distance=distance)
    return peaks / _PROSODY_RATE, np.clip(found["peak_heights"], 0.0, 2.5)


def _on_vowels(accents: Array, phones: Phones) -> Array:
    """The accents [n], each at the middle of its nearest vowel if one is near."""
    vowel = np.isin(phones.kind, [CLASS_INDEX[name] for name in _VOWELS])
    centres = (phones.start[vowel] + phones.end[vowel]) / 2.0
    if not len(centres) or not len(accents):
        return accents
    nearest = centres[np.abs(accents[:, None] - centres).argmin(1)]
    return np.asarray(np.where(np.abs(nearest - accents) < _VOWEL_REACH, nearest, accents))


def unheard_events(seconds: float, rng: Generator) -> SpeechEvents:
    """Made-up events of a conversation, for motion without a sound."""
    frames = frame_count(seconds, POSE_RATE)
    phrases = _random_phrases(seconds, rng)
    accents = np.concatenate([_random_accents(start, end, rng) for start, end in phrases] or [np.zeros(0)])
    strength = np.clip(_log_normal(_STRENGTH, rng, len(accents)), 0.25, 2.5)
    events = SpeechEvents(frames, accents, strength, phrases, np.zeros(frames), np.zeros(frames))
    pitch, loudness = _random_prosody(events, rng)
    return replace(events, pitch=pitch, loudness=loudness)


def _random_phrases(seconds: float, rng: Generator) -> Array:
    rows: list[tuple[float, float]] = []
    time = float(rng.uniform(-3.0, 2.0))
    while time < seconds:
        for _ in range(int(rng.integers(_PHRASES_OF_TURN[0], _PHRASES_OF_TURN[1] + 1))):
            end = time + float(_log_normal(_PHRASE, rng))
            rows.append((time, end))
            time = end + max(_PAUSE, float(_log_normal(_SILENCE_WITHIN, rng)))
        time += float(rng.uniform(*LISTENING))
    clipped: Array = np.clip(np.array(rows).reshape(-1, 2), 0.0, seconds)
    return np.asarray(clipped[clipped[:, 1] - clipped[:, 0] >= _SHORTEST_PHRASE])


def _random_accents(start: float, end: float, rng: Generator) -> Array:
    most = int((end - start) / _ACCENT_DISTANCE) + 2
    gaps = np.maximum(_ACCENT_DISTANCE, _log_normal(_ACCENT_GAP, rng, most))
    times = start + np.cumsum(gaps) - gaps[0] * rng.random()
    return np.asarray(times[times < end])


def _random_prosody(events: SpeechEvents, rng: Generator) -> tuple[Array, Array]:
    """[T] semitones and decibels that rise at the accents, with noise of their own."""
    times = np.arange(events.frames) / POSE_RATE
    bumps = np.exp(-0.5 * np.square((times[:, None] - events.accents) / 0.08)) @ events.strength
    speech = gaussian_filter1d(events.speech(), 2.0)
    noise = gaussian_filter1d(rng.normal(size=(2, events.frames)), 3.0, axis=1) * 12.0**0.5
    level = bumps - 0.3  # the surroundings' mean, about which prosody is measured
    return (2.0 * level + 1.0 * noise[0]) * speech, (5.0 * level + 3.5 * noise[1]) * speech


def _log_normal(median_and_deviation: tuple[float, float], rng: Generator, count: int | None = None) -> Array:
    median, deviation = median_and_deviation
    return np.asarray(median * np.exp(deviation * rng.normal(size=count)))
