"""Everything about a portrait that does not change from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer
from models.portrait.fit import PortraitFit
from models.render.camera import Pinhole
from models.render.raster import Raster, rasterize, vertex_normals
from models.render.triangles import TWO_SIDED, Triangles
from models.render.visible import visible_points

from .extend import CELL, Sheet, filled
from .paste import Ends, resized
from .plate import background
from .regions import in_regions, smoothstep
from .view import EYE, INSIDE, SKIN, Reference

_MOUTH = ("inner_mouth", "upper_teeth", "lower_teeth", "gums", "tongue")
_EYES = ("eye.L", "eye.R")
# Our choice. Metres in front of the pivot between which the face's own motion is trusted to the pixel; the
# trust of the neck when motion is spread; metres by which eyeballs and teeth are drawn farther away, so
# that lids and lips win.
_FRONT, _OTHER_SKIN, _RECEDE = (0.014, 0.042), 0.2, 0.0012
_SHEET_BLUR = 0.022  # of the crop's side
# Parts of the side over which motion fades to where the crop ends, and to where the picture does; metres over
# which the sheet's depth is rounded as it is kept from going behind the pivot (what lies there would come out
# on the side as the head turns, and no picture shows it).
_CROP_RAMP, _END_RAMP, _BEHIND = 0.06, 0.15, 0.01
# Share of the head's motion that is none; parts of the side that a moving head may cover and uncover.
_STILL, _UNCOVERED = 0.02, 0.08


@dataclass(frozen=True)
class Layers:
    """The portrait taken apart: layer + (1 - its coverage) * plate is the picture.

    Attributes:
        person: [n S, n S, 4] f32 premultiplied sRGB 0-255, and the matte 0-1.
        still: [S, S, 4] f32 the same, averaged.
        plate: [S, S, 3] f32 the background.
        empty: [n S, n S] bool nothing of the person within reach of a cubic.
    """

    person: Array
    still: Array
    plate: Array
    empty: Array

    @staticmethod
    def of(picture: Array, matte: Array, side: int) -> Layers:
        """Split `picture` [n S, n S, 3] u8 by `matte` [n S, n S] f32 0-1, for crops of S = `side` pixels."""
        import cv2

        plate = background(picture, matte)
        rest = (1.0 - matte)[..., None]
        person = np.concatenate([picture.astype(np.float32) - rest * plate, matte[..., None]], 2)
        person[matte <= 0] = 0.0
        near = cv2.dilate((matte > 0).astype(np.uint8), np.ones((7, 7), np.uint8))
        person = np.ascontiguousarray(person, np.float32)
        return Layers(person, resized(person, side), resized(plate, side), near == 0)


class Trust(NamedTuple):
    """How the mesh is believed, per vertex.

    Attributes:
        exact: [V] f32 to the pixel; spread: [V] f32 as a source for what lies round it.
        always: [V] bool lips, lids and eyes, trusted whichever way they face.
        facing: [V] f32 cosine between the portrait's normals and the way to the camera.
        lean: [V] f32 how much larger that is than with the camera's axis.
    """

    exact: Array
    spread: Array
    always: Array
    facing: Array
    lean: Array


def make_reference(fit: PortraitFit, face: FaceFile, camera: Pinhole, picture: Array) -> Reference:
    """The portrait `picture` [S, S, 3] as the `face` seen by `camera`."""
    triangles, kind = _drawn(face)
    vertices = Deformer(face)(fit.weights)
    drawn = Triangles.of(face)
    points = camera.project(vertices)
    raster = Raster.empty(*picture.shape[1::-1])
    rasterize(points + recession(face)[:, None] * (0, 0, 1), triangles, raster)
    return Reference(
        face,
        fit.weights,
        fit.gaze,
        fit.light,
        camera,
        picture,
        vertices,
        points,
        vertex_normals(vertices, drawn.ids[: drawn.fronts]),
        triangles,
        kind,
        raster,
    )


def recession(face: FaceFile) -> Array:
    """[V] f32 metres by which eyeballs and what is in the mouth are drawn farther away than they are."""
    result: Array = np.where(in_regions(face, *_MOUTH[1:], *_EYES), _RECEDE, 0.0).astype(np.float32)
    return result


def _drawn(face: FaceFile) -> tuple[Array, Array]:
    """Triangles [T, 3] i32 without hair ribbons, and their kinds [T] u8."""
    triangles = Triangles.of(face)
    hair = [n for n, name in enumerate(face.material_names) if name in TWO_SIDED]
    ids = triangles.ids[~np.isin(triangles.material, hair)]
    kind = np.full(len(ids), SKIN, np.uint8)
    kind[in_regions(face, *_MOUTH)[ids].any(1)] = INSIDE
    kind[in_regions(face, *_EYES)[ids].all(1)] = EYE
    return np.ascontiguousarray(ids), kind


def trust_of(reference: Reference) -> Trust:
    """How far each part of the mesh is believed."""
    face = reference.face
    forward = face.pivot[1] - face.vertices[:, 1]
    front = in_regions(face, "face", "nose", "nostrils", "eyelids", "upper_lip", "lower_lip")
    always = in_regions(face, "upper_lip", "lower_lip", "eyelids", *_EYES)
    exact = _smoothed(front * smoothstep(forward, *_FRONT), reference.triangles)
    exact[always] = 1.0
    seen = np.empty(len(face.vertices), bool)
    behind = (reference.points + recession(face)[:, None] * (0, 0, 1)).astype(np.float32)
    visible_points(behind, reference.triangles, reference.raster.triangle, seen)
    hidden = ~seen & ~always
    clear = smoothstep(_smoothed(np.where(hidden, 0.0, 1.0), reference.triangles), 0.3, 0.8)
    exact *= clear
    spread = np.maximum(exact, np.where(in_regions(face, "ears", "scalp"), 0.0, _OTHER_SKIN)) * clear
    view = reference.camera.view(reference.vertices)
    toward = -(view / np.linalg.norm(view, axis=1, keepdims=True)) @ reference.camera.rotation
    facing = (reference.normals * toward).sum(1)
    lean = facing + reference.normals @ reference.camera.rotation[2]
    exact, spread, facing, lean = np.stack([exact, spread, facing, lean]).astype(np.float32)
    return Trust(exact, spread, always, facing, lean)


def _smoothed(values: Array, triangles: Array, passes: int = 6) -> Array:
    """`values` [V] averaged with their neighbours."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    a, b = np.concatenate([edges, edges[:, ::-1]]).T
    degree = np.maximum(np.bincount(a, minlength=len(values)), 1)
    for _ in range(passes):
        values = 0.5 * values + 0.5 * np.bincount(a, values[b], len(values)) / degree
    return values


def make_sheet(reference: Reference, ends: Ends) -> Sheet:
    """The surface by which hair, ears and neck move with the head."""
    import cv2

    nodes = slice(CELL // 2, None, CELL)
    face, camera = reference.face, reference.camera
    names = [bone.name for bone in face.bones]
    shares = np.zeros((len(face.vertices), 3), np.float32)
    for column, bones in enumerate((("neck",), ("head", *_EYES))):
        for name in bones:
            if name in names:
                shares[:, column] += face.bone_weights[:, names.index(name)]
    shares[:, 2] = reference.points[:, 2]
    triangle, bary = reference.raster.triangle[nodes, nodes], reference.raster.bary[nodes, nodes]
    ids = reference.triangles[triangle]
    weights = np.concatenate([bary, 1 - bary.sum(-1, keepdims=True)], 2)
    known = (triangle >= 0).astype(np.float32)
    fields = filled((shares[ids] * weights[..., None]).sum(2) * known[..., None], known, pull=0.0)
    fields = cv2.GaussianBlur(fields, (0, 0), _SHEET_BLUR * len(fields))
    pivot = camera.view(np.array(face.pivot))[2]
    fields[..., 2] = pivot - _softplus(pivot - fields[..., 2], _BEHIND)
    steps = (np.arange(len(fields)) + 0.5) * CELL
    x, y = np.meshgrid((steps - camera.centre[0]) / camera.focal, (steps - camera.centre[1]) / camera.focal)
    view = np.stack([x, y, np.ones_like(x)], 2) * fields[..., 2:]
    points = (view - camera.translation) @ camera.rotation
    return Sheet(
        points.astype(np.float32),
        np.ascontiguousarray(fields[..., 0]),
        np.ascontiguousarray(fields[..., 1]),
        _freedom(ends)[nodes, nodes],
    )


def moving(sheet: Sheet, matte: Array) -> Array:
    """[S, S] f32: 0 where nothing can move nor be uncovered, 1 where something can, soft between."""
    import cv2

    side = len(matte)
    share = resized(sheet.neck + sheet.head, side)
    step = round(_UNCOVERED * side)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * step + 1, 2 * step + 1))
    reach = cv2.dilate(((share > _STILL) & (matte > 0)).astype(np.uint8), disc).astype(np.float32)
    result: Array = cv2.GaussianBlur(reach, (0, 0), step / 4)
    return result


def _freedom(ends: Ends) -> Array:
    """[S, S, 2] f32: motion across and down fades to the picture's ends, all of it to the crop's."""
    kept = np.minimum.outer(ends.ramp(_CROP_RAMP, False, False), ends.ramp(_CROP_RAMP, False, True))
    across = np.minimum(kept, ends.ramp(_END_RAMP, True, True)[None])
    down = np.minimum(kept, ends.ramp(_END_RAMP, True, False)[:, None])
    return np.stack([across, down], 2)


def _softplus(value: Array, rounding: float) -> Array:
    """`value` where it is positive, 0 where it is negative, rounded between."""
    result: Array = rounding * np.logaddexp(0.0, value / rounding)
    return result
