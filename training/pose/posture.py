"""Slow movements: shifts of posture, wandering while speaking, and the little life that silence keeps."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from blender_addon.protocol.tensorfile import Array

from .events import TURN_PAUSE, SpeechEvents
from .paths import FINE_RATE, band_noise, smoothed, stroked

Generator = np.random.Generator
# Columns of a posture: degrees down, to the left, tilted to the left; metres of the body's sway to the left,
# back, up. Sentences that are read plainly keep pitch within about 3 degrees of deviation and the others
# within 1; lively ones reach 5-6, 4 and 3 (Busso et al. 2007). The split between slow and fast and the sway
# are our choice.
_POSTURE = np.array([2.8, 4.2, 1.9, 0.0026, 0.0033, 0.0010])
# One faces whom one talks to: of a posture's mean over some 17 s this share is taken back. Our choice, so
# that the mean of 30 s stays within 2 degrees of rest.
_BACK_SHARE, _BACK_WINDOW = 0.85, 7.0  # seconds, deviation of a Gaussian window
# Wide, linear shifts begin speech after long pauses and follow grammatical pauses (Hadar et al. 1984), and
# precede the claim to speak (Hadar et al. 1985). Shares, factors and times are our choice.
_SHIFT_SHARE, _TURN_SHARE, _TURN_FACTOR = 0.6, 0.95, 1.35
_SHIFT_LEAD, _SHIFT_JITTER = -0.12, 0.18  # seconds from the phrase's start to the middle of the shift
_SHIFT_TIME = (0.55, 0.3)  # seconds, median and deviation of the logarithm: "linear" below 1 Hz
_AGAIN_EVERY = 4.5  # seconds between shifts within long phrases
# A listener looks at who speaks (Argyle and Cook 1976), so the head comes near rest when its turn is over.
_LISTEN_SHARE, _LISTEN_DELAY, _LISTEN_SIZE = 0.85, (0.15, 0.7), 0.35  # our choice
# The head rises with a phrase's beginning and sinks with its pitch (after Munhall 2004): degrees, our choice.
_ARC, _ARC_SPREAD, _ARC_LEAD = 0.8, 0.6, 0.18
# "Slow movements" have 0.2-1.8 Hz; the head moves in 90 % of speech, in 13 % of pauses (Hadar et al. 1983).
_WANDER = np.array([1.05, 1.4, 0.75, 0.0007, 0.0009, 0.0003])
_WANDER_BAND = (0.2, 0.7)  # seconds, see `band_noise`
_GATE, _STILL = 0.22, 0.06  # seconds over which speech sets in; what is left in pauses; our choice
# A person who sits still is not frozen: our choice, below what viewers see as a movement.
_LIFE = np.array([0.22, 0.22, 0.15, 0.0005, 0.0006, 0.0002])
_LIFE_BAND = (0.5, 2.5)


def wander(events: SpeechEvents, frames: int, rng: Generator) -> Array:
    """[frames, 6] slow movement that comes with speaking."""
    noise = band_noise((frames, 6), *_WANDER_BAND, rng)
    speech = gaussian_filter1d(events.speech(FINE_RATE), _GATE * FINE_RATE)
    return np.asarray(noise * _WANDER * (_STILL + (1.0 - _STILL) * speech)[:frames, None])


def life(frames: int, rng: Generator) -> Array:
    """[frames, 6] what always moves a little."""
    return np.asarray(band_noise((frames, 6), *_LIFE_BAND, rng) * _LIFE)


def postures(events: SpeechEvents, frames: int, rng: Generator) -> Array:
    """[frames, 6] postures that shift with phrases, turns and listening."""
    middle, size = _shifts(events, rng)
    value = _POSTURE * rng.normal(size=6) * (0.6 if len(events.phrases) else _LISTEN_SIZE)
    stops, values, free = [-10.0], [value], -10.0
    for time, factor in zip(middle, size, strict=True):
        half = 0.5 * _SHIFT_TIME[0] * np.exp(_SHIFT_TIME[1] * rng.normal())
        drawn = _POSTURE * factor * rng.normal(size=6)
        if time - half > free + 0.05:
            values += [value, value := drawn]
            stops += [time - half, time + half]
            free = time + half
    path = stroked(np.array([*stops, 1e6]), np.stack([*values, value]), frames)
    return np.asarray(path - _BACK_SHARE * smoothed(path, _BACK_WINDOW))


def _shifts(events: SpeechEvents, rng: Generator) -> tuple[Array, Array]:
    """Seconds at the middle of possible shifts, in order, and their size relative to usual ones."""
    rows = []
    after = np.append(events.phrases[1:, 0], np.inf) - events.phrases[:, 1]
    for (start, end), turn, gap in zip(events.phrases, events.turns, after, strict=True):
        chance, listens, delay = rng.random(3)
        again = np.cumsum(rng.exponential(_AGAIN_EVERY, 8))
        if chance < (_TURN_SHARE if turn else _SHIFT_SHARE):
            jitter = _SHIFT_JITTER * rng.normal()
            rows.append((start + _SHIFT_LEAD + jitter, _TURN_FACTOR if turn else 1.0))
        rows += [(start + time, 0.7) for time in again if start + time < end - 0.3]
        if gap >= TURN_PAUSE and listens < _LISTEN_SHARE:
            wait = _LISTEN_DELAY[0] + (_LISTEN_DELAY[1] - _LISTEN_DELAY[0]) * delay
            rows.append((end + wait, _LISTEN_SIZE))
    table = np.array(sorted(rows)).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def phrase_arcs(events: SpeechEvents, frames: int, rng: Generator) -> Array:
    """[frames] degrees down: raised where a phrase begins, sunk where it ends."""
    stops, values = [-10.0], [0.0]
    for start, end in events.phrases:
        size = _ARC + _ARC_SPREAD * rng.normal()
        marks = [start - _ARC_LEAD, start + _ARC_LEAD, end - 0.05, end + 0.45]
        for time, value in zip(marks, [0.0, -size, 0.7 * size, 0.0], strict=True):
            if time > stops[-1] + 0.1:
                stops.append(time)
                values.append(value)
    return stroked(np.array([*stops, 1e6]), np.array([*values, 0.0])[:, None], frames)[:, 0]
