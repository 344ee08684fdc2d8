"""Named points on a FaceVerse mesh: from its MediaPipe points, else from its 66 or 68 landmarks."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csgraph

from blender_addon.protocol.errors import InputError
from models.face.transfer.surface import Floats, Ints, Surface

from .content import Content

# Points of MediaPipe's face mesh (its canonical face model); R and L are the subject's.
_MEDIAPIPE = {
    "nose_tip": 4,
    "chin": 152,
    "mouth_corner.R": 78,
    "mouth_corner.L": 308,
    "lip_upper_middle": 13,
    "lip_lower_middle": 14,
    "eye_outer.R": 33,
    "eye_inner.R": 133,
    "lid_upper_middle.R": 159,
    "lid_lower_middle.R": 145,
    "eye_outer.L": 263,
    "eye_inner.L": 362,
    "lid_upper_middle.L": 386,
    "lid_lower_middle.L": 374,
}
# Points along each ring, from the right corner to the left one, or from nose to temple.
_RINGS = {
    "lip_upper": (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    "lip_lower": (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    "lid_upper.R": (133, 173, 157, 158, 159, 160, 161, 246, 33),
    "lid_lower.R": (133, 155, 154, 153, 145, 144, 163, 7, 33),
    "lid_upper.L": (362, 398, 384, 385, 386, 387, 388, 466, 263),
    "lid_lower.L": (362, 382, 381, 380, 374, 373, 390, 249, 263),
}
_LID_RINGS = {
    "lid_upper.R": (39, 38, 37, 36),
    "lid_lower.R": (39, 40, 41, 36),
    "lid_upper.L": (42, 43, 44, 45),
    "lid_lower.L": (42, 47, 46, 45),
}
_LIP_RINGS = {"lip_upper": (48, 61, 62, 63, 54), "lip_lower": (48, 67, 66, 65, 54)}  # of 68 only
# Points of the 68 of iBUG's 300-W, which the 66 share up to 47.
_POINTS = {
    "nose_tip": 30,
    "chin": 8,
    "eye_outer.R": 36,
    "eye_inner.R": 39,
    "eye_inner.L": 42,
    "eye_outer.L": 45,
}
_LIDS = {
    "lid_upper_middle.R": (37, 38),
    "lid_lower_middle.R": (40, 41),
    "lid_upper_middle.L": (43, 44),
    "lid_lower_middle.L": (46, 47),
}
_MOUTH = slice(48, None)
_NEAR_MIDDLE = 0.15  # of the mouth's width: points of the lips' middles
_NOSE_REACH = 0.2  # of the way between the eyes' outer corners
_MIDLINE = 0.04  # of the same, beside the midline
_CHIN = (0.05, 0.45)  # of the way from the chin's lowest point to the mouth, where it may be most forward


def named_points(content: Content, where: str) -> dict[str, int]:
    """Landmark name -> vertex id. Raises `InputError` where the file has no landmarks.

    The chin is still the lowest point here, and the tip of the nose may be beside the foremost: see
    `foremost`.
    """
    if len(content.mediapipe):
        return {name: int(content.mediapipe[i]) for name, i in _MEDIAPIPE.items()}
    if len(content.points) < 66:
        raise InputError(
            f"{where} has no landmarks (keypoints), so its axes cannot be told", "Give the complete file"
        )
    ids, at = content.points, content.mean
    marks = {name: int(ids[i]) for name, i in _POINTS.items()}
    surface = Surface(at, content.triangles)
    for name, (first, second) in _LIDS.items():
        marks[name] = _halfway(surface, int(ids[first]), int(ids[second]))
    across = at[marks["eye_outer.L"]] - at[marks["eye_outer.R"]]
    up = at[ids[36:48]].mean(0) - at[ids[_MOUTH]].mean(0)
    return marks | _mouth(at, ids[_MOUTH], across / np.linalg.norm(across), up)


def ring_points(content: Content) -> dict[str, Ints]:
    """Ring -> vertices that it passes near, in order, as far as the file's landmarks tell."""
    if len(content.mediapipe):
        return {name: content.mediapipe[list(row)] for name, row in _RINGS.items()}
    rows = _LID_RINGS | (_LIP_RINGS if len(content.points) >= 68 else {})
    return {name: content.points[list(row)] for name, row in rows.items()}


def _mouth(at: Floats, ids: Ints, across: Floats, up: Floats) -> dict[str, int]:
    """Corners and middles of the lips' inner line from their outline's points, upper before lower."""
    place = at[ids] @ across
    left, right = int(place.argmax()), int(place.argmin())
    width = place[left] - place[right]
    middle = np.flatnonzero(np.abs(place - 0.5 * (place[left] + place[right])) < _NEAR_MIDDLE * width)
    if len(middle) < 4:
        raise InputError("the landmarks of the mouth do not lie like a mouth", "Give the complete file")
    height = at[ids[middle]] @ up
    inner = np.delete(middle, [int(height.argmax()), int(height.argmin())])
    return {
        "mouth_corner.L": int(ids[left]),
        "mouth_corner.R": int(ids[right]),
        "lip_upper_middle": int(ids[inner[0]]),
        "lip_lower_middle": int(ids[inner[-1]]),
    }


def _halfway(surface: Surface, first: int, second: int) -> int:
    """The vertex halfway along the shortest way over the edges."""
    graph = surface.graph(np.maximum(surface.edge_lengths, 1e-12))
    away, before = csgraph.dijkstra(graph, indices=first, return_predecessors=True)
    path = [second]
    while path[-1] != first and before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return path[int(np.abs(away[path] - 0.5 * away[second]).argmin())]


def foremost(vertices: Floats, marks: dict[str, int]) -> dict[str, int]:
    """`marks` with nose tip and chin at their foremost points, as our own head has them.

    Args:
        vertices: [V, 3] in our axes, metres.
    """
    scale = float(np.linalg.norm(vertices[marks["eye_outer.L"]] - vertices[marks["eye_outer.R"]]))
    tip, low = vertices[marks["nose_tip"]], vertices[marks["chin"]]
    mouth = vertices[marks["lip_lower_middle"]]
    near = np.linalg.norm(vertices - tip, axis=1) < _NOSE_REACH * scale
    share = (vertices[:, 2] - low[2]) / (mouth[2] - low[2])
    beside = np.abs(vertices[:, 0] - 0.5 * (low[0] + mouth[0])) < _MIDLINE * scale
    chin = beside & (share > _CHIN[0]) & (share < _CHIN[1])
    found = dict(marks)
    for name, zone in (("nose_tip", near), ("chin", chin)):
        if zone.any():
            found[name] = int(np.where(zone, vertices[:, 1], np.inf).argmin())
    return found
