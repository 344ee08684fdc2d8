"""A tracked head drawn over its video: contact sheets to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.protocol.errors import MissingExtraError
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer
from models.portrait.track import FaceTrack
from models.render import write_png

_LINES = {  # beginning of a ring's name -> colour
    "lip_upper": (255, 230, 0),
    "lip_lower": (255, 120, 0),
    "lip_upper.5": (0, 255, 80),
    "lip_lower.5": (0, 255, 80),
    "lid_upper.L": (0, 230, 255),
    "lid_upper.R": (0, 230, 255),
    "lid_lower.L": (0, 130, 255),
    "lid_lower.R": (0, 130, 255),
}
_MESH, _DETECTED = (255, 255, 255), (255, 0, 255)
_TILE, _COLUMNS, _ROWS = 380, 4, 3  # pixels a picture, pictures a sheet
_ROOM = 1.25  # side of what is shown, in sizes of the face


def draw_overlays(folder: Path, track: FaceTrack, pictures: Iterable[tuple[int, Array]]) -> list[Path]:
    """Write sheets of `pictures` (frame number, [H, W, 3] u8) with the fitted head's lines to `folder`.

    White: the face's mesh; yellow and green: lips; blue: lids; magenta: the detector's landmarks.

    Raises:
        MissingExtraError: OpenCV is not installed.
        OutputError: a sheet cannot be written.
    """
    tiles = list(_tiles(track, pictures))
    paths = []
    for number, start in enumerate(range(0, len(tiles), _COLUMNS * _ROWS)):
        shown = tiles[start : start + _COLUMNS * _ROWS]
        shown += [np.zeros_like(tiles[0])] * (-len(shown) % _COLUMNS)
        rows = [np.hstack(shown[i : i + _COLUMNS]) for i in range(0, len(shown), _COLUMNS)]
        paths.append(folder / f"overlay_{number:02d}.png")
        write_png(paths[-1], np.vstack(rows))
    return paths


def _tiles(track: FaceTrack, pictures: Iterable[tuple[int, Array]]) -> Iterator[Array]:
    cv2 = _cv2()
    deformer, face = Deformer(track.face), track.face
    edges = _front_edges(track)
    for frame, picture in pictures:
        vertices = deformer.shape(track.weights[frame], track.lip[frame])
        low, high = _bounds(track, frame)
        scale = _TILE / (high - low).max()
        camera = track.camera_at(frame).cropped(float(low[0]), float(low[1]), float(scale))
        matrix = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale]])
        tile = cv2.warpAffine(picture, matrix, (_TILE, _TILE), flags=cv2.INTER_AREA)
        points = camera.project(vertices)[:, :2]
        drawn = tile.copy()
        cv2.polylines(drawn, list(_fixed(points[edges])), False, _MESH, 1, cv2.LINE_AA, 4)
        tile = cv2.addWeighted(tile, 0.75, drawn, 0.25, 0)
        for name, color in _LINES.items():
            if name in face.rings:
                cv2.polylines(tile, [_fixed(points[face.rings[name]])], False, color, 1, cv2.LINE_AA, 4)
        marks = (track.landmarks[frame, :, :2] - low) * scale
        for mark in marks[np.isfinite(marks).all(1)]:
            cv2.circle(tile, tuple(_fixed(mark)), 12, _DETECTED, -1, cv2.LINE_AA, 4)
        label = f"{frame}  {track.confidence[frame]:.2f}"
        cv2.putText(tile, label, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
        yield tile


def _fixed(points: Array) -> Array:
    """Pixel positions in sixteenths, as OpenCV draws them: its pixel centres are whole numbers."""
    return np.asarray(np.rint((np.nan_to_num(points) - 0.5) * 16), np.int32)


def _bounds(track: FaceTrack, frame: int) -> tuple[Array, Array]:
    """Corners of the square that shows the face."""
    points = track.camera_at(frame).project(track.face.vertices[_front(track)])[:, :2]
    low, high = points.min(0), points.max(0)
    side = _ROOM * (high - low).max()
    middle = (low + high) / 2
    return middle - side / 2, middle + side / 2


def _front(track: FaceTrack) -> Array:
    face = track.face
    wanted = [face.region_names.index(n) for n in ("face", "nose", "eyelids") if n in face.region_names]
    ahead = face.vertices[:, 1] < face.pivot[1] - 0.04
    return np.flatnonzero(np.isin(face.region, wanted) & ahead if wanted else ahead)


def _front_edges(track: FaceTrack) -> Array:
    """[E, 2] every third edge or so of the face's front, which is enough to see where it lies."""
    front = np.zeros(len(track.face.vertices), bool)
    front[_front(track)] = True
    quads = track.face.polygons[track.face.polygons[:, 3] >= 0]
    quads = quads[front[quads].all(1)]
    edges = np.unique(np.sort(np.concatenate([quads[:, :2], quads[:, 1:3]]), 1), axis=0)
    return np.asarray(edges[::2])


def _cv2() -> Any:
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "drawing overlays needs opencv, which is not installed",
            "Install it with: pip install -e .[portrait]",
        ) from error
    return cv2
