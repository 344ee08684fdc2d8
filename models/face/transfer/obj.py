"""Meshes from Wavefront OBJ files. Vertices keep their order; only `v`, `vt` and `f` are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array

_HINT = "Export the head as OBJ with vertices and faces"


@dataclass(frozen=True)
class TargetMesh:
    """A head as its file has it.

    Attributes:
        vertices: [V, 3] f64 in the file's own units and axes.
        polygons: [P, 4] i64; -1 last for a triangle. Faces of more corners are fans.
        uv: [P, 4, 2] f32 per corner, zeros where the file has none.
    """

    vertices: Array
    polygons: Array
    uv: Array


def read_obj(path: Path) -> TargetMesh:
    """Read an OBJ file. Raises `InputError`."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", "Check the path") from error
    points: list[list[float]] = []
    texture: list[list[float]] = [[0.0, 0.0]]
    faces: list[list[tuple[int, int]]] = []
    for number, line in enumerate(text.replace("\\\n", " ").splitlines(), start=1):
        words = line.split()
        try:
            if words[:1] == ["v"]:
                points.append([float(word) for word in words[1:4]])
            elif words[:1] == ["vt"]:
                texture.append([float(word) for word in words[1:3]])
            elif words[:1] == ["f"]:
                faces.append([_corner(word, len(points), len(texture) - 1) for word in words[1:]])
        except ValueError as error:
            raise InputError(f"{path} line {number}: {line.strip()!r} cannot be read", _HINT) from error
    return _mesh(path, points, texture, faces)


def _corner(word: str, points: int, textures: int) -> tuple[int, int]:
    """Vertex id, and texture id or 0 for none; negative numbers count from the end."""
    parts = word.split("/")
    vertex = int(parts[0])
    coordinate = int(parts[1]) if len(parts) > 1 and parts[1] else 0
    vertex = vertex - 1 if vertex > 0 else vertex + points
    return vertex, coordinate if coordinate >= 0 else coordinate + textures + 1


def _mesh(
    path: Path,
    points: list[list[float]],
    texture: list[list[float]],
    faces: Sequence[Sequence[tuple[int, int]]],
) -> TargetMesh:
    if any(len(point) != 3 for point in points) or any(len(point) != 2 for point in texture):
        raise InputError(f"{path} has a vertex without three coordinates", _HINT)
    quads = [
        (*face, (-1, 0)) if len(face) == 3 else tuple(face)
        for polygon in faces
        for face in ([polygon] if len(polygon) <= 4 else _fan(polygon))
    ]
    if not points or not quads or any(len(quad) != 4 for quad in quads):
        raise InputError(f"{path} has no faces of three or more corners", _HINT)
    corners = np.array(quads, np.int64)  # [P, 4, 2]
    polygons = corners[..., 0]
    if polygons[:, :3].min() < 0 or polygons.max() >= len(points) or corners[..., 1].max() >= len(texture):
        raise InputError(f"{path} has a face that points outside its vertices", _HINT)
    vertices = np.array(points, np.float64)
    if not np.isfinite(vertices).all():
        raise InputError(f"{path} has a vertex that is not finite", _HINT)
    return TargetMesh(vertices, polygons, np.array(texture, np.float32)[corners[..., 1]])


def _fan(polygon: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    return [[polygon[0], polygon[i], polygon[i + 1]] for i in range(1, len(polygon) - 1)]
