"""What brows, lids, cheeks and nose do while somebody speaks: targets of the network's other branch.

One sound allows many faces, so the targets are a function of the sound's prosody and of smooth random curves
that the network is given as well (`models.expression.noise`). What is known and used here:

* Brows rise mostly where pitch rises, yet far from always: Cavé et al. (1996), "About the relationship
  between eyebrow movements and F0 variations", found 71 % of the rises with a rise of pitch, and call the
  link a matter of the speaker's choice. So an accent *permits* a raise, and noise decides.
* Raises mark accents, emphasis and questions, as short batons and as longer underlining: Ekman (1979),
  "About brows: emotional and conversational signals".
* They begin with the accent or slightly before it, and are likelier where a turn begins: Flecha-García
  (2010), "Eyebrow raises in dialogue and their relation to discourse structure, utterance function and
  pitch accents in English"; Guaïtella et al. (2009), "Are eyebrow movements linked to voice variations and
  turn-taking in dialogue?".

How far and how fast shapes move are our choices, made by eye on the built-in head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from blender_addon.protocol.arkit import OTHER_NAMES
from blender_addon.protocol.tensorfile import Array
from models.expression.noise import NOISE_CHANNELS
from models.expression.prosody import Prosody, prosody_of

# Columns of the noise: whether an accent raises the brows, how far, inner or outer ends, frowning,
# slow drift, left or right, cheeks and lids, nose.
_WHETHER, _HOW_FAR, _INNER, _FROWN, _DRIFT, _SIDE, _SQUINT, _NOSE = range(NOISE_CHANNELS)

_PITCH_SCALE, _LOUDNESS_SCALE = 2.5, 5.0  # semitones and decibels of a plain accent
_PITCH_SHARE = 0.6  # of prominence; the rest is loudness
_THRESHOLD, _THRESHOLD_SWING = 0.35, 0.55  # prominence that raises brows, and how much noise moves it
_ACCENT_RANGE = 0.9  # prominence above the threshold for a full raise
_TURN_BONUS, _TURN = 0.6, 20  # prominence added where speech begins after a pause of so many frames
# Deviations in frames: of what counts as one accent, and of the brows' own inertia, so that a raise takes
# about 0.25 s. The network must hear the same from a sound, so nothing hangs on a single frame.
_ACCENT, _MOVE = 4.0, 5.0
_QUESTION_RISE = 2.0  # semitones above the surroundings at the end of a phrase that ask a question
_ASYMMETRY = 0.18


@dataclass(frozen=True)
class _Gestures:
    """[F] each, 0-1: raised brows, frown, effort of the voice."""

    raised: Array
    frown: Array
    effort: Array


def other_targets(samples: Array, noise: Array, speaking: Array | None = None) -> Array:
    """[F, 23] f32 weights in `OTHER_NAMES` order of the face that says `samples` in the mood of `noise`.

    Args:
        samples: [n] f32 clean mono sound at 16 kHz, n >= 320 F.
        noise: [F, NOISE_CHANNELS] from `noise_track`.
        speaking: [F] 1 where somebody speaks, if known: music and noise move no brows.
    """
    return targets_of(prosody_of(samples[: 320 * len(noise)], speaking), noise)


def targets_of(prosody: Prosody, noise: Array) -> Array:
    """`other_targets` from prosody that is known already."""
    z = noise.astype(np.float64)
    gestures = _gestures(prosody, z)
    alive = 0.5 + 0.5 * prosody.speech
    up, down = 0.06 * alive * _positive(z[:, _DRIFT]), 0.05 * alive * _positive(-z[:, _DRIFT])
    balance, side = np.tanh(0.8 * z[:, _INNER]), _ASYMMETRY * np.tanh(z[:, _SIDE])
    raised, frown = gestures.raised, gestures.frown
    inner = 0.55 * raised * (1.0 + 0.45 * balance) + up
    outer = 0.5 * raised * (1.0 - 0.6 * balance) + up
    squint = gestures.effort * (0.12 + 0.12 * np.tanh(z[:, _SQUINT]))
    shapes = {
        "browInnerUp": inner,
        "browOuterUp": outer,
        "browDown": frown + down,
        "eyeWide": 0.35 * raised**2,
        "eyeSquint": 0.7 * squint + 0.4 * frown,
        "cheekSquint": squint,
        "noseSneer": gestures.effort * 0.06 * _positive(z[:, _NOSE]) + 0.15 * frown,
    }
    result = np.zeros((len(noise), len(OTHER_NAMES)), np.float32)
    for column, name in enumerate(OTHER_NAMES):
        sign = 1.0 if name.endswith("Left") else -1.0 if name.endswith("Right") else 0.0
        values = shapes.get(name.removesuffix("Left").removesuffix("Right"))
        if values is not None:
            result[:, column] = np.clip(values * (1.0 + sign * side), 0.0, 1.0)
    return result


def _gestures(prosody: Prosody, z: Array) -> _Gestures:
    effort = np.clip(0.5 + prosody.loudness / 10.0, 0.0, 1.0) * prosody.speech
    strained = gaussian_filter1d(effort, 12.0)
    raised = 1.0 - (1.0 - _accent_raises(prosody, z)) * (1.0 - _question_raise(prosody, z))
    frown = 0.3 * strained * _positive(z[:, _FROWN] - 0.3) * (1.0 - raised)
    return _Gestures(raised, frown, gaussian_filter1d(effort, 8.0))


def _accent_raises(prosody: Prosody, z: Array) -> Array:
    """[F] 0-1 brows raised at those accents that noise lets through."""
    prominence = _PITCH_SHARE * np.clip(prosody.pitch / _PITCH_SCALE, -1.0, 2.5)
    prominence += (1.0 - _PITCH_SHARE) * np.clip(prosody.loudness / _LOUDNESS_SCALE, -1.0, 2.0)
    prominence = gaussian_filter1d(prominence, _ACCENT) + _TURN_BONUS * _opening(prosody.speech)
    let_through = prominence - _THRESHOLD + _THRESHOLD_SWING * z[:, _WHETHER]
    rise = np.clip(let_through / _ACCENT_RANGE, 0.0, 1.0)
    size = np.clip(0.75 + 0.3 * z[:, _HOW_FAR], 0.3, 1.0)
    raised: Array = gaussian_filter1d(rise**2 * (3.0 - 2.0 * rise) * prosody.speech, _MOVE) * size
    return raised


def _opening(speech: Array) -> Array:
    """[F] 1 where speech begins after a pause, falling to 0 where it has gone on for long."""
    spoken = np.cumsum(np.pad(speech, (_TURN + 1, 0), mode="edge"))
    before = (spoken[_TURN + 1 :] - spoken[: -_TURN - 1]) / (_TURN + 1)
    opening: Array = speech * (1.0 - before)
    return opening


def _question_raise(prosody: Prosody, z: Array) -> Array:
    """[F] 0-1 brows that stay up while a phrase ends on a high pitch."""
    ending = prosody.speech * (1.0 - np.append(prosody.speech[15:], np.full(min(15, len(z)), 1.0))[: len(z)])
    asked = ending * np.clip((prosody.pitch - _QUESTION_RISE) / 2.0, 0.0, 1.0)
    size = np.clip(0.5 + 0.35 * z[:, _HOW_FAR], 0.0, 0.9)
    smooth: Array = gaussian_filter1d(asked, 8.0) * 1.5 * size
    return np.clip(smooth, 0.0, 0.9)


def _positive(values: Array) -> Array:
    """The part above 0, without a corner there."""
    above = np.maximum(values, 0.0)
    smooth: Array = above**2 / (0.5 + above)
    return smooth
