"""The sums of a clip: its layers, each as strong as the controls say.

Layers are stored at strength 1. Every frame is summed by itself, so that chunks give what a whole clip gives.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .arkit import ARKIT_INDEX, ARKIT_NAMES
from .controls import HeadControls
from .face import eye_rotation
from .tensorfile import Array

# Layer -> the field of `HeadControls` that scales it; other layers count as they are.
LAYER_STRENGTHS: Mapping[str, str] = {"blink": "blinks", "gaze": "gaze", "breath": "breath"}

# The field of `HeadControls` for each column of a pose. The face looks along -Y with +Z up: rotation about X
# is pitch (positive down), about Y roll, about Z yaw (both positive to the subject's left).
POSE_STRENGTHS: tuple[str, ...] = ("pitch", "roll", "yaw", "shift", "shift", "shift")

Layers = Mapping[str, Mapping[str, Array]]

_BLINKS = [ARKIT_INDEX[f"eyeBlink{side}"] for side in ("Left", "Right")]
_LIDS = [[ARKIT_INDEX[name + side] for side in ("Left", "Right")] for name in ("eyeSquint", "eyeWide")]


def layer_strength(layer: str, head: HeadControls) -> float:
    """How much of a layer's weights, gaze, and (but for speech) pose the sums take."""
    return float(getattr(head, LAYER_STRENGTHS[layer])) if layer in LAYER_STRENGTHS else 1.0


def mixed_weights(layers: Layers, head: HeadControls) -> Array:
    """[F, 52] f32 the sum of the layers' weights, 0-1, where lids that close stay closed.

    What other layers than blinks say of eyeSquint and eyeWide counts as far as eyeBlink leaves the eye open:
    beside a full blink eyeWide would open it again, and eyeSquint push the lids through the eyeball.
    """
    parts = {
        name: np.float32(layer_strength(name, head)) * tensors["weights"]
        for name, tensors in layers.items()
        if "weights" in tensors
    }
    if not parts:
        return np.zeros((0, len(ARKIT_NAMES)), np.float32)
    nothing = np.zeros((1, len(ARKIT_NAMES)), np.float32)
    blink = parts.pop("blink", nothing)
    rest = sum(parts.values(), nothing)
    total = np.clip(rest + blink, 0.0, 1.0)
    for shapes in _LIDS:
        left_open = np.minimum(rest[:, shapes], 1.0 - total[:, _BLINKS])
        total[:, shapes] = np.clip(left_open + blink[:, shapes], 0.0, 1.0)
    return total


def mixed_pose(layers: Layers, head: HeadControls) -> Array:
    """[F, 6] f32 the speech layer's pose scaled per axis and the others' as a whole; 0 rows without any."""
    per_axis = np.array([getattr(head, name) for name in POSE_STRENGTHS], np.float32)
    parts = [
        tensors["pose"] * (per_axis if name == "speech" else np.float32(layer_strength(name, head)))
        for name, tensors in layers.items()
        if "pose" in tensors
    ]
    return np.asarray(sum(parts), np.float32) if parts else np.zeros((0, 6), np.float32)


def mixed_gaze(layers: Layers, weights: Array) -> Array:
    """[F, 4] f32 where the eyes look by eyeLook* of the summed `weights` [F, 52]; empty without a gaze layer.

    Where nothing clips and no other layer looks anywhere, this is the gaze layer times its strength.
    """
    has_gaze = any("gaze" in tensors for tensors in layers.values())
    return eye_rotation(weights).astype(np.float32) if has_gaze else np.zeros((0, 4), np.float32)
