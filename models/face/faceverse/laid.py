"""MediaPipe's 478 points on a mesh that does not have them: where our own head's come to lie on it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.transfer.assemble import Fitted
from models.face.transfer.surface import Floats, Ints
from models.portrait.landmarks import IRIS_LEFT, IRIS_RIGHT
from models.portrait.points import landmark_points

_IRISES = {"L": list(IRIS_LEFT), "R": list(IRIS_RIGHT)}


def laid_points(fitted: Fitted, placed: Floats) -> Ints:
    """[478] vertices of the mesh nearest to our head's points.

    Lips are kept apart where they touch. Irises lie on the eyeballs, or between the lids without one.

    Args:
        placed: [n, 3] our skin on the mesh, as `fit_head` gives it.
    """
    source, target = fitted.head.face, fitted.match.target
    points = landmark_points(source)
    laid = np.zeros(source.vertices.shape)
    laid[fitted.head.skin] = placed
    goal = points.of(laid)
    nearest = np.zeros(len(goal), np.int64)
    ours = np.searchsorted(fitted.head.skin, points.ids[:, 0]).clip(0, len(fitted.head.skin) - 1)
    labels = fitted.head.model.labels[ours]
    for label in np.unique(labels, axis=0):
        rows = np.flatnonzero((labels == label).all(1))
        usable = np.flatnonzero((target.labels * label >= 0).all(1))
        nearest[rows] = fitted.skin[usable[KDTree(target.surface.vertices[usable]).query(goal[rows])[1]]]
    rest = points.of(source.vertices.astype(np.float64))
    for side, iris in _IRISES.items():
        nearest[iris] = _iris(fitted, side, rest[iris])
    return nearest


def _iris(fitted: Fitted, side: str, places: Array) -> Ints:
    """Vertices of an eyeball in the directions of our iris' points [5, 3]."""
    target, ball = fitted.match.target, fitted.balls.get(side)
    if ball is None:
        at = target.surface.vertices
        middle = at[[target.landmarks[f"eye_{end}.{side}"] for end in ("inner", "outer")]].mean(0)
        alone: Ints = fitted.skin[np.full(len(places), np.linalg.norm(at - middle, axis=1).argmin())]
        return alone
    arm = places - _centre(fitted.head.face, side)
    goal = ball.centre + ball.radius * arm / np.linalg.norm(arm, axis=1, keepdims=True)
    found: Ints = ball.ids[KDTree(fitted.vertices[ball.ids]).query(goal)[1]]
    return found


def _centre(face: FaceFile, side: str) -> Floats:
    return np.array(next(bone.head for bone in face.bones if bone.name == f"eye.{side}"))
