"""How a person speaks, from a clip of theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.media.audio import AudioSpan
from backend.media.clip_sound import find_audio
from backend.pipeline import AnimateRequest, stream_motion
from blender_addon.protocol.clip import MotionClip, read_clip
from blender_addon.protocol.controls import ExpressionControls, MotionStyle
from models.expression import ExpressionModel
from models.expression.style import estimate_style

_PLAIN = ExpressionControls(asymmetry=0.0)


def style_of_file(path: Path, model: ExpressionModel) -> MotionStyle:
    """The style of the clip at `path`, whose sound must be where the clip says.

    Raises:
        InputError, FileFormatError, MediaError: the clip or its sound cannot be used.
    """
    clip = read_clip(path)
    return style_of(clip, find_audio(clip.info, path), model)


def style_of(clip: MotionClip, sound: Path, model: ExpressionModel) -> MotionStyle:
    """How `clip` says its `sound`, compared with how `model` says it in the average style."""
    info = clip.info
    span = AudioSpan(info.audio_offset, info.audio_duration or None, info.audio_speed)
    plain = AnimateRequest(audio=sound, fps=info.fps, span=span, controls=_PLAIN)
    neutral = np.concatenate([chunk.layers["speech"] for chunk in stream_motion(plain, model)])
    spoken = clip.layers.get("speech", {}).get("weights", clip.weights)  # without emotions
    return estimate_style(replace(clip, weights=spoken), neutral)
