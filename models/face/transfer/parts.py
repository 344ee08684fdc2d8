"""The target's other islands: eyeballs turn, lower teeth and tongue go with the jaw, others with the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from blender_addon.protocol.face import FaceFile

from .placement import Similarity, fit_similarity
from .surface import Floats, Ints

MOUTH_PARTS = ("upper_teeth", "lower_teeth", "tongue")
_EYE_REACH = 0.5  # eye widths between the places of our ball and an island's middle
_MOUTH_REACH = 0.35  # mouth widths between the places of our part and an island's middle
_ROUND = 0.15  # spread of an eyeball's radius, in radii


@dataclass(frozen=True)
class Part:
    """An island: its vertices' ids, and our region that it answers to, "" where it follows the skin."""

    ids: Ints
    region: str


@dataclass(frozen=True)
class Ball:
    """An eyeball of the target."""

    centre: Floats
    radius: float
    ids: Ints


def find_eyeballs(
    vertices: Floats, islands: list[Ints], guesses: dict[str, tuple[Floats, float]]
) -> dict[str, Ball]:
    """Side -> the largest round island near the guessed centre; `guesses` are centres and eye widths."""
    balls: dict[str, Ball] = {}
    for ids in islands:
        low, high = vertices[ids].min(0), vertices[ids].max(0)
        centre = (low + high) / 2
        radii = np.linalg.norm(vertices[ids] - centre, axis=1)
        if radii.std() > _ROUND * radii.mean():
            continue
        for side, (guess, width) in guesses.items():
            near = np.linalg.norm(centre - guess) < _EYE_REACH * width
            like = 0.3 * width < radii.mean() < 1.5 * width
            if near and like and (side not in balls or radii.mean() > balls[side].radius):
                balls[side] = Ball(centre, float(radii.mean()), ids)
    return balls


def classify(
    vertices: Floats,
    islands: list[Ints],
    face: FaceFile,
    fit: Similarity,
    balls: dict[str, Ball],
    width: float,
) -> list[Part]:
    """What each island is. `fit` carries our head to the target; `width` is that of the target's mouth."""
    eyes = {side: (ball.centre, ball.radius) for side, ball in balls.items()}
    mouth = {name: fit(face.vertices[_region(face, name)].astype(np.float64)) for name in MOUTH_PARTS}
    trees = {name: KDTree(points) for name, points in mouth.items() if len(points)}
    parts = []
    for ids in islands:
        at = vertices[ids]
        middle = (at.min(0) + at.max(0)) / 2
        region = ""
        for side, (centre, radius) in eyes.items():
            if np.linalg.norm(middle - centre) < 0.5 * radius and np.ptp(at, axis=0).max() < 2.6 * radius:
                region = f"eye.{side}"
        if not region and trees and np.ptp(at, axis=0).max() < 2 * width:
            distance = {name: float(tree.query(at)[0].mean()) for name, tree in trees.items()}
            nearest = min(distance, key=distance.__getitem__)
            region = nearest if distance[nearest] < _MOUTH_REACH * width else ""
        parts.append(Part(ids, region))
    return parts


def move_part(at: Floats, region: str, face: FaceFile, fit: Similarity, shapes: Floats) -> Floats:
    """Displacements [S, n, 3] of an island's vertices `at` [n, 3] that answers to our `region`.

    Teeth and eyeballs move rigidly, as ours do, about the same place; a tongue by its nearest places on ours.
    """
    ids = _region(face, region)
    ours, moves = face.vertices[ids].astype(np.float64), shapes[:, ids].astype(np.float64)
    result = np.zeros((len(shapes), len(at), 3))
    if region == "tongue":
        nearest = KDTree(_boxed(fit(ours))).query(_boxed(at))[1]
        return np.asarray(fit.scale * moves[:, nearest] @ fit.rotation.T)
    for i in np.flatnonzero(np.abs(moves).max((1, 2)) > 0):
        rigid = fit_similarity(fit(ours), fit(ours + moves[i]))
        arm = at - fit(ours).mean(0)
        result[i] = arm @ rigid.rotation.T + fit(ours + moves[i]).mean(0) - at
    return result


def _boxed(points: Floats) -> Floats:
    boxed: Floats = (points - points.min(0)) / np.maximum(np.ptp(points, axis=0), 1e-9)
    return boxed


def _region(face: FaceFile, name: str) -> Ints:
    number = face.region_names.index(name) if name in face.region_names else -1
    return np.flatnonzero(face.region == number)
