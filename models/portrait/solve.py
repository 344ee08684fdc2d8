"""Damped Gauss-Newton: pose, camera, person, expression and gaze from landmarks, all at once.

The cost is the landmarks' distances in the picture, each over its uncertainty and robust, plus minus the
logarithm of the priors. Weights that leave their range are held at its end and the rest is solved again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from blender_addon.protocol.tensorfile import Array
from models.face.deform import rotation
from models.render.camera import Pinhole

from . import priors
from .landmarks import IRIS_LEFT, IRIS_RIGHT
from .point_model import PointModel

_ROBUST = 2.5  # uncertainties beyond which a landmark counts less
_CAMERA = 7  # parameters before the weights: turn [3], place [3], logarithm of the focal length
_MOST_TURN = 0.5  # radians per step
_MOST_GAZE = np.radians(40.0)
_NEAREST = 0.05  # metres from the camera
_HOLDS = 6  # rounds of holding parameters at their bounds


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
    """

    model: PointModel
    landmarks: Array
    noise: Array
    longer: float

    @cached_property
    def used(self) -> Array:
        """Numbers [n] of the landmarks that are used."""
        return np.flatnonzero(np.isfinite(self.noise))

    @cached_property
    def fields(self) -> Array:
        """[n, 3, I + 52] what the weights move."""
        both = [self.model.identity[:, self.used], self.model.shapes[:, self.used]]
        return np.ascontiguousarray(np.concatenate(both).transpose(1, 2, 0))

    @cached_property
    def curve(self) -> Array:
        """[parameters, parameters] curvature of the priors that are normal distributions about 0."""
        people, shapes = len(self.model.identity), len(self.model.shapes)
        count = _CAMERA + people + shapes + 4
        curve = np.zeros((count, count))
        first = _CAMERA + people
        curve[_CAMERA:first, _CAMERA:first] = self.model.precision
        typical = priors.typical_weights()
        rows = first + np.flatnonzero(typical)
        curve[rows, rows] = 1 / typical[typical > 0] ** 2
        looks = np.arange(count - 4, count)
        curve[looks, looks] = 1 / priors.GAZE**2
        _tie(curve, first + priors.paired_shapes(), priors.UNEVEN)
        _tie(curve, looks.reshape(2, 2).T, priors.CROSSED)
        return curve

    @cached_property
    def free(self) -> Array:
        """Numbers of the parameters that are fitted."""
        camera, people = [*[True] * 6, self.longer > 0], [True] * len(self.model.identity)
        return np.flatnonzero([*camera, *people, *(priors.typical_weights() > 0), *[True] * 4])


def solve(problem: Problem, start: State, steps: int) -> State:
    """`start` after `steps` steps; a step that makes the fit worse is shortened."""
    state, damping = start, 1e-3
    cost = _cost(problem, state)
    for _ in range(steps):
        for _ in range(4):
            moved = _step(problem, state, damping)
            after = _cost(problem, moved)
            if after <= cost:
                break
            damping *= 10
        else:
            break
        gained, state, cost = cost - after, moved, after
        damping = max(damping / 5, 1e-6)
        if gained < 1e-4 * cost:
            break
    return state


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
    residual, jacobian = _linearised(problem, state)
    slope, prior = _prior(problem, state)
    free = problem.free
    inner = jacobian[:, free]
    gradient = inner.T @ residual + slope[free]
    curve = inner.T @ inner + prior[np.ix_(free, free)]
    curve += damping * np.diag(np.diag(curve))
    low, high = (bound[free] for bound in _bounds(problem, state))
    move = np.zeros(len(prior))
    move[free] = _bounded(curve, gradient, low, high)
    return _moved(state, move)


def _bounded(curve: Array, gradient: Array, low: Array, high: Array) -> Array:
    """The step that lowers the quadratic most, what goes beyond its bounds being held there."""
    move = np.zeros(len(gradient))
    held = np.zeros(len(gradient), bool)
    for _ in range(_HOLDS):
        rows, fixed = np.flatnonzero(~held), np.flatnonzero(held)
        wanted = gradient[rows] + curve[np.ix_(rows, fixed)] @ move[fixed]
        move[rows] = -cho_solve(cho_factor(curve[np.ix_(rows, rows)]), wanted)
        beyond = ~held & ((move < low) | (move > high))
        if not beyond.any():
            break
        move = np.clip(move, low, high)
        held |= beyond
    return np.asarray(np.clip(move, low, high))


def _linearised(problem: Problem, state: State) -> tuple[Array, Array]:
    """Weighted residuals [2 n] and their derivative [2 n, parameters] of the landmarks that are used."""
    model, camera, used = problem.model, state.camera, problem.used
    placed = model.place(state.identity, state.weights, state.gaze)
    looks = model.gaze_moves(placed, state.identity, state.gaze)[:, used].transpose(1, 2, 0)  # [n, 3, 4]
    seen = camera.view(placed[used])  # [n, 3]
    scale = camera.focal / seen[:, 2]
    flat = seen[:, :2] * scale[:, None]
    away = flat + np.array(camera.centre) - problem.landmarks[used]
    share = _share(np.linalg.norm(away, axis=1) / problem.noise[used]) / problem.noise[used]
    to_pixel = np.zeros((len(used), 2, 3))  # d pixel / d seen
    to_pixel[:, 0, 0] = to_pixel[:, 1, 1] = scale
    to_pixel[:, :, 2] = -flat / seen[:, 2:]
    to_pixel *= share[:, None, None]
    moves = to_pixel @ camera.rotation
    zoom = (flat * share[:, None])[:, :, None]
    spin = _spin(seen - camera.translation)
    jacobian = np.concatenate(
        [to_pixel @ spin, to_pixel, zoom, moves @ problem.fields, moves @ looks], axis=2
    )
    return (away * share[:, None]).reshape(-1), jacobian.reshape(2 * len(used), -1)


def _spin(arm: Array) -> Array:
    """[n, 3, 3] what small rotation vectors do to `arm` [n, 3]."""
    spin = np.zeros((len(arm), 3, 3))
    spin[:, 0, 1], spin[:, 0, 2] = arm[:, 2], -arm[:, 1]
    spin[:, 1, 0], spin[:, 1, 2] = -arm[:, 2], arm[:, 0]
    spin[:, 2, 0], spin[:, 2, 1] = arm[:, 1], -arm[:, 0]
    return spin


def _share(size: Array) -> Array:
    """Root of the weight of residuals of `size` uncertainties (Huber)."""
    share: Array = np.sqrt(np.minimum(1.0, _ROBUST / np.maximum(size, 1e-9)))
    return share


def _tie(curve: Array, pairs: Array, spread: float) -> None:
    """Add the curvature of differences of `pairs` [n, 2] that are typically `spread`."""
    one, other = pairs.T
    curve[one, one] += 1 / spread**2
    curve[other, other] += 1 / spread**2
    curve[one, other] -= 1 / spread**2
    curve[other, one] -= 1 / spread**2


def _prior(problem: Problem, state: State) -> tuple[Array, Array]:
    """Gradient and curvature of the priors' part of the cost."""
    value = np.concatenate([np.zeros(_CAMERA), state.identity, state.weights, state.gaze])
    gradient, curve = problem.curve @ value, problem.curve
    if problem.longer:
        curve = curve.copy()
        depth, far, focal = _camera_off(problem, state)
        curve[5, 5] = 1 / (priors.DISTANCE_SPREAD * depth) ** 2
        gradient[5] = far / (priors.DISTANCE_SPREAD * depth)
        curve[6, 6] = 1 / priors.FOCAL_SPREAD**2
        gradient[6] = focal / priors.FOCAL_SPREAD
    return gradient, curve


def _camera_off(problem: Problem, state: State) -> tuple[float, float, float]:
    """Depth in metres, and how unusual depth and focal length are, in their spreads."""
    depth = max(float(state.camera.translation[2]), _NEAREST)
    far = np.log(depth / priors.DISTANCE) / priors.DISTANCE_SPREAD
    focal = np.log(state.camera.focal / (priors.FOCAL * problem.longer)) / priors.FOCAL_SPREAD
    return depth, float(far), float(focal)


def _cost(problem: Problem, state: State) -> float:
    """Twice minus the logarithm of how likely `state` is."""
    used = problem.used
    placed = problem.model.place(state.identity, state.weights, state.gaze)[used]
    seen = state.camera.view(placed)
    if (seen[:, 2] < _NEAREST).any():
        return np.inf
    flat = seen[:, :2] * (state.camera.focal / seen[:, 2:]) + np.array(state.camera.centre)
    size = np.linalg.norm(flat - problem.landmarks[used], axis=1) / problem.noise[used]
    data = np.where(size < _ROBUST, size**2, _ROBUST * (2 * size - _ROBUST)).sum()
    value = np.concatenate([np.zeros(_CAMERA), state.identity, state.weights, state.gaze])
    cost = data + value @ problem.curve @ value
    if problem.longer:
        _, far, focal = _camera_off(problem, state)
        cost += far**2 + focal**2
    return float(cost)


def _bounds(problem: Problem, state: State) -> tuple[Array, Array]:
    """Least and greatest step of each parameter."""
    depth, limits = state.camera.translation[2], problem.model.limits
    low = [*[-_MOST_TURN] * 3, -np.inf, -np.inf, -0.5 * depth, -0.4]
    high = [*[_MOST_TURN] * 3, np.inf, np.inf, depth, 0.4]
    return (
        np.concatenate([low, limits[:, 0] - state.identity, -state.weights, -_MOST_GAZE - state.gaze]),
        np.concatenate([high, limits[:, 1] - state.identity, 1 - state.weights, _MOST_GAZE - state.gaze]),
    )


def _moved(state: State, move: Array) -> State:
    camera, first = state.camera, _CAMERA + len(state.identity)
    u, _, v = np.linalg.svd(rotation(move[:3]) @ camera.rotation)
    return State(
        replace(
            camera,
            rotation=u @ v,
            translation=camera.translation + move[3:6],
            focal=float(camera.focal * np.exp(move[6])),
        ),
        state.identity + move[_CAMERA:first],
        state.weights + move[first:-4],
        state.gaze + move[-4:],
    )
