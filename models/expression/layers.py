"""From what the network says to weights: controls applied, emotions added, sides told apart.

All of it depends on a frame and its absolute time only, so chunks give the same as a whole sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES, LIP_SHAPES, OTHER_SHAPES, sided_indices
from blender_addon.protocol.controls import ExpressionControls
from blender_addon.protocol.tensorfile import Array

from .emotion import brow_energy, emotion_layer
from .network import FRAME_RATE
from .noise import derived_seed, noise_at

_STREAM = 2  # of the take's seed
_USUAL = ExpressionControls().asymmetry  # at which the network's own left and right stay as they are
_FARTHEST = 0.6  # share of a shape's energy that changes sides at asymmetry 1 where noise is strong
_JAW, _CLOSE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
_UNSCALED = sided_indices("tongueOut", "cheekPuff")
_PAIRS = [name[:-4] for name in ARKIT_NAMES if name.endswith("Left") and name not in ("jawLeft", "mouthLeft")]
_LEFT, _RIGHT = ([ARKIT_INDEX[name + side] for name in _PAIRS] for side in ("Left", "Right"))
# Parts of the face that lean to a side together; blinks and looks stay even.
_REGIONS: tuple[tuple[str, ...], ...] = (
    ("brow",),
    ("eyeSquint", "eyeWide", "cheek", "nose"),
    ("mouth",),
)
_REGION = [
    next((i for i, starts in enumerate(_REGIONS) if pair.startswith(starts)), len(_REGIONS))
    for pair in _PAIRS
]


@dataclass(frozen=True)
class Layers:
    """[f, 52] f32 each, 0-1: what speech, brows and emotions add, and the sum within 0-1."""

    speech: Array
    brows: Array
    emotion: Array
    weights: Array


def compose(
    start: int, fps: float, weights: Array, contact: Array, controls: ExpressionControls, seed: int
) -> Layers:
    """Layers of the frames from number `start` on.

    Args:
        weights: [f, 52] finished weights; `LIP_SHAPES` of them are speech, `OTHER_SHAPES` brows.
        contact: [f, 2] bilabial and labiodental contact, 0-1.
        seed: of the take; another one moves brows, sides and emotions otherwise.
    """
    times = (start + np.arange(len(weights), dtype=np.float64)) / fps
    speech, brows = np.zeros_like(weights), np.zeros_like(weights)
    speech[:, LIP_SHAPES] = articulated(weights, contact, controls.articulation)[:, LIP_SHAPES]
    energy = controls.energy * brow_energy(controls.emotions, times)
    brows[:, OTHER_SHAPES] = weights[:, OTHER_SHAPES] * energy[:, None]
    brows = _sides_apart(brows, controls.asymmetry / _USUAL)
    emotion = emotion_layer(controls.emotions, times, speech, contact, seed)
    lean = side_lean(times, controls.asymmetry, seed)
    speech, brows, emotion = (np.clip(_leaning(layer, lean), 0.0, 1.0) for layer in (speech, brows, emotion))
    return Layers(speech, brows, emotion, np.clip(speech + brows + emotion, 0.0, 1.0))


def articulated(speech: Array, contact: Array, amount: float) -> Array:
    """[f, 52] speech whose jaw and lips go `amount` times as far from rest.

    What makes a contact stays: pressing and biting shapes where lips touch, the jaw where lip and teeth do;
    mouthClose keeps countering the same share of jawOpen.
    """
    touching = np.clip(contact, 0.0, 1.0)
    factor = np.repeat(1.0 + (amount - 1.0) * (1.0 - touching.max(1, keepdims=True)), speech.shape[1], axis=1)
    factor[:, _JAW] = 1.0 + (amount - 1.0) * (1.0 - touching[:, 1])
    factor[:, _UNSCALED] = 1.0
    result: Array = np.minimum(speech * factor, 1.0).astype(np.float32)
    share = speech[:, _CLOSE] / np.maximum(speech[:, _JAW], 1e-6)
    result[:, _CLOSE] = np.minimum(share, 1.0) * result[:, _JAW]
    return result


def side_lean(times: Array, asymmetry: float, seed: int) -> Array:
    """[F, 4] -1 to 1 per region of paired shapes: positive gives energy to the left. The last is even."""
    noise = noise_at(derived_seed(seed, _STREAM), times * FRAME_RATE, len(_REGIONS))
    lean = np.zeros((len(times), len(_REGIONS) + 1), np.float32)
    lean[:, :-1] = _FARTHEST * asymmetry * np.tanh(noise)
    return lean


def _leaning(layer: Array, lean: Array) -> Array:
    """Pairs that were even keep the sum of their squares."""
    result = layer.copy()
    result[:, _LEFT] *= np.sqrt(1.0 + lean[:, _REGION])
    result[:, _RIGHT] *= np.sqrt(1.0 - lean[:, _REGION])
    return result


def _sides_apart(layer: Array, amount: float) -> Array:
    """The layer with `amount` times the difference of left and right, as far as weights stay above 0."""
    result = layer.copy()
    mean = (layer[:, _LEFT] + layer[:, _RIGHT]) / 2.0
    half = np.clip(amount * (layer[:, _LEFT] - layer[:, _RIGHT]) / 2.0, -mean, mean)
    result[:, _LEFT], result[:, _RIGHT] = mean + half, mean - half
    return result
