"""The face file: one head mesh with its shapes, regions, rings, landmarks and bones, as `.safetensors`.

Axes and units, said once: metres, +Z up, the face looks along -Y, the subject's left is +X.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .arkit import ARKIT_INDEX, ARKIT_NAMES
from .errors import FileFormatError
from .tensorfile import Array, read_tensors, write_tensors

FACE_FORMAT = 2
FACE_KEY = "vividtalk_face"  # of the header, in a face file's metadata

# How far an eye turns at weight 1 of eyeLookUp/Down/In/Out, degrees (our choice, near the ends of the
# comfortable range). The eyeLook* shapes move lids and skin only; eyeballs turn with the bones eye.L and
# eye.R by pitch = Up * w - Down * w (positive up) and yaw towards the nose (In) or the temple (Out).
EYE_LOOK_DEGREES: Mapping[str, float] = {"Up": 25.0, "Down": 30.0, "In": 35.0, "Out": 35.0}

# The neck bone takes this share of a pose's rotation vector and translation, the head bone all of it, both
# about the face's pivot: X(s) = translate(pivot + s * t) @ rotate(s * r) @ translate(-pivot).
NECK_SHARE = 0.5


def eye_rotation(weights: Array) -> Array:
    """Gaze [..., 4] from eyeLook* `weights` [..., 52]: left pitch, left yaw, right pitch, right yaw.

    Radians, positive up and to the subject's left, as in a clip's `gaze`.
    """

    def angle(direction: str, side: str) -> Array:
        turn: Array = weights[..., ARKIT_INDEX[f"eyeLook{direction}{side}"]] * np.radians(
            EYE_LOOK_DEGREES[direction]
        )
        return turn

    columns = []
    for side, outward in (("Left", 1.0), ("Right", -1.0)):
        columns.append(angle("Up", side) - angle("Down", side))
        columns.append(outward * (angle("Out", side) - angle("In", side)))
    return np.stack(columns, -1)


@dataclass(frozen=True)
class Bone:
    """A bone of the head's armature in its rest pose, metres. `parent` is "" for the root."""

    name: str
    parent: str
    head: tuple[float, float, float]
    tail: tuple[float, float, float]


@dataclass(frozen=True)
class FaceFile:
    """A head that can talk.

    V vertices, P polygons, L lip vertices, K lip basis fields, I identity parameters.

    Attributes:
        id: stable name, stored in clips.
        licence: SPDX id of the mesh's licence.
        pivot: the point that head pose turns about, metres.
        bones: `neck`, `head`, `eye.L`, `eye.R` as far as the head has them; parents first.
        vertices: [V, 3] f32.
        polygons: [P, 4] i32 vertex ids, counter-clockwise seen from outside; -1 last for a triangle.
        uv: [P, 4, 2] f32 per corner, 0-1.
        material: [P] u8 index into `material_names`.
        region: [V] u8 index into `region_names`.
        color: [V, 3] f32 linear-light albedo 0-1.
        shapes: [52, V, 3] f32 displacements at weight 1, `ARKIT_NAMES` order.
        lip_index: [L] i32 ids of the lip vertices that offsets may move.
        lip_basis: [K, L, 3] f32 metres per unit coefficient; K = 0 for a face without one.
        bone_weights: [V, len(bones)] f32; a row's sum below 1 stays with the collar.
        identity: [I, V, 3] f32 displacements per standard deviation.
        identity_limits: [I, 2] f32 least and greatest sensible weight, standard deviations.
        identity_correlation: [I, I] f32 how weights go together; symmetric, ones on the diagonal.
        textures: name -> [H, W, C] u8 image for `uv`, first row at v = 1: `albedo` (C = 3, sRGB),
            `roughness` and `bump` (C = 1, linear). A head may have none.
        masks: name -> [V] f32, 0-1.
        rings: name -> [n] i32 vertex ids in order (`lip_upper`, `lip_lower`, `lid_upper.L`, ...).
        landmarks: name -> vertex id.
        source: where the face came from, as JSON: `kind` ("faceverse", "portrait", ...) and what the importer
            or fit needs to convert back. Empty for a face that was built.
    """

    id: str
    licence: str
    pivot: tuple[float, float, float]
    bones: tuple[Bone, ...]
    region_names: tuple[str, ...]
    material_names: tuple[str, ...]
    identity_names: tuple[str, ...]
    vertices: Array
    polygons: Array
    uv: Array
    material: Array
    region: Array
    color: Array
    shapes: Array
    lip_index: Array
    lip_basis: Array
    bone_weights: Array
    identity: Array
    identity_limits: Array
    identity_correlation: Array
    textures: Mapping[str, Array]
    masks: Mapping[str, Array]
    rings: Mapping[str, Array]
    landmarks: Mapping[str, int]
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_face(self, self.id)


_ARRAYS = (
    "vertices",
    "polygons",
    "uv",
    "material",
    "region",
    "color",
    "shapes",
    "lip_index",
    "lip_basis",
    "bone_weights",
    "identity",
    "identity_limits",
    "identity_correlation",
)


def check_face(face: FaceFile, where: str) -> None:
    """Raise `FileFormatError` unless arrays agree in shape, are finite and index inside the mesh."""
    v, p = len(face.vertices), len(face.polygons)
    lips, fields_, i = len(face.lip_index), len(face.lip_basis), len(face.identity_names)
    expected: dict[str, tuple[int, ...]] = {
        "vertices": (v, 3),
        "polygons": (p, 4),
        "uv": (p, 4, 2),
        "material": (p,),
        "region": (v,),
        "color": (v, 3),
        "shapes": (len(ARKIT_NAMES), v, 3),
        "lip_index": (lips,),
        "lip_basis": (fields_, lips, 3),
        "bone_weights": (v, len(face.bones)),
        "identity": (i, v, 3),
        "identity_limits": (i, 2),
        "identity_correlation": (i, i),
    }
    for name, shape in expected.items():
        array = getattr(face, name)
        if array.shape != shape:
            raise _wrong(where, f"{name} has shape {array.shape}, expected {shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise _wrong(where, f"{name} has values that are not finite")
    if v == 0 or p == 0 or face.polygons.min() < -1 or face.polygons[:, :3].min() < 0:
        raise _wrong(where, "it has no mesh")
    ids = [face.lip_index, *face.rings.values(), np.array(list(face.landmarks.values()), np.int64)]
    lowest = min(int(part.min(initial=0)) for part in ids)
    highest = max(int(part.max(initial=0)) for part in (face.polygons, *ids))
    if lowest < 0 or highest >= v:
        raise _wrong(where, "an index points outside the mesh")
    if face.material.max(initial=0) >= len(face.material_names):
        raise _wrong(where, "a polygon has a material without a name")
    if face.region.max(initial=0) >= len(face.region_names):
        raise _wrong(where, "a vertex has a region without a name")
    if any(mask.shape != (v,) for mask in face.masks.values()):
        raise _wrong(where, "a mask does not cover the mesh")
    for name, image in face.textures.items():
        if image.ndim != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise _wrong(where, f"texture {name} is not an 8-bit image")


def _wrong(where: str, why: str) -> FileFormatError:
    return FileFormatError(f"{where} is not a valid face file: {why}", "Import or build the face again")


def write_face(path: Path, face: FaceFile) -> None:
    """Write `face` atomically; shapes and identity fields as 16-bit floats in millimetres."""
    tensors = {name: getattr(face, name) for name in _ARRAYS}
    for name in ("shapes", "identity"):
        tensors[name] = (tensors[name] * 1000.0).astype(np.float16)
    tensors |= {f"texture.{name}": image for name, image in face.textures.items()}
    tensors |= {f"mask.{name}": mask for name, mask in face.masks.items()}
    tensors |= {f"ring.{name}": ring for name, ring in face.rings.items()}
    header = {
        "format": FACE_FORMAT,
        "id": face.id,
        "licence": face.licence,
        "pivot": face.pivot,
        "bones": [[b.name, b.parent, b.head, b.tail] for b in face.bones],
        "region_names": face.region_names,
        "material_names": face.material_names,
        "identity_names": face.identity_names,
        "landmarks": dict(face.landmarks),
        "source": dict(face.source),
    }
    write_tensors(path, tensors, {FACE_KEY: json.dumps(header)})


def read_face(path: Path) -> FaceFile:
    """Read and check a face file. Raises `InputError` or `FileFormatError`."""
    content = read_tensors(path)
    where = str(path)
    text = content.metadata.get(FACE_KEY)
    missing = [name for name in _ARRAYS if name not in content.tensors]
    if text is None or missing:
        raise _wrong(where, f"it lacks {', '.join(missing) or 'its header'}")
    arrays = {name: content.tensors[name] for name in _ARRAYS}
    for name in ("shapes", "identity"):
        arrays[name] = arrays[name].astype(np.float32) / np.float32(1000.0)
    try:
        header = json.loads(text)
        if header["format"] != FACE_FORMAT:
            raise _wrong(where, f"it has format {header['format']}, expected {FACE_FORMAT}")
        x, y, z = header["pivot"]
        return FaceFile(
            id=header["id"],
            licence=header["licence"],
            pivot=(x, y, z),
            bones=tuple(Bone(n, parent, tuple(h), tuple(t)) for n, parent, h, t in header["bones"]),
            region_names=tuple(header["region_names"]),
            material_names=tuple(header["material_names"]),
            identity_names=tuple(header["identity_names"]),
            landmarks={str(k): int(i) for k, i in header["landmarks"].items()},
            textures=_prefixed(content.tensors, "texture."),
            masks=_prefixed(content.tensors, "mask."),
            rings=_prefixed(content.tensors, "ring."),
            source=dict(header.get("source", {})),
            **arrays,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise _wrong(where, f"its header cannot be read ({error})") from error


def _prefixed(tensors: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name[len(prefix) :]: array for name, array in tensors.items() if name.startswith(prefix)}
