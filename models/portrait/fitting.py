"""Fitting a head to the face in a picture.

    fit = fit_portrait(picture)                      # person, expression, pose, camera, gaze, light
    model, state = person_model(fit.face), state_of(fit)
    state = fit_frame(model, landmarks, state)       # pose, expression, gaze of another frame

`State.weights` are without eyeLook*: `expression(state)` gives all 52 as a clip has them. Where landmarks lie
on a mesh is in `points`, what is believed beforehand in `priors`, the solver in `solve`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.identity import with_identity
from models.face.load import load_head
from models.render.camera import Pinhole

from .fit import PortraitFit
from .landmarks import IRIS_LEFT, IRIS_RIGHT, LANDMARKS, DetectedFace, LandmarkSource
from .mediapipe_landmarks import bundled_landmarks
from .point_model import LOOK_SHAPES, PointModel, look_weights
from .priors import typical_weights
from .skin import skin_light
from .solve import Problem, State, first_state, pixel_noise, solve
from .widened import widened

HELD_OUT = tuple(range(4, 468, 9))  # landmarks that no fit uses: they say how good it is
_COARSE, _FINE, _LAST = 6, 14, 4  # steps
_FRAME = 3  # steps of a frame that begins at the result of the last
# Degrees of yaw that a fit finds: its landmarks' far half becomes a guess, and from about 60 true degrees on
# the detector sees no more than 45 (measured on drawn heads).
_TURNED, _MOST_YAW = 32.0, 44.0
_LEAST_SEEN, _ALL_SEEN = 0.6, 0.97  # of the landmarks must lie in the picture; fewer deserve a note
_SMALL = 25.0  # pixels between the eyes below which a fit is uncertain
_POOR = 0.06  # eye distances of mean miss above which a fit is doubtful
_SHUT = 0.7  # eyeBlink from which an iris is a guess


@dataclass(frozen=True)
class Basis:
    """A head prepared for fits.

    Attributes:
        head: what is fitted; wide: the same with further identity fields; model: its landmarks.
    """

    head: FaceFile
    wide: FaceFile
    model: PointModel

    @staticmethod
    def of(head: FaceFile) -> Basis:
        """Prepare `head`. Raises `InputError` where its landmarks are not known."""
        wide = widened(head)
        return Basis(head, wide, PointModel.of(wide))

    def person(self, identity: Array) -> FaceFile:
        """The neutral head of fitted `identity`, with the fields of `head` again."""
        person = with_identity(self.wide, identity.astype(np.float32))
        own = self.head
        return replace(
            person,
            identity_names=own.identity_names,
            identity=own.identity,
            identity_limits=own.identity_limits,
            identity_correlation=own.identity_correlation,
        )


def fit_portrait(
    picture: Array,
    source: LandmarkSource | None = None,
    face: FaceFile | None = None,
    choose: int | None = None,
) -> PortraitFit:
    """The person in a picture.

    Args:
        picture: [H, W, 3] u8 sRGB, upright.
        source: what finds landmarks; mediapipe's bundled models by default.
        face: the head whose identity and shapes are fitted; the built-in head by default.
        choose: which of several faces, from 1 in the order of their size; the largest by default.

    Raises:
        InputError: no face, no such face, a face from the side or mostly outside the picture, or a head
            without identity or known landmarks.
        MissingExtraError: mediapipe is not installed.
    """
    chosen, notes = _chosen((_bundled() if source is None else source).detect(picture), choose)
    basis = _built_in() if face is None else Basis.of(face)
    size = (picture.shape[1], picture.shape[0])
    whole = fit_landmarks(basis.model, chosen.landmarks, size)
    person = basis.person(whole.identity)
    own = person_model(person)
    start = State(whole.camera, np.zeros(0), whole.weights, whole.gaze)
    state = solve(_problem(own, chosen.landmarks, start, size), start, _LAST)
    return PortraitFit(
        face=person,
        identity=whole.identity[: len(person.identity_names)].astype(np.float32),
        weights=expression(state).astype(np.float32),
        gaze=state.gaze.astype(np.float32),
        camera=state.camera,
        light=skin_light(picture, person, expression(state), state.camera),
        landmarks=chosen.landmarks,
        size=size,
        error=held_out_error(own, state, chosen.landmarks),
        notes=(*notes, *_doubts(own, state, chosen.landmarks, size)),
    )


def fit_landmarks(model: PointModel, landmarks: Array, size: tuple[int, int]) -> State:
    """Person, expression, gaze, pose and camera from landmarks [478, 2 or 3] in a picture of `size`.

    Raises:
        InputError: the face is mostly outside the picture, or seen from the side.
    """
    inside = _inside(landmarks, size)
    if inside.mean() < _LEAST_SEEN:
        raise InputError(
            f"{inside.mean():.0%} of the face lies in the picture", "Give a picture that shows the whole face"
        )
    used = np.flatnonzero(model.known & inside & ~_held())
    centre = (size[0] / 2, size[1] / 2)
    state = first_state(model, landmarks[:, :2].astype(np.float64), used, centre, float(max(size)))
    for steps in (_COARSE, _FINE):
        state = solve(_problem(model, landmarks, state, size, float(max(size))), state, steps)
    turned = yaw(state.camera)
    if abs(turned) > _MOST_YAW:
        raise InputError(
            "the face is seen from the side",
            "Give a picture that shows both eyes",
        )
    return state


def fit_frame(
    model: PointModel, landmarks: Array, start: State, steps: int = _FRAME, expected: Array | float = 1.0
) -> State:
    """Pose, expression and gaze of one frame, beginning at `start`; person and focal length stay.

    Args:
        model: of one person, from `person_model`.
        landmarks: [478, 2 or 3] pixels.
        expected: how large weights [52] are, as a share of what is typical of portraits.
    """
    noise = pixel_noise(model, start.camera)
    noise[_shut_irises(start.weights)] = np.inf
    marks = landmarks[:, :2].astype(np.float64)
    return solve(Problem(model, marks, noise, 0.0, expected * typical_weights()), start, steps)


def person_model(face: FaceFile) -> PointModel:
    """The landmarks of one person's head, who stays that person."""
    return PointModel.of(face).at(np.zeros(len(face.identity_names)))


def state_of(fit: PortraitFit) -> State:
    """Where `fit_frame` begins."""
    weights = fit.weights.astype(np.float64)
    weights[list(LOOK_SHAPES)] = 0.0
    return State(fit.camera, np.zeros(0), weights, fit.gaze.astype(np.float64))


def expression(state: State) -> Array:
    """[52] weights 0-1 with the eyeLook* of the gaze."""
    return np.asarray(np.clip(state.weights + look_weights(state.gaze), 0, 1))


def yaw(camera: Pinhole) -> float:
    """Degrees by which a head is turned from the camera, positive toward the picture's right."""
    right, _, forward = camera.rotation @ np.array([0.0, -1.0, 0.0])
    return math.degrees(math.atan2(right, -forward))


def held_out_error(model: PointModel, state: State, landmarks: Array) -> float:
    """Mean distance of the landmarks that fits do not use, in inter-ocular distances."""
    places = model.place(state.identity, state.weights, state.gaze)
    rows = list(HELD_OUT)
    away = state.camera.project(places[rows])[:, :2] - landmarks[rows, :2]
    return float(np.linalg.norm(away, axis=1).mean() / _eye_distance(model, state))


def _eye_distance(model: PointModel, state: State) -> float:
    """Pixels that the eyes of this person would be apart if the face looked into the camera."""
    apart = float(np.linalg.norm(model.eyes[0] - model.eyes[1]))
    return apart * state.camera.focal / float(state.camera.view(model.eyes)[:, 2].mean())


def _problem(
    model: PointModel, landmarks: Array, state: State, size: tuple[int, int], longer: float = 0.0
) -> Problem:
    noise = pixel_noise(model, state.camera)
    noise[_held() | ~_inside(landmarks, size)] = np.inf
    noise[_shut_irises(state.weights)] = np.inf
    return Problem(model, landmarks[:, :2].astype(np.float64), noise, longer)


def _shut_irises(weights: Array) -> list[int]:
    blinks = (("eyeBlinkLeft", IRIS_LEFT), ("eyeBlinkRight", IRIS_RIGHT))
    return [i for name, iris in blinks if weights[ARKIT_INDEX[name]] > _SHUT for i in iris]


def _inside(landmarks: Array, size: tuple[int, int]) -> Array:
    return np.asarray(((landmarks[:, :2] >= 0) & (landmarks[:, :2] <= size)).all(1))


def _held() -> Array:
    held = np.zeros(LANDMARKS, bool)
    held[list(HELD_OUT)] = True
    return held


def _chosen(faces: list[DetectedFace], choose: int | None) -> tuple[DetectedFace, tuple[str, ...]]:
    """The face to fit, and a note where there are several."""
    if not faces:
        raise InputError(
            "no face was found in the picture",
            "Give a picture with a face of 40 pixels or more, both eyes visible",
        )
    boxes = "; ".join(
        f"{n} at {face.box[0]:.0f}, {face.box[1]:.0f}, {face.box[2]:.0f} x {face.box[3]:.0f} pixels"
        for n, face in enumerate(faces, 1)
    )
    if choose is not None and not 1 <= choose <= len(faces):
        raise InputError(f"there is no face {choose} in the picture", f"Choose one of: {boxes}")
    if len(faces) == 1 or choose is not None:
        return faces[(choose or 1) - 1], ()
    taken = f"the picture shows {len(faces)} faces, the largest was taken; choose another by its number"
    return faces[0], (f"{taken}: {boxes}",)


def _doubts(model: PointModel, state: State, landmarks: Array, size: tuple[int, int]) -> tuple[str, ...]:
    doubts = []
    eyes, error = _eye_distance(model, state), held_out_error(model, state, landmarks)
    if eyes < _SMALL:
        doubts.append(f"the face is small ({eyes:.0f} pixels between the eyes): details are guesses")
    if error > _POOR:
        doubts.append(f"the head fits the face poorly ({error:.1%} of the eye distance)")
    outside = 1 - _inside(landmarks, size).mean()
    if outside > 1 - _ALL_SEEN:
        doubts.append(f"{outside:.0%} of the face lies outside the picture: that part is a guess")
    if abs(yaw(state.camera)) > _TURNED:
        doubts.append(f"the face is turned by {abs(yaw(state.camera)):.0f} degrees: its far side is a guess")
    return tuple(doubts)


@cache
def _built_in() -> Basis:
    return Basis.of(load_head())


@cache
def _bundled() -> LandmarkSource:
    return bundled_landmarks()
