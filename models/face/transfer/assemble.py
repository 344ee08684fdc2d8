"""The face file of a fitted head: everything that is not a shape of its skin, by correspondence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from blender_addon.lips.canonical import lip_coordinates, transfer_offsets
from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.face import Bone, FaceFile
from blender_addon.protocol.tensorfile import Array

from .carry import Correspondence
from .model import Source
from .obj import TargetMesh
from .parts import Ball, Part, move_part
from .placement import Similarity
from .registration import ring_places
from .rings import RING_LANDMARKS, along, pair_up
from .surface import Floats, Ints, Surface, triangulate

_LIP_LINE = 8
_PROFILES = range(5, 13)  # lip rings of the face file, from the vermilion border to the inside


@dataclass(frozen=True)
class Fitted:
    """A target with our skin laid onto it.

    Attributes:
        vertices: [V, 3] metres, in the mesh's order; skin: [n] ids of its skin.
        fit: carries our head to the target, roughly.
        parts: its other islands; balls: its eyeballs by side.
    """

    head: Source
    mesh: TargetMesh
    vertices: Floats
    skin: Ints
    match: Correspondence
    fit: Similarity
    parts: list[Part]
    balls: Mapping[str, Ball]

    @property
    def fit_mm(self) -> float:
        """Median distance of our skin from the target's, millimetres."""
        gaps = self.match.hits.distance[self.match.firm >= 1] * 1000
        return float(np.median(gaps)) if len(gaps) else float("inf")

    @cached_property
    def skin_tree(self) -> KDTree:
        """The places of the skin's vertices."""
        return KDTree(self.vertices[self.skin])


def assemble_face(
    fitted: Fitted, face_id: str, skin_shapes: Floats, landmarks: Mapping[str, int]
) -> FaceFile:
    """The face file, from its skin's shapes [52, n, 3] and the landmarks that the user gave."""
    source, count = fitted.head.face, len(fitted.vertices)
    twin = _twins(fitted)
    bones = _bones(fitted)
    rings = _rings(fitted)
    lip_index = _lip_index(fitted, twin, rings)
    return FaceFile(
        id=face_id,
        licence="LicenseRef-own",
        pivot=_point(fitted.fit(np.array([source.pivot]))[0]),
        bones=bones,
        region_names=source.region_names,
        material_names=source.material_names,
        identity_names=(),
        vertices=fitted.vertices.astype(np.float32),
        polygons=fitted.mesh.polygons.astype(np.int32),
        uv=fitted.mesh.uv.astype(np.float32),
        material=_materials(source, twin, fitted.mesh.polygons),
        region=source.region[twin],
        color=source.color[twin],
        shapes=_shapes(fitted, skin_shapes),
        lip_index=lip_index,
        lip_basis=np.zeros((0, len(lip_index), 3), np.float32),
        bone_weights=_bone_weights(fitted, bones),
        identity=np.zeros((0, count, 3), np.float32),
        identity_limits=np.zeros((0, 2), np.float32),
        identity_correlation=np.zeros((0, 0), np.float32),
        textures={},
        masks={name: _carried(fitted, mask[:, None])[:, 0] for name, mask in source.masks.items()},
        rings=rings,
        landmarks=_landmarks(fitted, landmarks),
    )


def carry_lip_basis(source: FaceFile, face: FaceFile) -> FaceFile:
    """`face` with the lip fields of `source`, by canonical lip coordinates.

    Raises `FileFormatError` when the lips of `face` cannot be charted.
    """
    ours, theirs = lip_coordinates(source), lip_coordinates(face)
    return replace(face, lip_basis=transfer_offsets(ours, theirs, source.lip_basis))


def _lip_index(fitted: Fitted, twin: Ints, rings: Mapping[str, Array]) -> Array:
    """Skin that lip offsets may move: where ours may be, in one piece with the lip lines."""
    wanted = np.zeros(len(twin), bool)
    wanted[fitted.skin] = np.isin(twin[fitted.skin], fitted.head.face.lip_index)
    lips = [ids for name, ids in rings.items() if name.startswith("lip")]
    if not lips:
        return np.flatnonzero(wanted).astype(np.int32)
    line = np.concatenate([rings["lip_upper"], rings["lip_lower"]])
    wanted[np.concatenate(lips)] = True
    polygons = fitted.mesh.polygons
    corner = np.where(polygons >= 0, polygons, polygons[:, :1])
    skin = np.zeros(len(twin), bool)
    skin[fitted.skin] = True
    wanted[corner[np.isin(corner, line).any(1) & skin[corner].all(1)]] = True
    inside = Surface(fitted.vertices, triangulate(polygons[wanted[corner].all(1)]))
    piece = inside.islands()
    return np.flatnonzero(np.isin(piece, piece[line])).astype(np.int32)


def _twins(fitted: Fitted) -> Ints:
    """[V] the vertex of our head whose looks each vertex takes."""
    source = fitted.head.face
    nearest = fitted.head.skin[fitted.match.nearest()]
    twin = np.empty(len(fitted.vertices), np.int64)
    twin[fitted.skin] = nearest
    for part in fitted.parts:
        at = fitted.vertices[part.ids]
        if part.region:
            ours = np.flatnonzero(source.region == source.region_names.index(part.region))
            places = source.vertices[ours].astype(np.float64)
            side = part.region[-1]
            if part.region.startswith("eye"):
                ball, bone = fitted.balls[side], _bone(source, part.region)
                at = (at - ball.centre) / ball.radius
                places = places - bone.head
                places = places / np.linalg.norm(places, axis=1).mean()
            else:
                places = fitted.fit(places)
            twin[part.ids] = ours[KDTree(places).query(at)[1]]
        else:
            twin[part.ids] = nearest[_under(fitted, part)]
    return twin


def _under(fitted: Fitted, part: Part) -> Ints:
    """[k] for each vertex of an island, the skin's vertex (0 .. n - 1) that it goes with."""
    under: Ints = fitted.skin_tree.query(fitted.vertices[part.ids])[1]
    return under


def _carried(fitted: Fitted, values: Array) -> Array:
    """`values` [our V, C] in 0-1 -> [V, C] f32; islands take those of the skin that they go with."""
    skin = np.clip(fitted.match.carry(values[fitted.head.skin].astype(np.float64)), 0, 1)
    result = np.zeros((len(fitted.vertices), values.shape[1]), np.float32)
    result[fitted.skin] = skin
    for part in fitted.parts:
        result[part.ids] = skin[_under(fitted, part)]
    return result


def _shapes(fitted: Fitted, skin_shapes: Floats) -> Array:
    shapes = np.zeros((len(ARKIT_NAMES), len(fitted.vertices), 3), np.float32)
    shapes[:, fitted.skin] = skin_shapes
    source = fitted.head.face
    for part in fitted.parts:
        if part.region:
            at = fitted.vertices[part.ids]
            shapes[:, part.ids] = move_part(at, part.region, source, fitted.fit, source.shapes)
        else:
            shapes[:, part.ids] = skin_shapes[:, _under(fitted, part)]
    return shapes


def _bone(face: FaceFile, name: str) -> Bone:
    return next(bone for bone in face.bones if bone.name == name)


def _bones(fitted: Fitted) -> tuple[Bone, ...]:
    """Our bones at the target's places; eye bones only for eyeballs, from their centres."""
    bones = []
    for bone in fitted.head.face.bones:
        ends = fitted.fit(np.array([bone.head, bone.tail]))
        if bone.name.startswith("eye."):
            ball = fitted.balls.get(bone.name[-1])
            if ball is None:
                continue
            ends = np.array([ball.centre, ball.centre - np.array([0, 2 * ball.radius, 0])])
        bones.append(Bone(bone.name, bone.parent, _point(ends[0]), _point(ends[1])))
    return tuple(bones)


def _bone_weights(fitted: Fitted, bones: tuple[Bone, ...]) -> Array:
    source = fitted.head.face
    names = [bone.name for bone in source.bones]
    weights = _carried(fitted, source.bone_weights)[:, [names.index(bone.name) for bone in bones]]
    kept = [bone.name for bone in bones]
    for part in fitted.parts:
        bone = part.region if part.region in kept else "head" if part.region else ""
        if bone:
            weights[part.ids] = 0.0
            weights[part.ids, kept.index(bone)] = 1.0
    total = np.maximum(weights.sum(1, keepdims=True), 1.0)
    return np.asarray(weights / total, np.float32)


def _materials(source: FaceFile, twin: Ints, polygons: Ints) -> Array:
    """[P] the material that all corners share, else the first, which is skin."""
    whole = source.polygons[:, 3] >= 0
    corner = np.concatenate([source.polygons[:, :3].ravel(), source.polygons[whole, 3]])
    material = np.concatenate([np.repeat(source.material, 3), source.material[whole]]).astype(np.int64)
    votes = np.zeros((len(source.vertices), len(source.material_names)), np.int64)
    np.add.at(votes, (corner, material), 1)
    of_vertex = votes.argmax(1)[twin]
    corners = of_vertex[np.where(polygons >= 0, polygons, polygons[:, :1])]
    same = (corners == corners[:, :1]).all(1)
    return np.where(same, corners[:, 0], 0).astype(np.uint8)


def _rings(fitted: Fitted) -> dict[str, Array]:
    """Lid margins, lip lines and lip profiles. Upper and lower rings of an opening have equal counts."""
    target, at = fitted.match.target, fitted.match.target.surface.vertices
    rings: dict[str, Ints] = {}
    for upper in [name for name in target.rings if "upper" in name]:
        lower = upper.replace("upper", "lower")
        a, b = pair_up(at[target.rings[upper]], at[target.rings[lower]])
        rings[upper], rings[lower] = target.rings[upper][a], target.rings[lower][b]
    for name in [name for name in rings if name.startswith("lip")]:
        for number in _PROFILES:
            rings[f"{name}.{number}"] = _profile(fitted, name, number, rings[name])
    return {name: fitted.skin[ids].astype(np.int32) for name, ids in rings.items()}


def _profile(fitted: Fitted, name: str, number: int, line: Ints) -> Ints:
    """The target's vertices nearest to our profile ring, one for each vertex of the lip line."""
    match, model, source = fitted.match, fitted.head.model, fitted.head.face
    if number == _LIP_LINE:
        return line
    side = 1 if name == "lip_upper" else -1
    depth = 1 if number < _LIP_LINE else -1
    labels = match.target.labels
    usable = np.flatnonzero((labels[:, 0] == side) & (labels[:, 1] == depth))
    if len(usable) == 0:
        return line
    middle = RING_LANDMARKS[name][1]
    ours = np.searchsorted(fitted.head.skin, source.rings[f"{name}.{number}"])
    here = ring_places(model.surface, model.rings[name], model.landmarks[middle])
    at = match.target.surface
    whole = match.target.rings[name]
    there = ring_places(at, whole, match.target.landmarks[middle])[np.isin(whole, line)]
    goal = along(here, match.ours.vertices[ours], there)
    return np.asarray(usable[KDTree(at.vertices[usable]).query(goal)[1]], np.int64)


def _landmarks(fitted: Fitted, given: Mapping[str, int]) -> dict[str, int]:
    """All of ours on the target's skin, those given where they were given, the eyes' centres on its balls."""
    model, at = fitted.head.model, fitted.match.target.surface.vertices
    tree = KDTree(at)
    marks = {
        name: int(fitted.skin[tree.query(fitted.match.ours.vertices[i])[1]])
        for name, i in model.landmarks.items()
    }
    for side, ball in fitted.balls.items():
        front = fitted.vertices[ball.ids][:, 1].argmin()
        marks[f"eye_centre.{side}"] = int(ball.ids[front])
    return marks | {name: int(i) for name, i in given.items()}


def _point(p: Floats) -> tuple[float, float, float]:
    return (float(p[0]), float(p[1]), float(p[2]))
