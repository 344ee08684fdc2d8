"""Landmarks of a target mesh, and how its units and axes lie to ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

import numpy as np

from blender_addon.protocol.errors import InputError

from .surface import Floats, Ints, Surface

NEEDED = (
    "nose_tip",
    "chin",
    "mouth_corner.L",
    "mouth_corner.R",
    "lip_upper_middle",
    "lip_lower_middle",
    "eye_inner.L",
    "eye_inner.R",
    "eye_outer.L",
    "eye_outer.R",
    "lid_upper_middle.L",
    "lid_upper_middle.R",
    "lid_lower_middle.L",
    "lid_lower_middle.R",
)
_STEEPEST = 40.0  # degrees between the head's axes and the nearest of the mesh's axes
_WORST_FIT = 0.45  # root mean square misfit of a similarity, in distances between the eyes
_SNAP = 0.02  # of the face's height: how far a landmark's coordinates may be from a vertex
_LIP_GAP = 0.005  # of the face's height: how far apart the vertices of closed lips may be

Marks = Mapping[str, int | tuple[float, float, float]]


def read_landmarks(path: Path) -> dict[str, int | tuple[float, float, float]]:
    """Landmark name -> vertex id, or coordinates in the mesh's own units. Raises `InputError`."""
    hint = 'Write {"nose_tip": 1234, "chin": [x, y, z], ...}'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", "Check the path") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error})", hint) from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no names of landmarks", hint)
    marks: dict[str, int | tuple[float, float, float]] = {}
    for name, value in content.items():
        if isinstance(value, int) and not isinstance(value, bool):
            marks[name] = value
        elif isinstance(value, list) and len(value) == 3 and all(isinstance(v, int | float) for v in value):
            marks[name] = (float(value[0]), float(value[1]), float(value[2]))
        else:
            raise InputError(f"{path}: {name} is neither a vertex id nor three coordinates", hint)
    return marks


def check_names(marks: Marks, known: Mapping[str, int]) -> None:
    """Raise `InputError` for a name that is not in `known` or a needed one that is missing."""
    unknown = [name for name in marks if name not in known]
    if unknown:
        raise InputError(
            f"no landmark is called {', '.join(unknown)}", f"Known are {', '.join(sorted(known))}"
        )
    missing = [name for name in NEEDED if name not in marks]
    if missing:
        raise InputError(f"landmarks are missing: {', '.join(missing)}", f"Needed are {', '.join(NEEDED)}")


def landmark_ids(marks: Marks, surface: Surface) -> dict[str, int]:
    """Vertex ids of landmarks; coordinates take the nearest vertex, on closed lips that of the right lip."""
    vertices = surface.vertices
    points = {name: _coordinates(name, mark, vertices) for name, mark in marks.items()}
    height = float(np.ptp(np.array(list(points.values())), axis=0).max())
    lids = [points[f"lid_upper_middle.{side}"] for side in "LR"]
    up = np.mean(lids, axis=0) - points["chin"]
    ids = {}
    for name, mark in marks.items():
        if isinstance(mark, int):
            ids[name] = mark
            continue
        distance = np.linalg.norm(vertices - points[name], axis=1)
        if distance.min() > _SNAP * height:
            raise InputError(
                f"landmark {name} is {distance.min():.4g} away from the mesh",
                "Use the coordinates of the OBJ file",
            )
        near = np.flatnonzero(distance <= distance.min() + _LIP_GAP * height)
        side = {"lip_upper_middle": 1.0, "lip_lower_middle": -1.0}.get(name, 0.0)
        ids[name] = int(near[np.argmax(side * _lies_below(surface, near, up) - distance[near] / height)])
    return ids


def _lies_below(surface: Surface, ids: Ints, up: Floats) -> Floats:
    """[n] 1 for vertices whose neighbours lie above them, as on the upper lip's line, else -1."""
    rows = surface.graph(np.ones(len(surface.edges)))[ids]
    middle = rows @ surface.vertices / np.maximum(np.asarray(rows.sum(1)), 1)
    return np.where((middle - surface.vertices[ids]) @ up > 0, 1.0, -1.0)


def _coordinates(name: str, mark: int | tuple[float, float, float], vertices: Floats) -> Floats:
    if isinstance(mark, int):
        if not 0 <= mark < len(vertices):
            raise InputError(
                f"landmark {name} is vertex {mark} of a mesh with {len(vertices)}", "Count vertices from 0"
            )
        place: Floats = vertices[mark]
        return place
    return np.array(mark)


@dataclass(frozen=True)
class Similarity:
    """points -> scale * rotation @ points + shift, and the root mean square misfit in target units."""

    scale: float
    rotation: Floats
    shift: Floats
    misfit: float

    def __call__(self, points: Floats) -> Floats:
        """[n, 3] -> [n, 3]"""
        moved: Floats = self.scale * points @ self.rotation.T + self.shift
        return moved


def fit_similarity(source: Floats, target: Floats, mirrored: bool = False) -> Similarity:
    """Least-squares similarity (Umeyama 1991) of points [n, 3]; with `mirrored` the best reflection."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.sign(np.linalg.det(u @ vt)) * (-1 if mirrored else 1)
    flip = np.array([1, 1, sign])
    rotation = (u * flip) @ vt
    scale = float((s * flip).sum() / (a**2).sum())
    shift = target.mean(0) - scale * rotation @ source.mean(0)
    misfit = np.sqrt(((scale * a @ rotation.T - b) ** 2).sum(1).mean())
    return Similarity(scale, rotation, shift, float(misfit))


def fit_upright(source: Floats, target: Floats) -> Similarity:
    """Centre and spread of points [n, 3] brought to those of others, without turning them.

    A chin that recedes would turn a full fit back with it, and the jaw's way down along with that.
    """
    a, b = source - source.mean(0), target - target.mean(0)
    scale = float(np.sqrt((b**2).sum() / (a**2).sum()))
    misfit = float(np.sqrt(((scale * a - b) ** 2).sum(1).mean()))
    return Similarity(scale, np.eye(3), target.mean(0) - scale * source.mean(0), misfit)


@dataclass(frozen=True)
class Placement:
    """The mesh's own coordinates -> the face file's: metres = unit * axes @ coordinates."""

    unit: float
    axes: Floats

    def __call__(self, points: Floats) -> Floats:
        """[n, 3] -> [n, 3]"""
        placed: Floats = self.unit * points @ self.axes.T
        return placed


def find_placement(source: Floats, target: Floats, unit: float | None) -> Placement:
    """Axes and unit of a mesh.

    Args:
        source, target: [14, 3] our landmarks in metres and the mesh's, in the order of `NEEDED`.
        unit: metres per unit of the mesh; None for the power of ten that makes the head most like ours.
    """
    fit, mirror = fit_similarity(source, target), fit_similarity(source, target, mirrored=True)
    if mirror.misfit < 0.6 * fit.misfit:
        raise InputError(
            "the landmarks fit a mirrored head", "L is the subject's left: swap .L and .R, or mirror the mesh"
        )
    outer = [NEEDED.index(f"eye_outer.{side}") for side in "LR"]
    between = float(np.linalg.norm(np.diff(target[outer], axis=0)))
    if fit.misfit > max(_WORST_FIT * between, 1e-12) or fit.scale <= 0:
        raise InputError(
            "the landmarks do not lie like a face", "Check the ids: they count from 0 in the OBJ's order"
        )
    axes = nearest_axes(fit.rotation.T)
    angle = np.degrees(np.arccos(np.clip((np.trace(axes @ fit.rotation) - 1) / 2, -1, 1)))
    if angle > _STEEPEST:
        raise InputError(f"the head is tilted by {angle:.0f} degrees against its axes", "Turn it upright")
    if unit is None:
        unit = 10.0 ** round(np.log10(1 / fit.scale))
    size = fit.scale * unit
    if not 0.2 < size < 5:
        raise InputError(f"at that scale the head is {size:.2g} times a human's size", "Use --scale auto")
    return Placement(unit, axes)


def nearest_axes(rotation: Floats) -> Floats:
    """The proper rotation onto axes that is nearest to `rotation`."""
    best, score = np.eye(3), -np.inf
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            axes = np.zeros((3, 3))
            axes[np.arange(3), order] = signs
            if np.linalg.det(axes) > 0 and (axes * rotation).sum() > score:
                best, score = axes, float((axes * rotation).sum())
    return best
