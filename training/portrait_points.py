"""Where the 478 landmarks of mediapipe's face mesh lie on the built-in head.

    python -m training.portrait_points

writes `models/assets/landmark-points.safetensors`, and nothing else does. Random people of the head are drawn
from several sides, mouths shut and open; the detector's landmarks are followed back to the surface; a
landmark's place is the geometric median of these over all people, made symmetric and put onto the lid margins
and lip lines where it belongs there. Only this correspondence is kept of what the detector found: no shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array, write_tensors
from models.face.deform import Deformer
from models.face.identity import sample_identity, with_identity
from models.face.load import load_head
from models.face.transfer.surface import closest_on_triangles
from models.portrait.landmarks import (
    EYE_CONTOURS,
    FACE_OVAL,
    INNER_LIP_LOWER,
    INNER_LIP_UPPER,
    IRISES,
    LANDMARKS,
    LandmarkSource,
)
from models.portrait.mediapipe_landmarks import bundled_landmarks
from models.portrait.points import POINTS_ASSET, MeshPoints, topology
from models.portrait.priors import EYE_DISTANCE
from models.render import Camera, PreviewRenderer
from models.render.raster import Raster, rasterize, vertex_normals
from models.render.triangles import Triangles

_PEOPLE, _PIXELS = 40, 320
# Yaw and pitch of the cameras, degrees, each plus up to 6 at random; the mouth is open in every other view.
_VIEWS = ((0, 0), (0, 0), (-28, 0), (28, 0), (0, -15), (0, 15))
_OPEN = (0.2, 0.45)  # jawOpen
_SETTLING = 4  # rounds
_FAR = 0.06  # of the eye distance, by which a landmark may miss the surface
_FACING = 0.3  # least cosine between surface and view
_FRONTAL = 9.0  # degrees of yaw up to which the outline of a face lies where the oval's landmarks lie
_SKIN = ("face", "scalp", "neck", "nose", "nostrils", "eyelids", "upper_lip", "lower_lip")
_EYES, _UPPER, _LOWER = ("eye.L", "eye.R"), ("upper_lip",), ("lower_lip",)


@dataclass(frozen=True)
class _View:
    """A drawn person and what was found: vertices, screen points, camera, landmarks [478, 3]."""

    vertices: Array
    points: Array
    camera: Camera
    opened: bool
    landmarks: Array


def main() -> None:
    """Write the table."""
    head = load_head()
    views = list(_views(head, bundled_landmarks()))
    mirror = _mirror(views)
    hits = _hits(head, views)
    places = np.array([_median(np.array(found)) for found in hits])
    places = (places + places[mirror] * (-1, 1, 1)) / 2
    points = _settled(head, places, mirror, views)
    tensors = {
        "ids": points.ids,
        "weights": points.weights,
        "mirror": mirror.astype(np.int32),
        "spread": _missed(points, views)[1],
    }
    write_tensors(POINTS_ASSET, tensors, {"topology": topology(head)})


def _settled(head: FaceFile, places: Array, mirror: Array, views: list[_View]) -> MeshPoints:
    """Points on the surface, moved until the detector finds them on no side of where they are drawn."""
    for _ in range(_SETTLING):
        points = MeshPoints(*_on_surface(head, places), np.ones(LANDMARKS, bool))
        bias = _missed(points, views)[0]
        bias = (bias + bias[mirror] * (-1, 1)) / 2
        step = np.column_stack([bias[:, 0], np.zeros(LANDMARKS), -bias[:, 1]]) * EYE_DISTANCE
        places = points.of(head.vertices) + step
    return points


def _views(head: FaceFile, source: LandmarkSource) -> Iterator[_View]:
    for seed in range(_PEOPLE):
        random = np.random.default_rng(seed)
        person = with_identity(head, sample_identity(head, random))
        deformer = Deformer(person)
        for number, (yaw, pitch) in enumerate(_VIEWS):
            weights = np.zeros(len(ARKIT_INDEX), np.float32)
            if number % 2:
                weights[ARKIT_INDEX["jawOpen"]] = random.uniform(*_OPEN)
            turn = random.uniform(-6, 6, 2)
            camera = Camera(yaw=yaw + turn[0], pitch=pitch + turn[1], distance=random.uniform(0.6, 1.5))
            vertices = deformer(weights)
            faces = source.detect(PreviewRenderer(person, (_PIXELS, _PIXELS), camera).draw(vertices))
            if faces:
                points = camera.project(vertices, _PIXELS, _PIXELS)
                yield _View(vertices, points, camera, bool(number % 2), faces[0].landmarks.astype(np.float64))


def _mirror(views: list[_View]) -> Array:
    """[478] each landmark's twin: the mean face of views from the front against its mirror image."""
    frontal = []
    for view in views:
        if abs(view.camera.yaw) < _FRONTAL:
            eyes = view.landmarks[[33, 263]]
            frontal.append((view.landmarks - eyes.mean(0)) / np.linalg.norm(eyes[0] - eyes[1]))
    mean = np.mean(frontal, 0)
    apart = np.linalg.norm(mean[:, None] - mean[None] * (-1, 1, 1), axis=2)
    twin = linear_sum_assignment(apart)[1]
    if (twin[twin] != np.arange(LANDMARKS)).any():
        raise RuntimeError("landmarks do not pair up: draw more people")
    return np.asarray(twin)


def _hits(head: FaceFile, views: list[_View]) -> list[list[Array]]:
    """Per landmark the places [n, 3] on the head at rest where it was found."""
    groups: list[tuple[tuple[str, ...], tuple[int, ...]]] = [
        (_SKIN, _others()),
        (_EYES, IRISES),
        (_UPPER, INNER_LIP_UPPER),
        (_LOWER, INNER_LIP_LOWER),
    ]
    hits: list[list[Array]] = [[] for _ in range(LANDMARKS)]
    every = Triangles.of(head)
    fronts = every.ids[: every.fronts]
    for regions, landmarks in groups:
        part = np.isin(head.region, [head.region_names.index(name) for name in regions])
        triangles = np.ascontiguousarray(fronts[part[fronts].all(1)])
        for view in views:
            if regions in (_UPPER, _LOWER) and not view.opened:
                continue
            for landmark, place in _view_hits(head, view, triangles, fronts, landmarks):
                hits[landmark].append(place)
    return hits


def _others() -> tuple[int, ...]:
    apart = {*IRISES, *INNER_LIP_UPPER, *INNER_LIP_LOWER}
    return tuple(i for i in range(LANDMARKS) if i not in apart)


def _view_hits(
    head: FaceFile, view: _View, triangles: Array, fronts: Array, landmarks: tuple[int, ...]
) -> Iterator[tuple[int, Array]]:
    raster = Raster.empty(_PIXELS, _PIXELS)
    rasterize(view.points, triangles, raster)
    apart, (rows, columns) = distance_transform_edt(raster.triangle < 0, return_indices=True)
    away = view.camera.position() - view.vertices
    facing = (vertex_normals(view.vertices, fronts) * away).sum(1) / np.linalg.norm(away, axis=1)
    far = _FAR * np.linalg.norm(view.landmarks[33] - view.landmarks[263])
    for landmark in landmarks:
        x, y = np.floor(view.landmarks[landmark, :2]).astype(int)
        outline = landmark in FACE_OVAL
        if not (0 <= x < _PIXELS and 0 <= y < _PIXELS) or apart[y, x] > far:
            continue
        if outline and abs(view.camera.yaw) > _FRONTAL:
            continue
        row, column = rows[y, x], columns[y, x]
        ids = triangles[raster.triangle[row, column]]
        share = np.array([*raster.bary[row, column], 1 - raster.bary[row, column].sum()])
        if outline or share @ facing[ids] > _FACING:
            yield landmark, share @ head.vertices[ids]


def _median(points: Array) -> Array:
    """Geometric median [3] of `points` [n, 3] (Weiszfeld's iteration)."""
    middle = np.median(points, 0)
    for _ in range(30):
        weight = 1 / np.maximum(np.linalg.norm(points - middle, axis=1), 1e-5)
        middle = weight @ points / weight.sum()
    return np.asarray(middle)


def _on_surface(head: FaceFile, places: Array) -> tuple[Array, Array]:
    """Vertex ids [478, 3] and weights of the points of the head nearest to `places` [478, 3]."""
    every = Triangles.of(head)
    fronts = every.ids[: every.fronts]
    ids, weights = np.zeros((LANDMARKS, 3), np.int32), np.zeros((LANDMARKS, 3), np.float32)
    lines = dict.fromkeys(INNER_LIP_UPPER, ("lip_upper",))
    lines |= dict.fromkeys(INNER_LIP_LOWER, ("lip_lower",))
    for side, (upper, lower) in EYE_CONTOURS.items():
        lines |= dict.fromkeys(upper, (f"lid_upper.{side}",))
        lines |= dict.fromkeys(lower, (f"lid_lower.{side}",))
    for landmark, place in enumerate(places):
        if landmark in lines:
            ring = np.concatenate([head.rings[name] for name in lines[landmark]])
            candidates = np.column_stack([ring[:-1], ring[1:], ring[1:]])
        else:
            names = _EYES if landmark in IRISES else _SKIN
            part = np.isin(head.region, [head.region_names.index(name) for name in names])
            candidates = fronts[part[fronts].all(1)]
        corners = head.vertices[candidates].astype(np.float64)
        near = np.argsort(np.linalg.norm(corners.mean(1) - place, axis=1))[:60]
        ids[landmark], weights[landmark] = _nearest(place, candidates[near], corners[near])
    return ids, weights


def _nearest(place: Array, candidates: Array, corners: Array) -> tuple[Array, Array]:
    if (candidates[:, 1] == candidates[:, 2]).all():  # segments
        along = corners[:, 1] - corners[:, 0]
        t = ((place - corners[:, 0]) * along).sum(1) / np.maximum((along**2).sum(1), 1e-18)
        shares = np.column_stack([1 - np.clip(t, 0, 1), np.clip(t, 0, 1), np.zeros(len(t))])
    else:
        shares = closest_on_triangles(np.broadcast_to(place, (len(corners), 3)), corners)[0]
    distance = np.linalg.norm((shares[..., None] * corners).sum(1) - place, axis=1)
    best = int(distance.argmin())
    return candidates[best], shares[best]


def _missed(points: MeshPoints, views: list[_View]) -> tuple[Array, Array]:
    """Median [478, 2] and usual size [478] of the detector's misses seen from the front, eye distances."""
    missed = []
    for view in views:
        if abs(view.camera.yaw) < _FRONTAL:
            eyes = np.linalg.norm(view.landmarks[468] - view.landmarks[473])
            missed.append((view.landmarks[:, :2] - points.of(view.points[:, :2])) / eyes)
    middle = np.median(missed, 0)
    spread = np.median(np.linalg.norm(np.array(missed) - middle, axis=2), 0)
    return middle.astype(np.float32), spread.astype(np.float32)


if __name__ == "__main__":
    main()
