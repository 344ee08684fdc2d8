"""One known person in picture after picture: pose, expression and gaze, each beginning at the last one's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.tensorfile import Array
from models.render.camera import Pinhole

from .fitting import fit_frame, held_out_error
from .point_model import PointModel
from .solve import State, first_state

_WARM, _COLD = 2, 14  # steps from the last picture's state, and from a neutral head
_FORGET = 5  # pictures without a face after which the last state is no beginning
_LOST = 0.08  # eye distances of mean miss from which a cold start is tried; our choice
# Of a portrait's typical weights: with the person known and twelve pictures to tell them from an expression,
# small weights are the likelier; but eyes shut now and then. On films of known truth 0.35 to 1 differ
# little, 2 is worse.
_EXPECTED = np.array([1.5 if name.startswith("eyeBlink") else 0.6 for name in ARKIT_NAMES])


@dataclass(frozen=True)
class FrameFits:
    """What was found in F pictures; NaN where there is no face.

    Attributes:
        rotation: [F, 3, 3]; translation: [F, 3]: the pictures' cameras, which hold the head's pose.
        weights: [F, 52] without eyeLook*; gaze: [F, 4].
        error: [F] mean miss of the landmarks, in inter-ocular distances.
    """

    rotation: Array
    translation: Array
    weights: Array
    gaze: Array
    error: Array


def fit_frames(
    model: PointModel,
    camera: Pinhole,
    landmarks: Array,
    cuts: tuple[int, ...],
    on_frame: Callable[[], None] = lambda: None,
) -> FrameFits:
    """Fit the person of `model` to landmarks [F, 478, 3] in pixels, NaN where there is no face.

    Args:
        camera: its focal length and centre hold for all pictures.
        cuts: pictures that do not continue the one before.
        on_frame: called before each picture; may raise.
    """
    count = len(landmarks)
    fits = FrameFits(*(np.full((count, *shape), np.nan) for shape in ((3, 3), (3,), (52,), (4,), ())))
    last, when = None, -_FORGET
    for frame in range(count):
        on_frame()
        marks = np.asarray(landmarks[frame])
        if not np.isfinite(marks).all():
            continue
        if frame in cuts or frame - when >= _FORGET:
            last = None
        state = next_state(model, marks, camera, last)
        fits.rotation[frame], fits.translation[frame] = state.camera.rotation, state.camera.translation
        fits.weights[frame], fits.gaze[frame] = state.weights, state.gaze
        fits.error[frame] = held_out_error(model, state, marks)
        last, when = state, frame
    return fits


def next_state(model: PointModel, marks: Array, camera: Pinhole, last: State | None) -> State:
    """The state of a picture with landmarks [478, 3], from the last one; from a neutral head without it."""
    if last is not None:
        state = fit_frame(model, marks, last, _WARM, _EXPECTED)
        if held_out_error(model, state, marks) < _LOST:
            return state
    return fit_frame(model, marks, neutral_state(model, marks, camera), _COLD, _EXPECTED)


def neutral_state(model: PointModel, marks: Array, camera: Pinhole) -> State:
    """A neutral head where the landmarks [478, 3] are, seen by a camera of this focal length."""
    flat = marks[:, :2].astype(np.float64)
    state = first_state(model, flat, np.flatnonzero(model.known), camera.centre, camera.focal)
    ratio = camera.focal / state.camera.focal
    turn, middle = state.camera.rotation, model.mean.mean(0)
    shift = state.camera.translation + turn @ middle
    shift[2] *= ratio
    return replace(state, camera=replace(state.camera, focal=camera.focal, translation=shift - turn @ middle))
