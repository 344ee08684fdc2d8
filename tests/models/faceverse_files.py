"""FaceVerse files made by code: our head on another mesh, with each version's keys, layouts and conventions.

Not one vertex is the authors'. Random identity and texture columns stand for theirs; the 52 expressions are
our own shapes, in another order and spelling.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face import load_head
from models.face.faceverse import Imported, import_faceverse
from models.face.identity import sample_identity, with_identity
from models.face.regions import SKIN_REGIONS
from models.portrait.points import landmark_points

from . import foreign

UP_FRONT = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # our axes -> +x left, +y up, +z out of the face
METRES = 0.1  # of a unit of the authors': decimetres
SIZES = {0: (120, 64, 200), 1: (150, 74, 251), 2: (150, 52, 251), 3: (150, 52, 251), 4: (156, 177, 251)}
_MOUTH = ("upper_teeth", "lower_teeth", "tongue")
_RINGS = ("lip_upper", "lip_lower", *(f"lid_{lid}.{side}" for lid in ("upper", "lower") for side in "LR"))
# MediaPipe's numbers of points that our head has a landmark for.
MEDIAPIPE = {
    4: "nose_tip",
    13: "lip_upper_middle",
    14: "lip_lower_middle",
    78: "mouth_corner.R",
    308: "mouth_corner.L",
    **{n: f"{name}.R" for n, name in ((33, "eye_outer"), (133, "eye_inner"))},
    **{n: f"{name}.L" for n, name in ((263, "eye_outer"), (362, "eye_inner"))},
    159: "lid_upper_middle.R",
    145: "lid_lower_middle.R",
    386: "lid_upper_middle.L",
    374: "lid_lower_middle.L",
}


@dataclass(frozen=True)
class Parts:
    """A head in our axes, metres.

    Attributes:
        vertices: [V, 3]; triangles: [T, 3]; ends: where the vertices of each part end.
        shapes: [52, V, 3]; identity: [64, V, 3]; color: [V, 3] 0-255.
        at: our head's vertex -> this one's, -1 where it is gone.
    """

    vertices: Array
    triangles: Array
    ends: tuple[int, ...]
    shapes: Array
    identity: Array
    color: Array
    at: Array


def parts_of(head: FaceFile, *, mask: bool = False, mouth: bool = False, collapses: int = 4200) -> Parts:
    """A person of our head with fewer vertices.

    Args:
        mask: the face only, without the back of the head, neck and eyeballs; mouth: with teeth and tongue.
    """
    skin = _are(head, *SKIN_REGIONS)
    if mask:
        skin &= (head.vertices[:, 1] < 0.02) & (head.vertices[:, 2] > -0.115)
    chains = [head.rings[name] for name in _RINGS]
    marks = {i for name, i in head.landmarks.items() if skin[i]}
    whole = foreign._triangles(head, skin)
    places = head.vertices.astype(float)
    pieces = [foreign._collapse(places, whole, chains, marks, collapses if not mask else collapses // 2)]
    inside = [foreign._triangles(head, _are(head, name)) for name in _MOUTH] if mouth else []
    parts = _taken(head, [pieces[0]])
    if not mask:
        for side in "LR":
            parts = _joined(parts, _ball(head, side))
    for piece in inside:
        parts = _joined(parts, _taken(head, [piece]))
    return parts


def without_mouth(parts: Parts) -> Parts:
    """The same head without teeth and tongue."""
    end = parts.ends[2]
    return Parts(
        vertices=parts.vertices[:end],
        triangles=parts.triangles[(parts.triangles < end).all(1)],
        ends=parts.ends[:3],
        shapes=parts.shapes[:, :end],
        identity=parts.identity[:, :end],
        color=parts.color[:end],
        at=np.where(parts.at < end, parts.at, -1),
    )


def _taken(head: FaceFile, pieces: list[Array]) -> Parts:
    """These triangles of our head."""
    order = np.unique(np.concatenate(pieces))
    at = np.full(len(head.vertices), -1)
    at[order] = np.arange(len(order))
    return Parts(
        vertices=head.vertices[order].astype(float),
        triangles=at[np.concatenate(pieces)],
        ends=(len(order),),
        shapes=head.shapes[:, order].astype(float),
        identity=head.identity[:, order].astype(float),
        color=_srgb(head.color[order]),
        at=at,
    )


def eye_centre(head: FaceFile, side: str) -> Array:
    return np.array(next(bone.head for bone in head.bones if bone.name == f"eye.{side}"))


def _ball(head: FaceFile, side: str) -> Parts:
    """A round eyeball with an iris painted on, which moves with ours from person to person."""
    ids = np.flatnonzero(_are(head, f"eye.{side}"))
    points, faces = foreign._sphere(eye_centre(head, side), 0.0117, 24, 32)
    out = (points - eye_centre(head, side)) @ [0, -1, 0] / 0.0117
    color = np.where((out > np.cos(0.2))[:, None], [10, 8, 8], [225, 222, 218])
    color = np.where(((out > np.cos(0.52)) & (out <= np.cos(0.2)))[:, None], [96, 66, 40], color)
    at = np.full(len(head.vertices), -1)
    at[head.landmarks[f"eye_centre.{side}"]] = int(out.argmax())
    return Parts(
        vertices=points,
        triangles=np.array(
            [t for f in faces for t in ((f[0], f[i], f[i + 1]) for i in range(1, len(f) - 1))]
        ),
        ends=(len(points),),
        shapes=np.zeros((52, len(points), 3)),
        identity=np.repeat(head.identity[:, ids].astype(float).mean(1, keepdims=True), len(points), 1),
        color=color.astype(float),
        at=at,
    )


def _joined(first: Parts, second: Parts) -> Parts:
    shift = len(first.vertices)
    return Parts(
        vertices=np.concatenate([first.vertices, second.vertices]),
        triangles=np.concatenate([first.triangles, second.triangles + shift]),
        ends=(*first.ends, shift + len(second.vertices)),
        shapes=np.concatenate([first.shapes, second.shapes], 1),
        identity=np.concatenate([first.identity, second.identity], 1),
        color=np.concatenate([first.color, second.color]),
        at=np.where(second.at >= 0, second.at + shift, first.at),
    )


def _are(head: FaceFile, *regions: str) -> Array:
    return np.isin(head.region, [head.region_names.index(name) for name in regions])


def _srgb(linear: Array) -> Array:
    value = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    return 255 * value


@dataclass(frozen=True)
class Model:
    """A file's dict and what it was made from.

    Attributes:
        names: ARKit name of each expression column, as the file orders them.
        rotation: [3, 3] our axes -> stored; unit: stored units per metre.
    """

    content: dict[str, Any]
    parts: Parts
    names: tuple[str, ...]
    rotation: Array
    unit: float


def model(version: int, head: FaceFile, parts: Parts, rotation: Array = UP_FRONT, seed: int = 3) -> Model:
    """The dict of a version's file.

    Args:
        rotation: [3, 3] our axes -> those that the file stores.
    """
    rng = np.random.default_rng(seed)
    unit = 1000.0 if version >= 3 else 10.0
    turn = unit * rotation
    ids, exps, tex = SIZES[version]
    names = tuple(rng.permutation(ARKIT_NAMES).tolist())
    named = parts.shapes[[ARKIT_NAMES.index(name) for name in names]] @ turn.T
    identity = (
        np.einsum("ij,jvc->ivc", rng.normal(0, 0.12, (ids, len(parts.identity))), parts.identity) @ turn.T
    )
    count = len(parts.vertices)
    content: dict[str, Any] = {
        "meanshape": (parts.vertices @ turn.T).astype(np.float32),
        "meantex": parts.color.astype(np.float32).reshape(1, -1),
        "idBase": columns(identity),
        "texBase": rng.normal(0, 5, (3 * count, tex)).astype(np.float32),
        "tri": parts.triangles.astype(np.int64),
        "point_buf": np.zeros((count, 8), np.int64),
    }
    if version < 3:
        more = np.concatenate([named, _mixed(rng, named, max(exps - 52, 0))])[:exps]
        content |= {
            "exBase": columns(more),
            "keypoints": points_66(head, parts),
            "skinmask": _front(parts)[None],
        }
    if version == 2:
        content |= {"exp_name_list": [_spelled(name) for name in names]} | _simplified(parts)
    if version == 3:
        wide = np.concatenate([_mixed(rng, named, 119), named])[rng.permutation(171)]
        content |= {
            "exBase_52": columns(named),
            "exBase": columns(wide),
            "exp_name_list_52": np.array([_spelled(name) for name in names]),
            "ver_inds": np.array(parts.ends[:3]),
            "tri_inds": np.array([len(parts.triangles)] * 3),
            "mediapipe_keypoints": mediapipe_points(head, parts),
            "parsing": rng.uniform(0, 255, (count, 3)).astype(np.float32),
            "uvtex": 255 * _from_the_front(parts).astype(np.float32),
            "face_mask": _front(parts),
        }
    if version == 4:
        content |= {
            "exBase": columns(np.concatenate([named, _mixed(rng, named, 125)])),
            "ver_inds": list(parts.ends),
            "tri_inds": [len(parts.triangles)] * 6,
            "keypoints_mediapipe": mediapipe_points(head, parts),
            "keypoints": rng.integers(0, count, 370),
            "keypoints_68": points_66(head, parts, corners=True),
            "keypoints_name_list": {"pupil_left_5": [1, 2, 3, 4, 5], "pupil_right_5": [6, 7, 8, 9, 10]},
            "face_mask": _front(parts),
            "parsing": {"skin": _front(parts)},
        }
    return Model(content, parts, names, rotation, unit)


@dataclass(frozen=True)
class Case:
    """A version's file, and what was imported of it."""

    version: int
    model: Model
    path: Path
    result: Imported

    @property
    def face(self) -> FaceFile:
        return self.result.face


_FOLDER = tempfile.TemporaryDirectory(prefix="vividtalk-faceverse-")


@lru_cache
def person() -> FaceFile:
    """Someone whom the built-in head has to be fitted to."""
    head = load_head()
    return with_identity(head, sample_identity(head, 11))


@lru_cache
def shared_parts(mask: bool) -> Parts:
    """Of the person's face alone, or of the whole head with eyeballs, teeth and tongue."""
    return parts_of(person(), mask=mask, mouth=not mask)


@lru_cache
def imported(version: int) -> Case:
    """Made once per process: v0 to v2 are masks, v3 has eyeballs, v4 has teeth and a tongue too."""
    parts = shared_parts(version < 3)
    made = model(version, person(), without_mouth(parts) if version == 3 else parts)
    path = save(made.content, Path(_FOLDER.name) / f"any name {version}.npy")
    names = made.names if version == 4 else None
    return Case(version, made, path, import_faceverse(path, load_head(), f"v{version}", names))


def columns(fields: Array) -> Array:
    """[K, V, 3] -> [3 V, K] f32, rows x0, y0, z0, x1, ..."""
    return np.ascontiguousarray(fields.reshape(len(fields), -1).T, np.float32)


def save(content: object, path: Path) -> Path:
    """As the authors' files are written: `np.save` of a dict."""
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


def _mixed(rng: np.random.Generator, fields: Array, count: int) -> Array:
    return np.einsum("ij,jvc->ivc", rng.normal(0, 0.3, (count, len(fields))), fields)


def _spelled(name: str) -> str:
    for side in ("Left", "Right"):
        if name.endswith(side) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            return f"{name.removesuffix(side)}_{side[0]}"
    return name.upper() if name == "jawOpen" else name


def _from_the_front(parts: Parts) -> Array:
    """[V, 3] places in a picture of the head, 0-1; the third is nothing."""
    flat = parts.vertices * [1, 0, 1]
    return np.asarray(((flat - flat.min(0)) / np.ptp(flat, axis=0).max())[:, [0, 2, 1]])


def _front(parts: Parts) -> Array:
    return (parts.vertices[:, 1] < -0.03).astype(np.float32)


def _simplified(parts: Parts) -> dict[str, Any]:
    """A smaller mesh on some of the vertices: those of the left half's triangles, all but a tenth."""
    kept = parts.triangles[: len(parts.triangles) * 9 // 10]
    ids = np.unique(kept)
    return {
        "select_id": ids,
        "tri_select": np.searchsorted(ids, kept),
        "point_buf_select": np.zeros((len(ids), 8), np.int64),
        "keypoints_select": np.zeros(66, np.int64),
        "skinmask_select": np.ones((1, len(ids)), np.float32),
    }


def mediapipe_points(head: FaceFile, parts: Parts) -> Array:
    """[478] the vertices nearest to where our own head has the points; those of `MEDIAPIPE` to the vertex."""
    places = landmark_points(head).of(head.vertices.astype(float))
    points = cKDTree(parts.vertices[: parts.ends[0]]).query(places)[1]
    for number, name in MEDIAPIPE.items():
        points[number] = parts.at[head.landmarks[name]]
    for rows, first in ((slice(468, 473), 1), (slice(473, 478), 0)):
        if len(parts.ends) > 2:
            ball = slice(*parts.ends[first : first + 2])
            points[rows] = parts.ends[first] + cKDTree(parts.vertices[ball]).query(places[rows])[1]
    return np.asarray(points)


def points_66(head: FaceFile, parts: Parts, corners: bool = False) -> Array:
    """[66], or [68] with the inner corners of the mouth: what of it our head can tell."""
    points = np.full(68, parts.at[head.landmarks["nose_tip"]])
    points[8] = _menton(head, parts)
    for side, first in (("R", 36), ("L", 42)):
        upper, lower = (parts.at[head.rings[f"lid_{lid}.{side}"]] for lid in ("upper", "lower"))
        ring = upper if side == "L" else upper[::-1]  # nose to temple is 42 to 45, and 39 to 36
        under = lower[::-1] if side == "L" else lower
        points[first : first + 4] = ring[[0, 7, 13, 20]]
        points[first + 4 : first + 6] = under[[7, 13]]
    line = [parts.at[head.rings[f"lip_{lip}"]] for lip in ("upper", "lower")]
    border = [parts.at[head.landmarks[f"lip_{lip}_border"]] for lip in ("upper", "lower")]
    points[48:60] = [
        *line[0][[0, 4, 9]],
        border[0],
        *line[0][[21, 26, 30]],
        *line[1][[26, 21]],
        border[1],
        *line[1][[9, 4]],
    ]
    points[60:68] = [
        line[0][0],
        line[0][9],
        line[0][15],
        line[0][21],
        line[0][30],
        line[1][21],
        line[1][15],
        line[1][9],
    ]
    return points if corners else np.delete(points, [60, 64])


def _menton(head: FaceFile, parts: Parts) -> int:
    """The lowest vertex on the midline that is at most a centimetre behind the chin."""
    chin = head.vertices[head.landmarks["chin"]]
    away = np.abs(parts.vertices[:, 0]) + np.abs(parts.vertices[:, 1] - chin[1] - 0.006)
    below = (parts.vertices[:, 2] < chin[2]) & (parts.vertices[:, 2] > chin[2] - 0.02)
    return int(np.where(below & (np.arange(len(away)) < parts.ends[0]), away, np.inf).argmin())
