"""One person in several pictures of a video: identity and focal length that all of them share.

Bundle adjustment (Triggs et al., 2000): Gauss-Newton on all pictures at once, in which each picture's own
pose, expression and gaze are eliminated first (Schur complement), so that the cost grows with the number of
pictures only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.identity import with_identity
from models.face.lip_range import with_lip_basis
from models.render.camera import Pinhole

from .descent import Damping, descended
from .fitting import fit_frame, fit_landmarks, person_model
from .point_model import PointModel
from .sequence import neutral_state
from .solve import CAMERA, Problem, State, cost_of, linearised, pixel_noise, prior_terms, shifted

_FOCAL = CAMERA - 1  # its column: turn, place, focal length, identity, weights, gaze
# Landmarks stray much the same in every picture of a person, so that many pictures tell little more of the
# identity than a few: all together count as so many. Our choice.
_INDEPENDENT = 4.0
_PICTURES, _COLD, _STEPS = 12, 14, 12  # fitted together; steps from a neutral head, and of all together
_BELIEVED = 97.0  # per cent of the pictures that may be chosen; the others may be mistakes
_FARTHEST = 3e-3  # metres that a person's landmark may usually lie off; our choice
_MOST_TURN, _MOST_ZOOM = 0.3, 0.3  # radians, and of the focal length's logarithm, per step
_DAMPING = Damping(first=1e-2, harder=8, easier=4, least=1e-5)
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners


def solve_shared(problems: Sequence[Problem], starts: Sequence[State], steps: int) -> list[State]:
    """States of all pictures with one identity and one focal length, after `steps` steps.

    The starts share both already. A step that makes the fit worse is shortened.
    """

    def moved(states: list[State], damping: float) -> list[State]:
        moves = shared_step(problems, states, damping)[1]
        return [_limited(*three) for three in zip(problems, states, moves, strict=True)]

    return descended(list(starts), partial(_total, problems), moved, _DAMPING, steps)


def _total(problems: Sequence[Problem], states: Sequence[State]) -> float:
    """The pictures' costs, with the identity's prior as strong as `_INDEPENDENT` pictures ask."""
    identity, precision = states[0].identity, problems[0].model.precision
    once = float(identity @ precision @ identity)
    extra = (len(problems) / _INDEPENDENT - 1.0) * once if len(problems) > _INDEPENDENT else 0.0
    surplus = (len(problems) - 1) * once
    return sum(cost_of(p, s) for p, s in zip(problems, states, strict=True)) - surplus + extra


def shared_step(
    problems: Sequence[Problem], states: Sequence[State], damping: float
) -> tuple[Array, list[Array]]:
    """The Gauss-Newton step: of what is shared [1 + I] (focal length, identity), and of each picture's
    parameters [CAMERA + I + 52 + 4], the shared ones among them."""
    people = len(states[0].identity)
    shared = np.arange(_FOCAL, CAMERA + people)
    curve, slope = np.zeros((len(shared), len(shared))), np.zeros(len(shared))
    pictures = []
    for problem, state in zip(problems, states, strict=True):
        whole, gradient = _normal_equations(problem, state, damping)
        own = _own(problem, state, gradient, people)
        across = whole[np.ix_(shared, own)]
        solved = np.linalg.solve(whole[np.ix_(own, own)], np.column_stack([across.T, gradient[own]]))
        curve += whole[np.ix_(shared, shared)] - across @ solved[:, :-1]
        slope += gradient[shared] - across @ solved[:, -1]
        pictures.append((own, solved))
    strength = max(len(problems) / _INDEPENDENT, 1.0)
    precision = problems[0].model.precision
    curve[1:, 1:] += strength * precision
    slope[1:] += strength * precision @ states[0].identity
    together = -np.linalg.solve(curve, slope)
    moves = []
    for own, solved in pictures:
        move = np.zeros(CAMERA + people + len(states[0].weights) + 4)
        move[shared] = together
        move[own] = -solved[:, -1] - solved[:, :-1] @ together
        moves.append(move)
    return together, moves


def _normal_equations(problem: Problem, state: State, damping: float) -> tuple[Array, Array]:
    """Curvature and gradient of a picture's cost, without the prior of the identity."""
    people = slice(CAMERA, CAMERA + len(state.identity))
    residual, jacobian = linearised(problem, state)
    slope, curve = prior_terms(problem, state)
    slope[people], curve[people] = 0.0, 0.0
    whole = jacobian.T @ jacobian + curve
    return whole + damping * np.diag(np.diag(whole)), jacobian.T @ residual + slope


def _own(problem: Problem, state: State, gradient: Array, people: int) -> Array:
    """A picture's own columns that may move: no weight that is at an end and would leave."""
    first = CAMERA + people
    pushed = gradient[first : first + len(state.weights)]
    fixed = problem.typical <= 0
    ended = ((state.weights <= 0) & (pushed > 0)) | ((state.weights >= 1) & (pushed < 0))
    free = np.flatnonzero(~(fixed | ended)) + first
    last = np.arange(len(gradient) - 4, len(gradient))
    return np.concatenate([np.arange(_FOCAL), free, last])


def _limited(problem: Problem, state: State, move: Array) -> State:
    """`state` moved, within what is sensible."""
    move = move.copy()
    move[:3] = np.clip(move[:3], -_MOST_TURN, _MOST_TURN)
    move[_FOCAL] = np.clip(move[_FOCAL], -_MOST_ZOOM, _MOST_ZOOM)
    low, high = problem.model.limits.T
    after = shifted(problem, state, move)
    return replace(
        after, identity=np.clip(after.identity, low, high), weights=np.clip(after.weights, 0.0, 1.0)
    )


@dataclass(frozen=True)
class SharedPerson:
    """Who is in a video.

    Attributes:
        face: the neutral head; identity: [I] its weights.
        model: its landmarks, moved by what the detector places elsewhere on this person.
        camera: focal length and centre of all pictures; its pose means nothing.
    """

    face: FaceFile
    identity: Array
    model: PointModel
    camera: Pinhole


def shared_person(face: FaceFile, landmarks: Array, size: tuple[int, int]) -> SharedPerson:
    """The person of whom `landmarks` [n, 478, 3], pixels, were found in pictures of `size`.

    Raises:
        InputError: `face` has no identity, or it is not known where the landmarks lie on it.
    """
    model, longer = PointModel.of(face), float(max(size))
    chosen = landmarks[different(landmarks)].astype(np.float64)
    begin = fit_landmarks(model, chosen[0], size)
    own = model.at(begin.identity)
    states, problems = [], []
    for marks in chosen:
        state = fit_frame(own, marks, neutral_state(own, marks, begin.camera), _COLD)
        noise = pixel_noise(own, state.camera)
        states.append(replace(state, identity=begin.identity))
        problems.append(Problem(model, marks[:, :2], noise, longer))
    states = solve_shared(problems, states, _STEPS)
    identity = states[0].identity.astype(np.float32)
    person = with_identity(face, identity)
    if len(face.lip_basis):
        person = with_lip_basis(person)
    placed = person_model(person)
    moved = _usual_offsets(placed, states[0].camera, chosen)
    return SharedPerson(person, identity, replace(placed, mean=placed.mean + moved), states[0].camera)


def different(landmarks: Array) -> list[int]:
    """Up to `_PICTURES` rows of landmarks [n, 478, 3] in which the face differs most, the usual one first."""
    flat = np.asarray(landmarks[:, :, :2], np.float64)
    apart = np.linalg.norm(flat[:, _RIGHT_EYE] - flat[:, _LEFT_EYE], axis=1)
    looks = ((flat - flat.mean(1, keepdims=True)) / apart[:, None, None]).reshape(len(flat), -1)
    away = np.linalg.norm(looks - np.median(looks, axis=0), axis=1)
    chosen = [int(away.argmin())]
    away = np.where(
        away <= np.percentile(away, _BELIEVED), np.linalg.norm(looks - looks[chosen[0]], axis=1), 0
    )
    while len(chosen) < _PICTURES and away.max() > 0:
        chosen.append(int(away.argmax()))
        away = np.minimum(away, np.linalg.norm(looks - looks[chosen[-1]], axis=1))
    return chosen


def _usual_offsets(model: PointModel, camera: Pinhole, landmarks: Array) -> Array:
    """[478, 3] metres by which the landmarks [n, 478, 3] usually lie elsewhere than on the fitted head."""
    off = []
    for marks in landmarks:
        state = fit_frame(model, marks, neutral_state(model, marks, camera), _COLD)
        seen = state.camera.view(model.place(state.identity, state.weights, state.gaze))
        flat = seen[:, :2] * (camera.focal / seen[:, 2:]) + np.array(camera.centre)
        away = (marks[:, :2] - flat) * (seen[:, 2:] / camera.focal)
        off.append(np.column_stack([away, np.zeros(len(away))]) @ state.camera.rotation)
    usual = np.median(off, axis=0)
    size = np.linalg.norm(usual, axis=1, keepdims=True)
    return np.asarray(usual * np.minimum(1.0, _FARTHEST / np.maximum(size, 1e-9)))
