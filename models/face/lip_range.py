"""A face's lip basis, fitted over the range of shapes and contacts that speech uses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from blender_addon.lips.basis import FIELDS, fit_basis
from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_handles
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

_FRAMES = 700
_SEED = 4
# Largest weight of a shape in speech, and how often it is there; by eye, after the phone targets.
_SPEECH = {
    "jawOpen": (0.55, 0.9),
    "mouthPucker": (0.7, 0.3),
    "mouthFunnel": (0.5, 0.3),
    "mouthPress": (0.4, 0.4),
    "mouthStretch": (0.4, 0.3),
    "mouthSmile": (0.6, 0.4),
    "mouthFrown": (0.3, 0.1),
    "mouthDimple": (0.3, 0.1),
    "mouthRollLower": (0.55, 0.4),
    "mouthRollUpper": (0.25, 0.3),
    "mouthUpperUp": (0.35, 0.3),
    "mouthLowerDown": (0.4, 0.3),
    "mouthShrugLower": (0.3, 0.1),
    "mouthShrugUpper": (0.3, 0.1),
}
_ONE_SIDED = 0.4  # share of frames in which left and right differ
_NEUTRAL, _BILABIAL = 0.15, 0.5  # shares of frames: no contact; p, b, m among the others
_LAGGING = 0.3  # share of frames whose mouthClose is less than p, b, m would have it, as after a jaw edit
_PARTING = 0.3  # share of frames in which lips stick while they part


def with_lip_basis(face: FaceFile) -> FaceFile:
    """`face` with a lip basis of `FIELDS` fields. Deterministic; takes a few seconds."""
    lips = prepare_lips(face)
    speech = speech_range(np.random.default_rng(_SEED), _FRAMES)
    handles = solve_handles(lips, speech.weights, speech.contact, speech.held)
    return dataclasses.replace(face, lip_basis=fit_basis(lips, handles, FIELDS))


@dataclass(frozen=True)
class SpeechRange:
    """F random frames as speech with expression has them: what `solve_contact` takes, f32."""

    weights: Array
    contact: Array
    held: Array


def speech_range(rng: np.random.Generator, frames: int) -> SpeechRange:
    """Draw `frames` unrelated frames."""
    weights = np.zeros((frames, len(ARKIT_INDEX)), np.float32)
    uneven = rng.uniform(size=frames) < _ONE_SIDED
    for name, (largest, often) in _SPEECH.items():
        value = rng.uniform(0, largest, frames) * (rng.uniform(size=frames) < often)
        if name in ARKIT_INDEX:
            weights[:, ARKIT_INDEX[name]] = value
            continue
        lean = rng.uniform(-1, 1, frames) * uneven
        weights[:, ARKIT_INDEX[f"{name}Left"]] = value * np.minimum(1, 1 + lean)
        weights[:, ARKIT_INDEX[f"{name}Right"]] = value * np.minimum(1, 1 - lean)
    kind = rng.uniform(size=frames)
    strength = np.minimum(1, rng.uniform(0, 1.6, frames))
    bilabial = (kind > _NEUTRAL) & (kind < _NEUTRAL + _BILABIAL)
    contact = np.stack([bilabial * strength, (kind >= _NEUTRAL + _BILABIAL) * strength], 1)
    lag = np.where(rng.uniform(size=frames) < _LAGGING, rng.uniform(0, 1, frames), 1)
    closing = np.where(bilabial, strength * lag, rng.uniform(0, 0.5, frames))
    weights[:, ARKIT_INDEX["mouthClose"]] = weights[:, ARKIT_INDEX["jawOpen"]] * closing
    contact = contact.astype(np.float32)
    sticking = rng.uniform(size=frames) < _PARTING
    held = np.where(sticking, np.maximum(contact[:, 0], rng.uniform(0, 1, frames)), contact[:, 0])
    return SpeechRange(weights, contact, held.astype(np.float32))
