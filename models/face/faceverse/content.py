"""A FaceVerse file's arrays, checked: nothing of them is used before it has the right shape and is finite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.tensorfile import Array

from .names import NAME_KEYS, name_list
from .pickled import read_pickled
from .versions import Version, detect

_MEDIAPIPE_KEYS = ("mediapipe_keypoints", "keypoints_mediapipe")
_POINT_KEYS = ("keypoints_68", "keypoints")
MEDIAPIPE_POINTS = 478
_HINT = "The file is damaged or changed: get it from its authors again"


@dataclass(frozen=True)
class Content:
    """A model as its file has it: its own units and axes.

    V vertices, I identity, E expression columns, F triangles.

    Attributes:
        mean: [V, 3] f64; identity: [I, V, 3] f32; expressions: [E, V, 3] f32 per unit of a coefficient.
        names: of expression columns, the first ones; empty where the file has none.
        wide: which column of the file's larger expression basis each column of `expressions` is, -1 for none;
            empty where it has no larger one. wide_size: that basis' columns.
        colors: [V, 3] f32 0-255; uv: [V, 2] f32 or None.
        triangles: [F, 3] i64.
        mediapipe: [478] i64 vertex ids, or empty; points: [n] i64 ids of 66 or 68 landmarks, or empty.
        ends: where the vertices of face, left eye, right eye, ... end; empty for a face without parts.
        masks: name -> [V] f32, 0-1.
    """

    version: Version
    mean: Array
    identity: Array
    expressions: Array
    names: tuple[str, ...]
    wide: tuple[int, ...]
    wide_size: int
    colors: Array
    uv: Array | None
    triangles: Array
    mediapipe: Array
    points: Array
    ends: tuple[int, ...]
    masks: Mapping[str, Array]


def read_content(path: Path, simplified: bool = False) -> Content:
    """Read and check a model file.

    Args:
        simplified: take the smaller mesh that v2 has besides its full one.

    Raises `InputError` or `FileFormatError`.
    """
    return _Checked(read_pickled(path), str(path)).content(simplified)


class _Checked:
    """Takes parts of a file, each with its checks."""

    def __init__(self, parts: Mapping[str, Any], where: str) -> None:
        self._parts, self._where = parts, where
        self._version = detect(parts, where)
        self._vertices = self._count_vertices()

    def content(self, simplified: bool) -> Content:
        """Everything, of the full or the simplified mesh."""
        simple = simplified or "tri" not in self._parts
        rows = self._selected() if simple else slice(None)
        count = len(rows) if isinstance(rows, np.ndarray) else self._vertices
        (key,) = self._version.expressions
        expressions = self._basis(key)
        wide, wide_size = self._wide(expressions)
        uv = self._colors("uvtex")[rows, :2] if "uvtex" in self._parts else None
        suffix = "_select" if simple else ""
        return Content(
            version=self._version,
            mean=self._rows("meanshape", 1)[0][rows].astype(np.float64),
            identity=self._basis("idBase")[:, rows],
            expressions=expressions[:, rows],
            names=self._names(expressions.shape[0]),
            wide=wide,
            wide_size=wide_size,
            colors=self._colors("meantex")[rows],
            uv=uv if uv is None or uv.max(initial=0) <= 1 else uv / 255.0,
            triangles=self._ids(f"tri{suffix}", count).reshape(-1, 3),
            mediapipe=self._points(_MEDIAPIPE_KEYS, count, (MEDIAPIPE_POINTS,)),
            points=self._points((f"keypoints{suffix}",) if simple else _POINT_KEYS, count, (66, 68, 70)),
            ends=self._ends(),
            masks=self._masks(suffix, count),
        )

    def _wrong(self, what: str) -> FileFormatError:
        return FileFormatError(f"{self._where} (FaceVerse v{self._version.number}): {what}", _HINT)

    def _count_vertices(self) -> int:
        size = np.size(self._parts["meanshape"])
        if size == 0 or size % 3:
            raise self._wrong(f"meanshape has {size} values, not three for each vertex")
        return int(size) // 3

    def _numbers(self, name: str) -> Array:
        array = self._parts.get(name)
        if isinstance(array, list):
            array = np.array(array) if all(isinstance(n, int | float) for n in array) else None
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            raise self._wrong(f"{name} holds no numbers")
        return array

    def _rows(self, name: str, columns: int) -> Array:
        """A basis [3 V, K], rows x0, y0, z0, x1, ... -> [K, V, 3] f32."""
        array = self._numbers(name)
        if array.size != 3 * self._vertices * columns:
            raise self._wrong(
                f"{name} has shape {array.shape}, expected ({3 * self._vertices}, {columns}) "
                f"for {self._vertices} vertices"
            )
        rows = array.reshape(self._vertices, 3, columns)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(rows))[0]
            raise self._wrong(f"{name} is not finite at vertex {where[0]}, column {where[2]}")
        with np.errstate(over="ignore"):
            moved = np.ascontiguousarray(np.moveaxis(rows, 2, 0), np.float32)
        if not np.isfinite(moved).all():
            raise self._wrong(f"{name} has values beyond all measure")
        return moved

    def _basis(self, name: str) -> Array:
        return self._rows(name, int(self._numbers(name).shape[-1]))

    def _colors(self, name: str) -> Array:
        return np.asarray(self._rows(name, 1)[0])

    def _ids(self, name: str, count: int) -> Array:
        """Whole numbers from 0 to count - 1, flat."""
        array = self._numbers(name).reshape(-1)
        if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.round(array))).all():
            raise self._wrong(f"{name} holds numbers that are no vertex ids")
        if name.startswith("tri") and array.size % 3:
            raise self._wrong(f"{name} has {array.size} ids, not three for each triangle")
        if array.size == 0 or array.min() < 0 or array.max() >= count:
            raise self._wrong(f"{name} points outside the mesh of {count} vertices")
        return array.astype(np.int64)

    def _selected(self) -> Array:
        if "select_id" not in self._parts:
            raise self._wrong("it has no simplified mesh (select_id)")
        return self._ids("select_id", self._vertices)

    def _points(self, keys: tuple[str, ...], count: int, sizes: tuple[int, ...]) -> Array:
        for key in keys:
            if key in self._parts:
                ids = self._ids(key, count)
                if len(ids) in sizes:
                    return ids
        return np.zeros(0, np.int64)

    def _names(self, columns: int) -> tuple[str, ...]:
        for key in NAME_KEYS:
            if key not in self._parts:
                continue
            names = name_list(self._parts[key])
            if names is None:
                raise self._wrong(f"{key} is no list of names")
            if len(names) > columns:
                raise self._wrong(f"{key} has {len(names)} names for {columns} expressions")
            return names
        return ()

    def _wide(self, expressions: Array) -> tuple[tuple[int, ...], int]:
        """Where the named columns are in the larger basis that the authors' own fits use (v3)."""
        if "exBase" in self._version.expressions or "exBase" not in self._parts:
            return (), 0
        wide = self._basis("exBase")
        flat = wide.reshape(len(wide), -1)
        places = []
        for column in expressions.reshape(len(expressions), -1):
            away = np.abs(flat - column).max(1)
            best = int(away.argmin())
            places.append(best if away[best] <= 1e-4 * np.abs(column).max() else -1)
        return tuple(places), len(wide)

    def _ends(self) -> tuple[int, ...]:
        if self._version.part_ends == 0:
            return ()
        ends = self._ids("ver_inds", self._vertices + 1).tolist()
        if any(b <= a for a, b in pairwise(ends)):
            raise self._wrong(f"ver_inds {ends} are not the ends of face and eyes in order")
        return tuple(ends)

    def _masks(self, suffix: str, count: int) -> dict[str, Array]:
        parsing = self._parts.get("parsing")
        found = {
            "skin": parsing.get("skin")
            if isinstance(parsing, dict)
            else self._parts.get(f"skinmask{suffix}"),
            "face": self._parts.get("face_mask"),
        }
        masks = {}
        for name, mask in found.items():
            if not isinstance(mask, np.ndarray) or mask.dtype.kind not in "fiub" or mask.size != count:
                continue
            values = mask.reshape(-1).astype(np.float32)
            if not np.isfinite(values).all():
                raise self._wrong(f"the {name} mask is not finite")
            masks[name] = np.clip(values, 0, 1)
        return masks
