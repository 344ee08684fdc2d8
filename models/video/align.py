"""The last millimetres of a fit: the head moved in the image plane onto the detected landmarks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import Bone, FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer
from models.portrait.fit import PortraitFit
from models.portrait.points import MeshPoints
from models.render.raster import vertex_normals
from models.render.triangles import Triangles

from .regions import in_regions, smoothstep

# Landmark ids of the face mesh's outline: where the silhouette is seen, not a point of the skin.
_OUTLINE = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_SKIN_POINTS = 468  # the others are irises
# Our choice, metres: farthest correction; how far lips are held apart so that each follows its own landmarks;
# height over which a lid follows its margin.
_FARTHEST, _LIP_APART, _LID_REACH = 0.008, 0.0025, 0.008
_MOUTH_SCALE = (0.6, 1.25)  # least and greatest size of mouth shapes (our choice)
_SMOOTH, _SMOOTH_OUTLINE = 1e-5, 3e-3  # the spline's smoothing (our choice)
_UPPER_LID_SHARE = 0.88  # of what is left open or overlaps, the upper lid's part (lids meet low; our choice)


def aligned(fit: PortraitFit, points: MeshPoints) -> FaceFile:
    """`fit.face` moved parallel to the picture by a thin-plate spline through the landmarks."""
    face, camera = _mouth_shapes_fitting(fit), fit.camera
    vertices = Deformer(face)(fit.weights)
    seen = camera.project(vertices)
    known = np.flatnonzero(points.known[:_SKIN_POINTS])
    ids, weights = points.ids[known], points.weights[known][..., None]
    at = (seen[ids] * weights).sum(1)
    error = (fit.landmarks[known, :2] - at[:, :2]) * (at[:, 2:] / camera.focal)
    error *= np.minimum(1, _FARTHEST / np.maximum(np.linalg.norm(error, axis=1), 1e-9))[:, None]
    triangles = Triangles.of(face)
    normals = vertex_normals(vertices, triangles.ids[: triangles.fronts])
    facing = (-(normals @ camera.rotation[2])[ids] * weights[..., 0]).sum(1)
    apart = _apart(face)
    smoothing = np.where(np.isin(known, _OUTLINE), _SMOOTH_OUTLINE, _SMOOTH) / np.clip(facing, 0.05, 1) ** 2
    reach = _reach(face)
    near = reach > 0
    moved = np.zeros((len(reach), 2))
    moved[near] = _spread((apart[ids] * weights).sum(1), error, smoothing, apart[near]) * reach[near, None]
    moved = _rigid_eyes(face, moved)
    shift = (np.column_stack([moved, np.zeros(len(moved))]) @ camera.rotation).astype(np.float32)
    return _lids_closing(replace(face, vertices=face.vertices + shift, bones=_bones(face, shift)), fit)


def _mouth_shapes_fitting(fit: PortraitFit) -> FaceFile:
    """`fit.face` with its mouth shapes as large as its mouth: made for the basis, they overdo a small one."""
    face, names = fit.face, ("mouth_corner.L", "mouth_corner.R")
    if len(fit.identity) != len(face.identity) or not all(name in face.landmarks for name in names):
        return face
    corners = [face.landmarks[name] for name in names]
    basis = face.vertices[corners] - np.tensordot(fit.identity, face.identity[:, corners], 1)
    widths = [float(np.linalg.norm(ends[0] - ends[1])) for ends in (face.vertices[corners], basis)]
    mouth = [n for name, n in ARKIT_INDEX.items() if name.startswith("mouth") and name != "mouthClose"]
    shapes = face.shapes.copy()
    shapes[mouth] *= np.float32(np.clip(widths[0] / widths[1], *_MOUTH_SCALE))
    return replace(face, shapes=shapes)


def _spread(keys: Array, values: Array, smoothing: Array, places: Array) -> Array:
    """A thin-plate spline from `keys` [n, 3] to `places` [V, 3]."""
    _, first = np.unique(np.round(keys, 5), axis=0, return_index=True)
    spline = RBFInterpolator(
        keys[first], values[first], kernel="thin_plate_spline", smoothing=smoothing[first]
    )
    result: Array = np.clip(spline(places), -_FARTHEST, _FARTHEST)
    return result


def _apart(face: FaceFile) -> Array:
    """Rest vertices with the lips held apart, and what is inside the mouth brought to its front."""
    places = face.vertices.astype(np.float64)
    places[in_regions(face, "upper_lip"), 2] += _LIP_APART
    places[in_regions(face, "lower_lip"), 2] -= _LIP_APART
    if "lip_upper" in face.rings:
        inner = in_regions(face, "inner_mouth", "upper_teeth", "lower_teeth", "gums", "tongue")
        front = places[face.rings["lip_upper"], 1].max()
        places[inner, 1] = np.minimum(places[inner, 1], front)
    return places


def _reach(face: FaceFile) -> Array:
    """[V] how much of the correction holds: all on the face, none on the back of the head and the collar."""
    forward = face.pivot[1] - face.vertices[:, 1]
    up = face.vertices[:, 2] - face.pivot[2]
    hair = in_regions(face, "brows", "lashes")
    result: Array = np.where(hair, 0.0, smoothstep(forward, 0.015, 0.055) * smoothstep(up, -0.12, -0.085))
    return result


def _rigid_eyes(face: FaceFile, moved: Array) -> Array:
    result = moved.copy()
    for name in ("eye.L", "eye.R"):
        ball = in_regions(face, name)
        if ball.any():
            front = ball & (face.vertices[:, 1] < np.median(face.vertices[ball, 1]))
            result[ball] = moved[front].mean(0)
    return result


def _bones(face: FaceFile, shift: Array) -> tuple[Bone, ...]:
    bones = []
    for bone in face.bones:
        ball = in_regions(face, bone.name)
        by = shift[ball].mean(0) if ball.any() else np.zeros(3)
        (a, b, c), (d, e, f) = (np.add(end, by).tolist() for end in (bone.head, bone.tail))
        bones.append(replace(bone, head=(a, b, c), tail=(d, e, f)))
    return tuple(bones)


def _lids_closing(face: FaceFile, fit: PortraitFit) -> FaceFile:
    """`face` with blinks bent so that the moved lids meet."""
    shapes = face.shapes.copy()
    own = fit.weights.copy()
    for side in ("Left", "Right"):
        own[ARKIT_INDEX[f"eyeBlink{side}"]] = 0.0
    base = Deformer(face).shape(own).astype(np.float64)
    for side, letter in (("Left", "L"), ("Right", "R")):
        row = ARKIT_INDEX[f"eyeBlink{side}"]
        names = f"lid_upper.{letter}", f"lid_lower.{letter}"
        if not all(name in face.rings for name in names):
            continue
        upper, lower = (face.rings[name] for name in names)
        if len(upper) != len(lower):
            continue
        shut = base + shapes[row]
        gap = shut[upper] - shut[lower]
        gap[[0, -1]] = 0.0
        shapes[row] += _follow(face, upper, -_UPPER_LID_SHARE * gap, lower)
        shapes[row] += _follow(face, lower, (1 - _UPPER_LID_SHARE) * gap, upper)
    return replace(face, shapes=shapes.astype(np.float32))


def _follow(face: FaceFile, margin: Array, by: Array, other: Array) -> Array:
    """[V, 3]: skin near a lid margin [n] moves with it by `by` [n, 3], where the other margin is farther."""
    distance, nearest = cKDTree(face.vertices[margin]).query(face.vertices)
    away = cKDTree(face.vertices[other]).query(face.vertices)[0]
    hold = (1 - smoothstep(distance, 0.0, _LID_REACH)) * (distance <= away)
    skin = ~in_regions(face, "eye.L", "eye.R")
    result: Array = by[nearest] * (hold * skin)[:, None]
    return result
