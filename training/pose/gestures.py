"""Short movements: strokes at accents, nods at the ends of phrases, shakes."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .events import SpeechEvents
from .paths import add_stroke
from .speaker import Speaker

Generator = np.random.Generator
# A head beat fell on 23 % of 986 words of four newsreaders (Ambrazaitis et al. 2015, "Multimodal levels of
# prominence"): about 0.6 per second of speech. Sharp movements mark peaks of loudness and stress (Hadar et
# al. 1984), so stronger accents have them oftener: shares at no and per unit of strength, our choice.
_BEAT_SHARE, _BEAT_GROWTH, _LARGEST_SHARE = 0.1, 0.7, 0.95
_APEX_JITTER = 0.05  # seconds, of one stroke about the speaker's habit; our choice
# Degrees: median at strength 1 and at a phrase's end, and deviation of the logarithm. Beats are narrow, nods
# of 10 degrees are seldom (Hadar et al. 1983: rapid movements are narrow); figures our choice.
_BEAT_SIZE, _END_SIZE, _SIZE_SPREAD = 3.4, 2.8, 0.5
_LARGEST = 11.0
# Seconds down: ordinary movements have 1.8-3.7 Hz, rapid ones 3.7-7 Hz (Hadar et al. 1983), so a stroke of a
# half wave lasts 70 to 280 ms. Larger ones take longer, and the way back is slower: our choice.
_STROKE, _STROKE_SPREAD, _STROKE_GROWTH, _STROKE_RANGE = 0.165, 0.25, 0.3, (0.1, 0.32)
_BACK = 1.45
_SIDEWAYS = (0.18, 0.12)  # deviation of yaw and roll per degree of a stroke's pitch; our choice
_APART = 0.3  # seconds between two apexes; our choice
# Nods are frequent on the last syllable before a strong phrase boundary (Ishi et al. 2010); our choice:
_END_SHARE, _END_BEFORE, _END_JITTER = 0.3, 0.12, 0.07  # share of phrases, seconds before their end
# Lateral shakes and sweeps go with negation, inclusiveness, doubt (McClave 2000): the sound hardly says when.
_SHAKE_SHARE, _SHAKE_SIZE, _SHAKE_TURN, _SHAKE_TURNS = 0.07, 2.6, (0.2, 0.34), (3, 6)  # our choice
_PITCH, _YAW, _ROLL = range(3)


def add_gestures(angles: Array, events: SpeechEvents, speaker: Speaker, rng: Generator) -> None:
    """Add all gestures to `angles` [F, 3]: degrees down, to the left, tilted to the left, in place."""
    taken = _add_beats(angles, events, speaker, rng)
    _add_endings(angles, events, speaker, rng, taken)
    _add_shakes(angles, events, rng)


def _add_beats(angles: Array, events: SpeechEvents, speaker: Speaker, rng: Generator) -> list[float]:
    """Returns the apexes' seconds."""
    apexes = [-np.inf]
    for time, strength in zip(events.accents, events.strength, strict=True):
        chance, kind = rng.random(), int(rng.choice(3, p=speaker.kinds))
        apex = time + speaker.apex_lag + _APEX_JITTER * rng.normal()
        size = _BEAT_SIZE * np.sqrt(strength) * np.exp(_SIZE_SPREAD * rng.normal())
        pace, side = rng.normal(), rng.normal(size=2)
        share = min(_LARGEST_SHARE, (_BEAT_SHARE + _BEAT_GROWTH * strength) * speaker.beats)
        if chance < share and apex - apexes[-1] > _APART:
            _add_nod(angles, apex, min(size, _LARGEST), kind, np.array([pace, *side]))
            apexes.append(apex)
    return apexes


def _add_endings(
    angles: Array, events: SpeechEvents, speaker: Speaker, rng: Generator, taken: list[float]
) -> None:
    for _, end in events.phrases:
        chance, draws = rng.random(), rng.normal(size=5)
        apex = end - _END_BEFORE + _END_JITTER * draws[0]
        size = _END_SIZE * np.exp(_SIZE_SPREAD * draws[1])
        free = np.abs(apex - np.array(taken)).min() > _APART
        if chance < min(_LARGEST_SHARE, _END_SHARE * speaker.beats) and free:
            _add_nod(angles, apex, min(size, _LARGEST), 0, draws[2:])


def _add_nod(angles: Array, apex: float, size: float, kind: int, draws: Array) -> None:
    """One stroke of `kind`, see `Speaker`; `draws` [3] are its pace and how it goes to the sides."""
    down = _STROKE * (size / _BEAT_SIZE) ** _STROKE_GROWTH * np.exp(_STROKE_SPREAD * draws[0])
    down = float(np.clip(down, *_STROKE_RANGE))
    up = _BACK * down
    if kind == 1:
        stops = np.array([-2.2 * down, -down, 0.0, up, up + 1.5 * down])
        values = np.array([0.0, -0.35, 1.0, -0.15, 0.0])
    else:
        stops = np.array([-down, 0.0, up])
        values = np.array([0.0, -0.75 if kind == 2 else 1.0, 0.0])
    for axis, share in ((_PITCH, 1.0), (_YAW, _SIDEWAYS[0] * draws[1]), (_ROLL, _SIDEWAYS[1] * draws[2])):
        add_stroke(angles[:, axis], apex + stops, size * share * values)


def _add_shakes(angles: Array, events: SpeechEvents, rng: Generator) -> None:
    for start, end in events.phrases:
        chance, place, pace, size = rng.random(), rng.random(), rng.random(), rng.normal()
        turns, side = int(rng.integers(*_SHAKE_TURNS)), rng.choice([-1.0, 1.0])
        if chance < _SHAKE_SHARE:
            turn = _SHAKE_TURN[0] + (_SHAKE_TURN[1] - _SHAKE_TURN[0]) * pace
            stops = start + place * (end - start) + turn * np.arange(turns + 2)
            envelope = np.sin(np.pi * np.arange(turns + 2) / (turns + 1))
            values = side * envelope * (-1.0) ** np.arange(turns + 2)
            add_stroke(angles[:, _YAW], stops, _SHAKE_SIZE * np.exp(0.4 * size) * values)
