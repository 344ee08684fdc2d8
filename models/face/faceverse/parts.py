"""Eyeballs and bones of an imported head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import Bone, FaceFile
from blender_addon.protocol.tensorfile import Array

EYES = ("eye.L", "eye.R")
_MATERIAL = "sclera"  # a wet surface with the file's own colours: its eyeballs have no cornea of their own
_LEAST_NECK = 0.5  # bone weight that some vertex needs for a neck to be there
_WITH_JAW = 0.3  # of the chin's way down, farther than which teeth are lower ones
_STILL = 1e-6  # metres


def with_teeth(face: FaceFile) -> FaceFile:
    """`face` whose teeth are upper or lower ones by whether they go with the jaw, where it has one."""
    jaw = np.linalg.norm(face.shapes[ARKIT_INDEX["jawOpen"]], axis=1)
    whole = jaw[face.landmarks["chin"]]
    if whole < _STILL:
        return face
    upper, lower = (face.region_names.index(f"{row}_teeth") for row in ("upper", "lower"))
    region = face.region.copy()
    teeth = np.isin(region, [upper, lower])
    region[teeth] = np.where(jaw[teeth] > _WITH_JAW * whole, lower, upper)
    return replace(face, region=region)


def with_eyeballs(face: FaceFile, ends: tuple[int, ...]) -> tuple[FaceFile, list[str]]:
    """`face` with its eyeballs as the file tells them apart; those that were found by form where it does not.

    Args:
        ends: where the vertices of face, left eye and right eye end, or nothing.

    Bones begin at the eyeballs' centroids, about which the authors turn them. Gaze shapes do not move them:
    bones do. Raises `InputError` where the left eye is on the right.
    """
    if ends:
        face = _named(face, {name: slice(*ends[i : i + 2]) for i, name in enumerate(EYES)})
    present = [name for name in EYES if (face.region == face.region_names.index(name)).any()]
    missing = " and no ".join(f"eyeball {name[-1]}" for name in EYES if name not in present)
    notes = [f"it has no {missing}: gaze will not show"] if missing else []
    if not present:
        return _only(face, [bone.name for bone in face.bones if bone.name not in EYES]), notes
    balls = {name: np.flatnonzero(face.region == face.region_names.index(name)) for name in present}
    return _turned_by_bones(_still(face, balls), balls), notes


def _named(face: FaceFile, parts: dict[str, slice]) -> FaceFile:
    """The regions of the eyeballs as the file says; what else was taken for one is face."""
    region = face.region.copy()
    for name, part in parts.items():
        number = face.region_names.index(name)
        region[region == number] = face.region_names.index("face")
        region[part] = number
    side = [float(face.vertices[part, 0].mean()) for part in parts.values()]
    if side[0] <= side[1]:
        raise InputError(
            "the file's left eyeball is on the subject's right", "Its parts or landmarks are mixed up"
        )
    return replace(face, region=region)


def _still(face: FaceFile, balls: dict[str, Array]) -> FaceFile:
    """`face` whose gaze shapes leave the eyeballs to the bones."""
    shapes = face.shapes.copy()
    looks = [i for i, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook")]
    for ids in balls.values():
        shapes[np.ix_(np.array(looks), ids)] = 0.0
    return replace(face, shapes=shapes)


def _turned_by_bones(face: FaceFile, balls: dict[str, Array]) -> FaceFile:
    """Eye bones at the centroids, looking ahead, with all weight of their eyeball; sclera for material."""
    others = [bone for bone in face.bones if bone.name not in EYES]
    parent = others[-1].name if others else ""
    weights = np.zeros((len(face.vertices), len(others) + len(balls)), np.float32)
    weights[:, : len(others)] = face.bone_weights[:, [face.bones.index(bone) for bone in others]]
    bones = list(others)
    ball = np.zeros(len(face.vertices), bool)
    for column, (name, ids) in enumerate(balls.items(), len(others)):
        x, y, z = (float(v) for v in face.vertices[ids].astype(np.float64).mean(0))
        radius = float(np.linalg.norm(face.vertices[ids] - [x, y, z], axis=1).mean())
        bones.append(Bone(name, parent, (x, y, z), (x, y - 2 * radius, z)))
        weights[ids] = 0.0
        weights[ids, column] = 1.0
        ball[ids] = True
    material = face.material.copy()
    material[ball[face.polygons[:, :3]].all(1)] = face.material_names.index(_MATERIAL)
    return replace(face, bones=tuple(bones), bone_weights=weights, material=material)


def by_bones(face: FaceFile) -> FaceFile:
    """`face` without a neck bone where it has no neck: then the head holds all of its skin."""
    names = [bone.name for bone in face.bones]
    if "neck" not in names or face.bone_weights[:, names.index("neck")].max() >= _LEAST_NECK:
        return face
    face = _only(face, [name for name in names if name != "neck"])
    column = [bone.name for bone in face.bones].index("head")
    weights = face.bone_weights.copy()
    weights[:, column] += 1 - weights.sum(1)
    return replace(face, bone_weights=weights)


def _only(face: FaceFile, names: list[str]) -> FaceFile:
    """`face` with the bones `names`; children of others become roots."""
    kept = [i for i, bone in enumerate(face.bones) if bone.name in names]
    bones = [face.bones[i] for i in kept]
    bones = [bone if bone.parent in names else replace(bone, parent="") for bone in bones]
    return replace(face, bones=tuple(bones), bone_weights=face.bone_weights[:, kept])
