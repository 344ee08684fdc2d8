"""How a FaceVerse file's axes and unit lie to ours: told from its face, whatever its version says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.face.transfer.placement import nearest_axes
from models.face.transfer.surface import Floats

_EYES_APART = 0.063  # metres between the middles of the eyes, about the adult mean (N. A. Dodgson, 2004)
_STEEPEST = 40.0  # degrees between the face and the nearest of the file's axes
_FORWARD = 0.05  # of the way between the eyes' corners, by which a nose tip must stand out
_HINT = "The mesh must be a face with its landmarks in place"


@dataclass(frozen=True)
class Frame:
    """Stored coordinates -> ours: metres = scale * rotation @ stored + translation.

    Attributes:
        rotation: [3, 3] proper; axes onto axes.
        tilt: degrees between the face and those axes.
    """

    rotation: Floats
    scale: float
    translation: Floats
    tilt: float

    def __call__(self, points: Array) -> Floats:
        """[..., 3] -> [..., 3]"""
        return self.moved(points) + self.translation

    def moved(self, displacements: Array) -> Floats:
        """Displacements [..., 3] -> metres."""
        turned: Floats = self.scale * (displacements @ self.rotation.T)
        return turned


def find_frame(vertices: Floats, marks: Mapping[str, int], eyes: Floats, where: str) -> Frame:
    """The file's axes by its face: from mouth to eyes is up, the nose points forward, left is left.

    Args:
        vertices: [V, 3] as stored; marks: landmark name -> vertex id.
        eyes: where the point between the eyes shall lie in our axes, metres.

    Raises `InputError` for what is no face, and for a mirrored one.
    """
    at = {name: vertices[i] for name, i in marks.items()}
    middles = [0.5 * (at[f"eye_inner.{side}"] + at[f"eye_outer.{side}"]) for side in "LR"]
    between = 0.5 * (middles[0] + middles[1])
    mouth = 0.5 * (at["mouth_corner.L"] + at["mouth_corner.R"])
    left, up = _straight(middles[0] - middles[1], between - mouth, where)
    apart = float(np.linalg.norm(middles[0] - middles[1]))
    out = at["nose_tip"] - 0.5 * (between + mouth)
    forward = np.cross(left, up)
    if abs(float(out @ forward)) < _FORWARD * apart:
        raise InputError(f"{where}: the tip of the nose does not stand out of the face", _HINT)
    if out @ forward < 0:
        raise InputError(
            f"{where} is mirrored: its left landmarks are on the subject's right",
            "Mirror the mesh back, or get the file from its authors again",
        )
    face = np.stack([left, -forward, up])  # rows: our axes in stored ones
    rotation = nearest_axes(face)
    tilt = float(np.degrees(np.arccos(np.clip((np.trace(rotation @ face.T) - 1) / 2, -1, 1))))
    if tilt > _STEEPEST:
        raise InputError(f"{where}: the face is tilted by {tilt:.0f} degrees against its axes", _HINT)
    scale = float(10.0 ** np.round(np.log10(_EYES_APART / apart)))
    return Frame(rotation, scale, eyes - scale * rotation @ between, tilt)


def _straight(across: Floats, upward: Floats, where: str) -> tuple[Floats, Floats]:
    """Unit vectors to the left and up, at right angles."""
    lengths = np.linalg.norm(across), np.linalg.norm(upward)
    if min(lengths) < 1e-9 * max(lengths) or max(lengths) == 0:
        raise InputError(f"{where}: eyes and mouth lie in one place", _HINT)
    up = upward / lengths[1]
    left = across - (across @ up) * up
    length = float(np.linalg.norm(left))
    if length < 0.5 * lengths[0]:
        raise InputError(f"{where}: eyes and mouth do not lie like a face's", _HINT)
    return left / length, up
