"""What a face file has and lacks, for people."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.face import FaceFile

_STILL = 1e-5  # metres; a shape that moves nothing farther is empty
_PARTS = ("eye.L", "eye.R", "upper_teeth", "lower_teeth", "tongue")
_BONES = ("neck", "head", "eye.L", "eye.R")
_RINGS = ("lip_upper", "lip_lower", "lid_upper.L", "lid_lower.L", "lid_upper.R", "lid_lower.R")


def describe(face: FaceFile) -> dict[str, str | int | list[str]]:
    """Facts by name; `lacks` lists parts, bones, rings and shapes that are missing."""
    lacks = [name.replace("_", " ") for name in _PARTS if not _has_region(face, name)]
    lacks += [f"bone {name}" for name in _BONES if name not in [bone.name for bone in face.bones]]
    lacks += [f"ring {name}" for name in _RINGS if name not in face.rings]
    moves = np.abs(face.shapes).max((1, 2))
    lacks += [f"shape {name}" for name, move in zip(ARKIT_NAMES, moves, strict=True) if move < _STILL]
    if len(face.lip_basis) == 0:
        lacks.append("lip fields")
    return {
        "id": face.id,
        "licence": face.licence,
        "vertices": len(face.vertices),
        "polygons": len(face.polygons),
        "height_mm": round(float(np.ptp(face.vertices[:, 2])) * 1000),
        "shapes": int((moves >= _STILL).sum()),
        "lip_fields": len(face.lip_basis),
        "identity": len(face.identity_names),
        "textures": sorted(face.textures),
        "bones": [bone.name for bone in face.bones],
        "lacks": lacks,
    }


def _has_region(face: FaceFile, name: str) -> bool:
    return name in face.region_names and bool((face.region == face.region_names.index(name)).any())
