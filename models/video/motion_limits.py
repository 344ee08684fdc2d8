"""How far one picture can be turned: beyond, the motion is held back smoothly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .motion import FrameMotion

# Degrees and metres from the portrait's own pose that the picture bears (our choice, by looking), and the
# share of each after which motion is damped.
YAW, PITCH, ROLL, SHIFT = 30.0, 20.0, 30.0, 0.05
_FREE = 0.8


def limited(motion: FrameMotion) -> tuple[FrameMotion, bool]:
    """`motion` within the limits, and whether it was held back."""
    pose = np.zeros(6) if len(motion.pose) == 0 else np.asarray(motion.pose, float)
    pose = np.nan_to_num(pose, posinf=0.0, neginf=0.0)
    limits = np.array([*np.radians([PITCH, ROLL, YAW]), SHIFT, SHIFT, SHIFT])  # about +X, -Y, +Z
    held = soft_limit(pose, limits)
    over = bool((np.abs(pose) > limits).any())
    weights, lip, gaze = (
        np.nan_to_num(values, posinf=0.0, neginf=0.0) for values in (motion.weights, motion.lip, motion.gaze)
    )
    weights = np.clip(weights, 0, 1)
    return replace(motion, weights=weights, lip=lip, pose=held, gaze=gaze), over


def soft_limit(value: Array, limit: Array) -> Array:
    """`value` up to `_FREE` of its limit, beyond it ever closer to the limit; its slope is continuous."""
    free = _FREE * limit
    beyond = np.maximum(np.abs(value) - free, 0)
    room = limit - free
    result: Array = np.sign(value) * (np.minimum(np.abs(value), free) + room * np.tanh(beyond / room))
    return result
