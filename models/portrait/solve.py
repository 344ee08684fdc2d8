"""Damped Gauss-Newton: pose, camera, person, expression and gaze from landmarks, all at once.

The cost is the landmarks' distances in the picture, each over its uncertainty and robust, plus minus the
logarithm of the priors. Weights that leave their range are held at its end and the rest is solved again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from blender_addon.protocol.tensorfile import Array
from models.face.deform import rotation
from models.render.camera import Pinhole

from . import priors
from .descent import Damping, descended
from .landmarks import IRIS_LEFT, IRIS_RIGHT
from .point_model import PointModel, look_shapes

_ROBUST = 2.5  # uncertainties beyond which a landmark counts less
CAMERA = 7  # parameters before the weights: turn [3], place [3], logarithm of the focal length
_MOST_TURN = 0.5  # radians per step
_DAMPING = Damping(first=1e-3, harder=10, easier=5, least=1e-6)


@dataclass(frozen=True)
class State:
    """What is fitted.

    Attributes:
        camera: of the picture, with the head's pose.
        identity: [I]; weights: [52] without eyeLook*; gaze: [4] radians.
    """

    camera: Pinhole
    identity: Array
    weights: Array
    gaze: Array


@dataclass(frozen=True)
class Problem:
    """What to fit to.

    Attributes:
        landmarks: [478, 2] pixels.
        noise: [478] pixels; infinite for a landmark that is not used.
        longer: side of the picture, pixels, for the prior of the focal length; 0 to hold the focal length.
        typical: [52] typical expression weights; 0 for what is not fitted.
    """

    model: PointModel
    landmarks: Array
    noise: Array
    longer: float
    typical: Array = field(default_factory=priors.typical_weights)


def solve(problem: Problem, start: State, steps: int) -> State:
    """`start` after `steps` steps; a step that makes the fit worse is shortened."""
    return descended(start, partial(cost_of, problem), partial(_step, problem), _DAMPING, steps)


def first_state(
    model: PointModel, landmarks: Array, used: Array, centre: tuple[float, float], longer: float
) -> State:
    """A neutral average person where the landmarks [478, 2] are, seen from the usual distance."""
    points, seen = model.mean[used], landmarks[used]
    middle, at = points.mean(0), seen.mean(0)
    affine = np.linalg.lstsq(points - middle, seen - at, rcond=None)[0].T  # [2, 3]
    u, size, v = np.linalg.svd(affine, full_matrices=False)
    rows = u @ v
    turn = np.stack([rows[0], rows[1], np.cross(rows[0], rows[1])])
    focal = priors.FOCAL * longer
    depth = focal / size.mean()
    shift = np.array([*((at - np.array(centre)) / size.mean()), depth]) - turn @ middle
    camera = Pinhole(turn, shift, focal, centre)
    return State(camera, np.zeros(len(model.identity)), np.zeros(len(model.shapes)), np.zeros(4))


def pixel_noise(model: PointModel, camera: Pinhole) -> Array:
    """[478] pixels by which landmarks stray on a face seen so: more where its surface is seen edge on."""
    seen = camera.view(model.mean)
    unit = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    facing = -((model.normal @ camera.rotation.T) * unit).sum(1)
    hidden = np.clip((0.45 - facing) / 0.6, 0, 1)
    hidden[list(IRIS_LEFT + IRIS_RIGHT)] = 0.0
    scale = camera.focal / seen[:, 2].mean() * priors.EYE_DISTANCE
    noise = np.hypot(priors.landmark_noise(), priors.GRAZING * hidden) * scale
    return np.where(model.known, noise, np.inf)


def _step(problem: Problem, state: State, damping: float) -> State:
    residual, jacobian = linearised(problem, state)
    gradient, curve = jacobian.T @ residual, jacobian.T @ jacobian
    slope, prior = prior_terms(problem, state)
    gradient, curve = gradient + slope, curve + prior
    curve = curve + damping * np.diag(np.diag(curve))
    low, high = _bounds(problem, state)
    free = _free(problem)
    move = np.zeros(len(gradient))
    held = ~free
    for _ in range(6):
        rows = np.flatnonzero(~held)
        part = curve[np.ix_(rows, rows)]
        wanted = -(gradient[rows] + curve[np.ix_(rows, np.flatnonzero(held))] @ move[held])
        move[rows] = cho_solve(cho_factor(part), wanted)
        beyond = ~held & ((move < low) | (move > high))
        if not beyond.any():
            break
        move = np.clip(move, low, high)
        held |= beyond
    return shifted(problem, state, np.clip(move, low, high))


def linearised(problem: Problem, state: State) -> tuple[Array, Array]:
    """Weighted residuals [2 * 478] and their derivative [2 * 478, parameters]; 0 for unused landmarks."""
    model, camera = problem.model, state.camera
    placed = model.place(state.identity, state.weights, state.gaze)
    looks = _gaze_moves(model, state, placed).transpose(1, 2, 0)  # [478, 3, 4]
    seen = camera.view(placed)  # [478, 3]
    scale = camera.focal / seen[:, 2]
    flat = seen[:, :2] * scale[:, None]
    away = flat + np.array(camera.centre) - problem.landmarks
    share = _share(np.linalg.norm(away, axis=1) / problem.noise) / problem.noise
    # d pixel / d seen: [478, 2, 3]
    to_pixel = np.zeros((len(placed), 2, 3))
    to_pixel[:, 0, 0] = to_pixel[:, 1, 1] = scale
    to_pixel[:, :, 2] = -flat / seen[:, 2:]
    turned = seen - camera.translation
    spin = np.zeros((len(placed), 3, 3))  # of omega x turned
    spin[:, 0, 1], spin[:, 0, 2] = turned[:, 2], -turned[:, 1]
    spin[:, 1, 0], spin[:, 1, 2] = -turned[:, 2], turned[:, 0]
    spin[:, 2, 0], spin[:, 2, 1] = turned[:, 1], -turned[:, 0]
    to_pixel *= share[:, None, None]
    moves = to_pixel @ camera.rotation
    zoom = (flat * share[:, None])[:, :, None]
    weighted = np.concatenate([to_pixel @ spin, to_pixel, zoom, moves @ model.fields, moves @ looks], axis=2)
    return (away * share[:, None]).reshape(-1), weighted.reshape(2 * len(placed), -1)


def _share(size: Array) -> Array:
    """Root of the weight of residuals of `size` uncertainties (Huber)."""
    share: Array = np.sqrt(np.minimum(1.0, _ROBUST / np.maximum(size, 1e-9)))
    return share


def _gaze_moves(model: PointModel, state: State, placed: Array) -> Array:
    """[4, 478, 3] what a radian of each gaze angle moves: irises round the eye, and lids."""
    moves = np.zeros((4, *placed.shape))
    centres = model.eyes
    if len(state.identity):
        centres = centres + np.tensordot(state.identity, model.eyes_identity, 1)
    for number, (shape, per_radian) in enumerate(look_shapes(state.gaze)):
        moves[number] = model.shapes[shape] * per_radian
        side, yaw = number // 2, state.gaze[number | 1]
        axis = (0.0, 0.0, 1.0) if number % 2 else (-np.cos(yaw), -np.sin(yaw), 0.0)
        ids = list((IRIS_LEFT, IRIS_RIGHT)[side])
        moves[number, ids] += np.cross(axis, placed[ids] - centres[side])
    return moves


def prior_terms(problem: Problem, state: State) -> tuple[Array, Array]:
    """Gradient and curvature of the priors' part of the cost."""
    people, shapes = len(state.identity), len(state.weights)
    count = CAMERA + people + shapes + 4
    curve, value = np.zeros((count, count)), np.zeros(count)
    faces, looks = slice(CAMERA, CAMERA + people), slice(count - 4, count)
    first = CAMERA + people
    curve[faces, faces] = problem.model.precision
    value[faces] = state.identity
    typical = problem.typical
    rows = np.flatnonzero(typical)
    curve[first + rows, first + rows] = 1 / typical[rows] ** 2
    value[first : first + shapes] = state.weights
    for left, right in priors.paired_shapes():
        _tie(curve, first + left, first + right, priors.UNEVEN)
    curve[looks, looks] += np.eye(4) / priors.GAZE**2
    value[looks] = state.gaze
    for left in (count - 4, count - 3):
        _tie(curve, left, left + 2, priors.CROSSED)
    gradient = curve @ value
    if problem.longer:
        curve[5, 5] += 1 / (priors.DISTANCE_SPREAD * priors.DISTANCE) ** 2
        depth = max(state.camera.translation[2], 0.05)
        slope = np.log(depth / priors.DISTANCE) / (priors.DISTANCE_SPREAD**2 * depth)
        curve[5, 5] = 1 / (priors.DISTANCE_SPREAD * depth) ** 2
        gradient[5] += slope
        curve[6, 6] += 1 / priors.FOCAL_SPREAD**2
        gradient[6] += _focal_off(problem, state) / priors.FOCAL_SPREAD**2
    return gradient, curve


def _focal_off(problem: Problem, state: State) -> float:
    return float(np.log(state.camera.focal / (priors.FOCAL * problem.longer)))


def _tie(curve: Array, one: int, other: int, spread: float) -> None:
    """Add the curvature of a difference that is typically `spread`."""
    curve[[one, other], [one, other]] += 1 / spread**2
    curve[[one, other], [other, one]] -= 1 / spread**2


def cost_of(problem: Problem, state: State) -> float:
    """Twice minus the logarithm of how likely `state` is."""
    placed = problem.model.place(state.identity, state.weights, state.gaze)
    seen = state.camera.view(placed)
    if (seen[:, 2] < 0.02).any():
        return np.inf
    flat = seen[:, :2] * (state.camera.focal / seen[:, 2:]) + np.array(state.camera.centre)
    size = np.linalg.norm(flat - problem.landmarks, axis=1) / problem.noise
    data = np.where(size < _ROBUST, size**2, _ROBUST * (2 * size - _ROBUST)).sum()
    return float(data + _prior_cost(problem, state))


def _prior_cost(problem: Problem, state: State) -> float:
    typical = problem.typical
    rows = np.flatnonzero(typical)
    pairs = np.array(priors.paired_shapes())
    uneven = state.weights[pairs[:, 0]] - state.weights[pairs[:, 1]]
    crossed = state.gaze[:2] - state.gaze[2:]
    cost = state.identity @ problem.model.precision @ state.identity if len(state.identity) else 0.0
    cost += ((state.weights[rows] / typical[rows]) ** 2).sum() + ((uneven / priors.UNEVEN) ** 2).sum()
    cost += ((state.gaze / priors.GAZE) ** 2).sum() + ((crossed / priors.CROSSED) ** 2).sum()
    if problem.longer:
        depth = max(state.camera.translation[2], 0.05)
        cost += (np.log(depth / priors.DISTANCE) / priors.DISTANCE_SPREAD) ** 2
        cost += (_focal_off(problem, state) / priors.FOCAL_SPREAD) ** 2
    return float(cost)


def _bounds(problem: Problem, state: State) -> tuple[Array, Array]:
    """Least and greatest step of each parameter."""
    looks = np.radians(40.0)
    depth = state.camera.translation[2]
    low = [-_MOST_TURN] * 3 + [-np.inf, -np.inf, -0.5 * depth, -0.4]
    high = [_MOST_TURN] * 3 + [np.inf, np.inf, depth, 0.4]
    return (
        np.concatenate(
            [low, problem.model.limits[:, 0] - state.identity, -state.weights, -looks - state.gaze]
        ),
        np.concatenate(
            [high, problem.model.limits[:, 1] - state.identity, 1 - state.weights, looks - state.gaze]
        ),
    )


def _free(problem: Problem) -> Array:
    """[parameters] bool: what is fitted."""
    camera = [True] * 6 + [problem.longer > 0]
    people = [True] * len(problem.model.identity)
    return np.array([*camera, *people, *(problem.typical > 0), *([True] * 4)])


def shifted(problem: Problem, state: State, move: Array) -> State:
    camera, people = state.camera, len(state.identity)
    turned = rotation(move[:3]) @ camera.rotation
    u, _, v = np.linalg.svd(turned)
    first = CAMERA + people
    return State(
        replace(
            camera,
            rotation=u @ v,
            translation=camera.translation + move[3:6],
            focal=float(camera.focal * np.exp(move[6])),
        ),
        state.identity + move[CAMERA:first],
        state.weights + move[first:-4],
        state.gaze + move[-4:],
    )
