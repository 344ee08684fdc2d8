"""Coefficient vectors of FaceVerse's authors, and the motion of a face file made from the same model.

The authors' vertex is R S + t, with S in their units (R = Rz Ry Rx of the angles, radians); a face file's is
pivot + shift + P (x - pivot). An eyeball of theirs turns by Ry Rx about its centroid, ours by
`models.face.deform.eye_turn`. `Convention` holds what goes between, from a face file's `source`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

KIND = "faceverse"
_GAMMA, _ANGLES, _TRANSLATION, _EYES = 27, 3, 3, 4


@dataclass(frozen=True)
class Coefficients:
    """A fit of the authors', frames first: F frames.

    Attributes:
        identity: [F, I]; expression: [F, E]; texture: [F, T].
        angles: [F, 3] radians about x, y, z; translation: [F, 3] in the authors' units.
        gamma: [F, 27] light; eyes: [F, 4] left down-up, left right-left, right the same, radians, or [F, 0].
    """

    identity: Array
    expression: Array
    texture: Array
    angles: Array
    gamma: Array
    translation: Array
    eyes: Array


@dataclass(frozen=True)
class HeadMotion:
    """The same in the terms of a clip: `weights` [F, 52], `pose` [F, 6], `gaze` [F, 4]."""

    weights: Array
    pose: Array
    gaze: Array


@dataclass(frozen=True)
class Convention:
    """What goes between a face file and its FaceVerse model.

    Attributes:
        sizes: columns of id, exp and tex; wide: columns of the larger expression basis, 0 for none.
        gamma_first, eyes: the order of the vector, see `Version`.
        rest: [3] the authors' angles of a face that looks straight ahead.
        axes: [3, 3] the authors' axes in ours, of a face at zero angles; scale: metres per unit of theirs.
        translation: [3] metres, where their origin lies in ours; pivot: [3] metres, the face file's.
        columns: for each ARKIT shape the columns that make it; wide_columns: the same in the larger basis.
    """

    sizes: tuple[int, int, int]
    wide: int
    gamma_first: bool
    eyes: bool
    rest: Array
    axes: Array
    scale: float
    translation: Array
    pivot: Array
    columns: tuple[tuple[int, ...], ...]
    wide_columns: tuple[tuple[int, ...], ...]

    @property
    def _world(self) -> Array:
        """[3, 3] the axes of the authors' posed space in ours: at the angles `rest` a face looks along -Y."""
        world: Array = self.axes @ _turn(self.rest).T
        return world

    def split(self, vector: Array) -> Coefficients:
        """Parts of coefficient vectors [F, N] or [N]. Raises `InputError` for another length."""
        rows = np.atleast_2d(np.asarray(vector, float))
        fixed = self.sizes[0] + self.sizes[2] + _GAMMA + _ANGLES + _TRANSLATION + (_EYES if self.eyes else 0)
        expected = [fixed + size for size in (self.sizes[1], self.wide) if size]
        if rows.ndim != 2 or rows.shape[1] not in expected:
            raise InputError(
                f"a coefficient vector has {rows.shape[-1]} numbers, this model's has "
                f"{' or '.join(map(str, expected))}",
                "Use the face file of the model that the fit was made with",
            )
        head = (self.sizes[0], rows.shape[1] - fixed, self.sizes[2])
        middle = (_GAMMA, _ANGLES) if self.gamma_first else (_ANGLES, _GAMMA)
        ends = np.cumsum([*head, *middle, _TRANSLATION])
        identity, expression, texture, first, second, translation, eyes = np.split(rows, ends, axis=1)
        gamma, angles = (first, second) if self.gamma_first else (second, first)
        return Coefficients(identity, expression, texture, angles, gamma, translation, eyes)

    def join(self, parts: Coefficients) -> Array:
        """Coefficient vectors [F, N] of their parts."""
        middle = (parts.gamma, parts.angles) if self.gamma_first else (parts.angles, parts.gamma)
        head = (parts.identity, parts.expression, parts.texture)
        return np.concatenate([*head, *middle, parts.translation, parts.eyes], axis=1)

    def motion(self, parts: Coefficients) -> HeadMotion:
        """The authors' expression, angles, translation and eyes as a clip has them."""
        weights = np.zeros((len(parts.expression), len(ARKIT_NAMES)))
        for shape, columns in enumerate(self._columns(parts.expression.shape[1])):
            if columns:
                weights[:, shape] = parts.expression[:, columns].mean(1)
        turn = self._world @ _turn(parts.angles) @ _turn(self.rest).T @ self._world.T
        arm = self.translation - self.pivot
        shift = self.scale * parts.translation @ self._world.T + arm - turn @ arm
        pose = np.concatenate([Rotation.from_matrix(turn).as_rotvec(), shift], 1)
        eyes = parts.eyes if self.eyes else np.zeros((len(pose), _EYES))
        return HeadMotion(
            weights, pose, np.concatenate([self._gaze(eyes[:, :2]), self._gaze(eyes[:, 2:])], 1)
        )

    def coefficients(
        self, motion: HeadMotion, identity: Array, like: Coefficients | None = None
    ) -> Coefficients:
        """`motion` in the authors' terms.

        Args:
            identity: [I] weights; like: where texture and light come from, zeros by default.
        """
        frames = len(motion.weights)
        expression = np.zeros((frames, self.sizes[1]))
        for shape, columns in enumerate(self.columns):
            expression[:, columns] = motion.weights[:, [shape]]
        turn = Rotation.from_rotvec(motion.pose[:, :3]).as_matrix()
        arm = self.translation - self.pivot
        shift = (motion.pose[:, 3:] - arm + turn @ arm) @ self._world / self.scale
        angles = _angles(self._world.T @ turn @ self._world @ _turn(self.rest))
        eyes = np.concatenate([self._eyes(motion.gaze[:, :2]), self._eyes(motion.gaze[:, 2:])], 1)
        return Coefficients(
            identity=np.tile(identity, (frames, 1)),
            expression=expression,
            texture=np.zeros((frames, self.sizes[2])) if like is None else like.texture,
            angles=angles,
            gamma=np.zeros((frames, _GAMMA)) if like is None else like.gamma,
            translation=shift,
            eyes=eyes if self.eyes else np.zeros((frames, 0)),
        )

    def _columns(self, count: int) -> tuple[tuple[int, ...], ...]:
        return self.columns if count == self.sizes[1] else self.wide_columns

    def _gaze(self, eye: Array) -> Array:
        """Pitch and yaw [F, 2] of our eye for one of theirs [F, 2]."""
        turn = self.axes @ Rotation.from_euler("xy", eye).as_matrix() @ self.axes.T
        ahead = -turn[..., :, 1]
        return np.stack([np.arcsin(np.clip(ahead[:, 2], -1, 1)), np.arctan2(ahead[:, 0], -ahead[:, 1])], 1)

    def _eyes(self, gaze: Array) -> Array:
        """Their two angles [F, 2] for our pitch and yaw [F, 2]."""
        ours = Rotation.from_euler("xz", gaze * [-1, 1]).as_matrix()
        turn = self.axes.T @ ours @ self.axes
        about_x = np.arctan2(-turn[:, 1, 2], turn[:, 1, 1])
        return np.stack([about_x, np.arctan2(-turn[:, 2, 0], turn[:, 0, 0])], 1)


def _turn(angles: Array) -> Array:
    """Rz Ry Rx of angles [..., 3]: [..., 3, 3]."""
    turn: Array = Rotation.from_euler("xyz", angles).as_matrix()
    return turn


def _angles(turn: Array) -> Array:
    """[F, 3] angles of rotations [F, 3, 3], about y within a right angle."""
    angles: Array = Rotation.from_matrix(turn).as_euler("xyz")
    return angles


def convention(face: FaceFile) -> Convention:
    """The convention of a face file that was imported. Raises `FileFormatError` for another's."""
    source = face.source
    if source.get("kind") != KIND:
        raise FileFormatError(f"{face.id} was not made from a FaceVerse file", "Import the model again")
    try:
        sizes = source["sizes"]
        return Convention(
            sizes=(int(sizes["id"]), int(sizes["exp"]), int(sizes["tex"])),
            wide=int(sizes["exp_wide"]),
            gamma_first=bool(source["gamma_first"]),
            eyes=bool(source["eyes"]),
            rest=np.array(source["rest_angles"], float),
            axes=np.array(source["rotation"], float),
            scale=float(source["scale"]),
            translation=np.array(source["translation"], float),
            pivot=np.array(face.pivot),
            columns=_by_shape(source["expressions"]),
            wide_columns=_by_shape(source["expressions_wide"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FileFormatError(
            f"{face.id} does not say how it was imported ({error})", "Import it again"
        ) from error


def _by_shape(columns: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(n) for n in columns.get(name, ())) for name in ARKIT_NAMES)
