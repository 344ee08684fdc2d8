"""The manner of speaking of a person whose motion and sound are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from backend.pipeline import AnimateRequest, stream_motion
from backend.streams import MotionModels
from blender_addon.protocol.clip import ClipInfo, expression_clip
from blender_addon.protocol.controls import ExpressionControls, MotionStyle
from blender_addon.protocol.tensorfile import Array
from models.expression import ExpressionModel
from models.expression.style import estimate_style


def reference_style(
    weights: Array,
    spoken: AnimateRequest,
    model: ExpressionModel,
    on_frames: Callable[[int], None] = lambda _frames: None,
) -> MotionStyle:
    """The style of motion `weights` [F, 52], beside what the average speaker would do.

    Args:
        weights: the reference.
        spoken: what is said in it, at the reference's frame rate; its controls and face do not matter.
        on_frames: called with how many frames of the sound are heard so far; it may raise.

    Raises:
        InputError: the sound cannot be used, or does not belong to the motion.
    """
    plain = replace(spoken, controls=ExpressionControls(), face=None)
    neutral = []
    for chunk in stream_motion(plain, MotionModels(model)):
        neutral.append(chunk.tensors["weights"])
        on_frames(chunk.start + chunk.frames)
    contact = np.zeros((len(weights), 2), np.float32)
    reference = expression_clip(ClipInfo(fps=spoken.fps), weights, contact)
    return estimate_style(reference, np.concatenate(neutral))
