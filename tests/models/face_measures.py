"""Measures of a posed face that several tests share: regions, slits, depth inside a closed piece, folds."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.face import FaceFile
from models.face import deform
from models.kernel import kernel

MM = 1000.0
X, DEPTH, HEIGHT = 0, 1, 2  # file axes: +X the subject's left, the face looks along -Y, +Z up
PAIRED = {n: n.replace("Left", "Right") for n in ARKIT_NAMES if n.endswith("Left")}
BASES = sorted({n.removesuffix("Left").removesuffix("Right") for n in ARKIT_NAMES} - {"jaw", "mouth"})
SIDED = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")

# Opposed shapes, which faces do not make together: their weights are limited to a sum of 1.
OPPOSED = (
    *(("mouthSmile", "mouthFrown"), ("mouthSmile", "mouthStretch"), ("mouthSmile", "mouthPucker")),
    *(("mouthSmile", "mouthFunnel"), ("mouthStretch", "mouthPucker"), ("mouthStretch", "mouthFunnel")),
    *(("mouthDimple", "mouthPucker"), ("mouthDimple", "mouthFunnel"), ("mouthPucker", "mouthFunnel")),
    *(("mouthRollLower", "mouthPucker"), ("mouthRollUpper", "mouthPucker"), ("mouthFunnel", "mouthPress")),
    *(("mouthRollLower", "mouthFunnel"), ("mouthRollUpper", "mouthFunnel"), ("jawLeft", "jawRight")),
    *(("mouthRollUpper", "mouthUpperUp"), ("mouthRollLower", "mouthLowerDown"), ("mouthLeft", "mouthRight")),
    *(("mouthPress", "mouthUpperUp"), ("mouthPress", "mouthLowerDown"), ("eyeBlink", "eyeWide")),
    *(("eyeSquint", "eyeWide"), ("eyeLookUp", "eyeLookDown"), ("eyeLookIn", "eyeLookOut")),
    *(("mouthSmile", "cheekPuff"), ("mouthStretch", "cheekPuff")),
    *(("browDown", "browOuterUp"), ("browDown", "browInnerUp")),
)


def weights(**values: float) -> np.ndarray:
    """[52] f32; a name without its side means both sides."""
    row = np.zeros(len(ARKIT_NAMES), np.float32)
    for name, value in values.items():
        for full in [name] if name in ARKIT_INDEX else [f"{name}Left", f"{name}Right"]:
            row[ARKIT_INDEX[full]] = value
    return row


def posed(head: FaceFile, **values: float) -> np.ndarray:
    return deform(head, weights(**values)).astype(np.float64)


def region(head: FaceFile, *names: str) -> np.ndarray:
    return np.isin(head.region, [head.region_names.index(name) for name in names])


def triangles(head: FaceFile, flags: np.ndarray | None = None) -> np.ndarray:
    """[T, 3] of all polygons, or of those whose corners are all flagged."""
    rows = head.polygons
    if flags is not None:
        rows = rows[flags[np.where(rows < 0, rows[:, :1], rows)].all(1)]
    return np.concatenate([rows[:, :3], rows[rows[:, 3] >= 0][:, [0, 2, 3]]])


def eye_centre(head: FaceFile, side: str) -> np.ndarray:
    return np.array(next(bone for bone in head.bones if bone.name == f"eye.{side}").head)


def lid_slit(head: FaceFile, vertices: np.ndarray, side: str) -> float:
    """Largest height between the lid margins, millimetres."""
    upper, lower = vertices[head.rings[f"lid_upper.{side}"]], vertices[head.rings[f"lid_lower.{side}"]]
    under = np.interp(np.abs(upper[:, X]), np.abs(lower[:, X]), lower[:, HEIGHT])
    return float((upper[:, HEIGHT] - under).max() * MM)


def lid_clearance(head: FaceFile, vertices: np.ndarray, side: str) -> float:
    """Least height, millimetres, of the lids' outer surface over the turned eyeball with its cornea.

    Each skin triangle near the eye, down to the margin's back edge, is sampled; the ball's radius in its
    samples' directions is the largest of its vertices within 5 degrees.
    """
    centre = eye_centre(head, side)
    margins = np.concatenate([head.rings[f"lid_upper.{side}"], head.rings[f"lid_lower.{side}"]])
    at_margin = np.linalg.norm(head.vertices[margins] - centre, axis=1).min()
    distance = np.linalg.norm(head.vertices - centre, axis=1)
    outer = region(head, "eyelids", "face") & (distance > at_margin - 7e-4) & (distance < 0.022)
    corners = vertices[triangles(head, outer)]
    share = np.array([(a, b, 5 - a - b) for a in range(6) for b in range(6 - a)]) / 5
    points = np.einsum("sk,tkc->tsc", share, corners).reshape(-1, 3) - centre
    ball = vertices[region(head, f"eye.{side}")] - centre
    radius = np.linalg.norm(ball, axis=1)
    tree = cKDTree(ball / radius[:, None])
    length = np.linalg.norm(points, axis=1)
    near = tree.query(points / length[:, None], k=6, distance_upper_bound=np.radians(5))[1]
    under = np.append(radius, 0.0)[near].max(1)
    return float((length - under).min() * MM)


def lip_gap(head: FaceFile, vertices: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vertices[head.rings["lip_upper"]] - vertices[head.rings["lip_lower"]], axis=1) * MM


@kernel
def winding(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Winding number [n] of triangles [T, 3, 3] about points [n, 3] (van Oosterom and Strackee, 1983)."""
    result = np.zeros(points.shape[0])
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for t in range(corners.shape[0]):
            ax, ay, az = corners[t, 0, 0] - x, corners[t, 0, 1] - y, corners[t, 0, 2] - z
            bx, by, bz = corners[t, 1, 0] - x, corners[t, 1, 1] - y, corners[t, 1, 2] - z
            cx, cy, cz = corners[t, 2, 0] - x, corners[t, 2, 1] - y, corners[t, 2, 2] - z
            a = np.sqrt(ax * ax + ay * ay + az * az)
            b = np.sqrt(bx * bx + by * by + bz * bz)
            c = np.sqrt(cx * cx + cy * cy + cz * cz)
            volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
            flat = a * b * c + (ax * bx + ay * by + az * bz) * c
            flat += (bx * cx + by * cy + bz * cz) * a + (cx * ax + cy * ay + cz * az) * b
            result[i] += np.arctan2(volume, flat) / (2 * np.pi)
    return result


def depth_inside(points: np.ndarray, corners: np.ndarray) -> float:
    """How deep the deepest of `points` [n, 3] lies inside the closed triangles [T, 3, 3], millimetres."""
    reach = 0.003
    near = points[cKDTree(corners.mean(1)).query(points)[0] < reach]
    inside = near[np.abs(winding(near, corners)) > 0.5] if len(near) else near
    if len(inside) == 0:
        return 0.0
    share = np.array([(a, b, 5 - a - b) for a in range(6) for b in range(6 - a)]) / 5
    close = corners[cKDTree(inside).query(corners.mean(1))[0] < 2 * reach]
    surface = np.einsum("sk,tkc->tsc", share, close).reshape(-1, 3)
    return float(cKDTree(surface).query(inside)[0].max() * MM)


def lip_points(head: FaceFile, vertices: np.ndarray) -> np.ndarray:
    """Corners and middles of the lips' quads, from the vermilion border inwards."""
    flags = np.zeros(len(vertices), bool)
    for name, ids in head.rings.items():
        flags[ids] |= name.startswith(("lip_upper.", "lip_lower."))
    corners = vertices[triangles(head, flags)]
    return np.concatenate([corners.mean(1), vertices[flags]])


def natural_mixture(random: np.random.Generator) -> np.ndarray:
    """Weights [52] f64 of 3 to 5 shapes, each 0 to 1.

    Two in three pairs are as strong on both sides, the others weaker on the right; opposed shapes sum to at
    most 1; mouthClose, which ARKit gives only with an open jaw, joins one in three at no more than the jaw.
    """
    names = [name for name in [*BASES, *SIDED] if name not in ("mouthClose", "tongueOut")]
    chosen = dict.fromkeys(random.choice(names, random.integers(3, 6), replace=False).tolist(), 0.0)
    chosen = {name: random.random() for name in chosen}
    for one, other in OPPOSED:
        total = chosen.get(one, 0.0) + chosen.get(other, 0.0)
        if one in chosen and other in chosen and total > 1:
            chosen[one], chosen[other] = chosen[one] / total, chosen[other] / total
    result = np.zeros(len(ARKIT_NAMES))
    for name, amount in chosen.items():
        if name in ARKIT_INDEX:
            result[ARKIT_INDEX[name]] = amount
        else:
            result[ARKIT_INDEX[f"{name}Left"]] = amount
            result[ARKIT_INDEX[f"{name}Right"]] = amount * (1 if random.random() < 2 / 3 else random.random())
    if random.random() < 1 / 3:
        result[ARKIT_INDEX["mouthClose"]] = result[ARKIT_INDEX["jawOpen"]] * random.random()
    return result


class VisibleSkin:
    """The face's triangles that a frontal picture shows, and which of them a pose turns over."""

    _PIXEL = 0.4e-6  # m^2; a pixel of a 512 px picture of the head (0.62 mm) is 0.38 mm^2

    def __init__(self, head: FaceFile) -> None:
        skin = region(head, "face", "neck", "nose", "eyelids", "upper_lip", "lower_lip")
        for name, ids in head.rings.items():
            if name.startswith(("lip_upper.", "lip_lower.")) and int(name.split(".")[1]) > 8:
                skin[ids] = False  # behind the lip line
        for side in "LR":  # not what the lids' margins enclose: edges that touch when the eye closes
            upper, lower = (head.vertices[head.rings[f"lid_{lid}.{side}"]] for lid in ("upper", "lower"))
            x, height = np.abs(head.vertices[:, X]), head.vertices[:, HEIGHT]
            over = np.interp(x, np.abs(upper[:, X]), upper[:, HEIGHT])
            under = np.interp(x, np.abs(lower[:, X]), lower[:, HEIGHT])
            skin &= ~((height < over - 1e-5) & (height > under + 1e-5) & region(head, "eyelids"))
        faces = triangles(head, skin)
        area = np.cross(*(head.vertices[faces[:, i]] - head.vertices[faces[:, 0]] for i in (1, 2))) / 2
        seen = (area[:, DEPTH] < -self._PIXEL) & (area[:, DEPTH] < -0.2 * np.linalg.norm(area, axis=1))
        self._ids, self._faces = np.unique(faces[seen], return_inverse=True)
        self._faces = self._faces.reshape(-1, 3)
        self._rest = head.vertices[self._ids].astype(np.float64)
        self._shapes = head.shapes[:, self._ids].reshape(len(head.shapes), -1).astype(np.float32)
        self._normal = self._normals(self._rest)
        self.count = len(self._faces)

    def _normals(self, vertices: np.ndarray) -> np.ndarray:
        corner = vertices[self._faces]
        return np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])

    def turned_over(self, mixture: np.ndarray) -> int:
        """Triangles that face away from where they faced at rest and from where their neighbours face."""
        vertices = self._rest + (mixture.astype(np.float32) @ self._shapes).reshape(-1, 3)
        normal = self._normals(vertices)
        at_vertex = np.stack(
            [np.bincount(self._faces.ravel(), np.repeat(normal[:, k], 3), len(vertices)) for k in range(3)], 1
        )
        around = at_vertex[self._faces].sum(1) - 3 * normal
        return int((((normal * self._normal).sum(1) < 0) & ((normal * around).sum(1) < 0)).sum())
