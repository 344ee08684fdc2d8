"""A voice as motion of a certain face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backend.devices import load_motion_models
from backend.faces import TalkingFace
from backend.pipeline import AnimateRequest, assemble_clip, expected_frames, stream_motion
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.controls import ExpressionControls
from blender_addon.protocol.face import FaceFile
from models.expression.style import geometry_descriptor


@dataclass(frozen=True)
class Voice:
    """A sound, and how it is to be spoken.

    Attributes:
        audio: a sound, or a video with sound.
        fps: frames per second of the motion.
        seed: of everything that is drawn.
        controls: the manner of speaking and moving.
        device: of the networks.
        head: whether there is head motion, blinks, gaze and breath.
    """

    audio: Path
    fps: float
    seed: int = 0
    controls: ExpressionControls = field(default_factory=ExpressionControls)
    device: str = "auto"
    head: bool = True


OnFrames = Callable[[int, int | None], None]
"""Called with how many frames came, and how many there will be as far as is known."""


def spoken(voice: Voice, face: FaceFile, on_frames: OnFrames = lambda _came, _all: None) -> MotionClip:
    """The motion of `voice` as a person with the features of `face` speaks, without lip coefficients.

    Raises:
        InputError, MediaError: the sound cannot be used.
    """
    talking = TalkingFace(face.id, None, geometry=geometry_descriptor(face))
    request = AnimateRequest(voice.audio, voice.fps, seed=voice.seed, controls=voice.controls, face=talking)
    expected = expected_frames(request)
    models = load_motion_models(voice.device, voice.head)
    chunks, came = [], 0
    for chunk in stream_motion(request, models):
        chunks.append(chunk)
        came += chunk.frames
        on_frames(came, expected)
    return assemble_clip(request, models, chunks)
