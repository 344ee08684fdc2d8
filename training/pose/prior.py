"""A synthetic prior of head motion in conversation: from speech events and a manner of moving to poses.

Made from what the literature measured, with our choices between: it is no motion capture and says nothing
about how real its motion is. See docs/head-motion.md.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import firwin

from blender_addon.protocol.controls import PoseStyle
from blender_addon.protocol.tensorfile import Array

from .events import POSE_RATE, SpeechEvents, speech_events, unheard_events
from .gestures import add_gestures
from .paths import FINE_RATE
from .posture import life, phrase_arcs, postures, wander
from .speaker import Speaker, sample_speaker, sample_style
from .speech import long_speech

__all__ = ["long_speech", "sample_motion", "sample_style", "speech_events", "unheard_events"]

Generator = np.random.Generator
# Degrees that pitch, yaw and roll cannot leave; they approach them softly. Talking heads stay far within what
# the neck can do (about 60, 75 and 40): our choice.
_LIMITS = np.array([18.0, 24.0, 12.0])
_SHIFT_LIMIT = 0.02  # metres; our choice
# Metres that the axis lies below the pivot, for pitch and roll. Seated nods of 1 to 2 Hz turn about an axis
# 21 mm below the line of the ears or close to it, standing 16 mm lower (Moore et al. 2005, "Instantaneous
# rotation axes during active head movements"); the built-in pivot is the joint at that height. Tilting bends
# the whole neck: its axis lies lower (Medendorp et al. 1998), how much is our choice. Yaw: about the pivot.
_BELOW_PITCH, _BELOW_ROLL = 0.012, 0.04
_PROSODY_SMOOTH = 0.09  # seconds: the head is heavier than the larynx; our choice
# Movement at up to 7 Hz is a gesture, above it tremor (Hadar et al. 1983). Nothing is left above 8 Hz.
_PASS_HZ, _TAPS = 6.2, 81
_FINE = FINE_RATE // POSE_RATE
_MARGIN = _TAPS // 2


def sample_motion(events: SpeechEvents, style: PoseStyle, rng: Generator) -> Array:
    """Poses [T, 6] f32 at 25 per second of a random speaker of `style` who says `events`.

    Rotation vector in radians, then translation in metres, in the face file's axes (+Z up, looking along -Y,
    +X to the subject's left) about its pivot, relative to rest.
    """
    speaker = sample_speaker(style, rng)
    frames = events.frames * _FINE
    slow = postures(events, frames, rng) + wander(events, frames, rng)
    angles, sway = slow[:, :3], slow[:, 3:]
    angles[:, 0] += phrase_arcs(events, frames, rng) - _raised_by_voice(events, speaker, frames)
    add_gestures(angles, events, speaker, rng)
    alive = life(frames, rng)
    angles = angles * speaker.amplitude * speaker.axes + alive[:, :3]
    angles[:, 2] += speaker.yaw_roll * angles[:, 1]
    turns = np.radians(_sampled(_limited(angles, _LIMITS)))
    shift = _sampled(_limited(sway * speaker.amplitude + alive[:, 3:], _SHIFT_LIMIT))
    return _pose(turns, shift)


def _raised_by_voice(events: SpeechEvents, speaker: Speaker, frames: int) -> Array:
    """[frames] degrees up that follow the pitch of the voice."""
    times = np.arange(frames) / FINE_RATE - speaker.prosody_lag
    pitch = np.interp(times, np.arange(events.frames) / POSE_RATE, events.pitch)
    return np.asarray(speaker.lift * gaussian_filter1d(pitch, _PROSODY_SMOOTH * FINE_RATE))


def _limited(values: Array, limit: Array | float) -> Array:
    """`values` within +-`limit`, hardly changed up to half of it."""
    return np.asarray(values / (1.0 + (values / limit) ** 4) ** 0.25)


def _sampled(fine: Array) -> Array:
    """[F, 3] at `FINE_RATE` -> [T, 3] at `POSE_RATE`, without what is faster than a gesture."""
    low_pass = firwin(_TAPS, _PASS_HZ, fs=FINE_RATE)
    padded = np.pad(fine, ((_MARGIN, _MARGIN), (0, 0)), mode="reflect", reflect_type="odd")
    columns = [np.convolve(column, low_pass, mode="valid")[::_FINE] for column in padded.T]
    return np.stack(columns, axis=1)


def _pose(turns: Array, shift: Array) -> Array:
    """Pitch down, yaw and roll to the left [T, 3] in radians and sway [T, 3] -> poses [T, 6] f32."""
    pitch, yaw, roll = turns.T
    carried = np.stack([_BELOW_ROLL * roll, -_BELOW_PITCH * pitch, np.zeros_like(yaw)], axis=1)
    turned = np.stack([pitch, roll, yaw], axis=1)
    return np.asarray(np.concatenate([turned, shift + carried], axis=1), np.float32)
