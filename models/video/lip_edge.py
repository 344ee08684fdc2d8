"""What the edges of parting lips show: the red of the lips, not the dark line where they met."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

from .regions import smoothstep

_LINE = 8  # the ring where the lips meet
# How far each ring behind the line samples outward, in steps between the line and the ring before it.
_DRAW = {8: 0.30, 9: 0.42, 10: 0.55, 11: 0.70, 12: 0.80}  # our choice
_OPENING = 0.0035  # metres of further opening over which that grows


class LipEdge:
    """Sampling places of the rings at and behind the lip line."""

    def __init__(self, face: FaceFile, vertices: Array, points: Array) -> None:
        """`vertices` [V, 3] and screen `points` [V, 3] of the portrait."""
        names = [f"lip_{part}.{_LINE}" for part in ("upper", "lower")]
        self._rows: list[tuple[Array, Array, Array]] = []
        self._line: tuple[Array, ...] = ()
        if not all(name in face.rings for name in names):
            return
        self._line = tuple(face.rings[name] for name in names)
        self._shut = self._gap(vertices)
        for part, line in zip(("upper", "lower"), self._line, strict=True):
            outer = face.rings[f"lip_{part}.{_LINE - 1}"]
            for ring, share in _DRAW.items():
                if f"lip_{part}.{ring}" in face.rings:
                    ids = face.rings[f"lip_{part}.{ring}"]
                    place = points[line, :2] + share * (points[outer, :2] - points[line, :2])
                    self._rows.append((ids, points[line, :2], place))

    def __call__(self, vertices: Array, source: Array) -> None:
        """Move the rings' rows of `source` [V, 2+] as the lips of `vertices` part."""
        if not self._line:
            return
        open_ = smoothstep(self._gap(vertices) - self._shut, 0.0, _OPENING)[:, None]
        for ids, _, place in self._rows:
            source[ids, :2] += open_ * (place - source[ids, :2])

    def _gap(self, vertices: Array) -> Array:
        """[n] metres between upper and lower lip line."""
        upper, lower = self._line
        gap: Array = np.linalg.norm(vertices[upper] - vertices[lower], axis=1)
        return gap
