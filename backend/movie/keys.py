"""Names of frames by their content: two frames of one name are the same picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

import models
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.render import KEY_BYTES
from blender_addon.protocol.tensorfile import Array
from models.portrait.fit import PortraitFit
from models.video.motion import FrameMotion

# Motion is rounded before it is rendered, so that noise of sampling changes no frame. Our choice: each step
# moves nothing by more than 1/30 of a pixel of a 512-pixel crop, 0.5 mm wide on a face.
_WEIGHT_STEP, _LIP_STEP, _GAZE_STEP = 2.0**-12, 2.0**-10, 2.0**-12
_TURN_STEP, _SHIFT_STEP = 2.0**-14, 2.0**-17  # radians, metres
_CODE = ("video", "render", "portrait", "face")  # packages of `models` whose change may change a frame


def rounded(motion: FrameMotion) -> FrameMotion:
    """`motion` on the grid that keys tell apart.

    Raises:
        InputError: a value is not a number.
    """
    weights, lip, pose, gaze = (array * step for array, step in zip(_grid(motion), _steps(), strict=True))
    return FrameMotion(*(np.asarray(part, np.float32) for part in (weights, lip, pose, gaze)))


def frame_key(source: str, motion: FrameMotion) -> str:
    """The name of the frame that the portrait and renderer `source` give with `motion`."""
    digest = hashlib.sha256(source.encode())
    for part in _grid(motion):
        digest.update(b"|" + part.tobytes())
    return digest.hexdigest()[: 2 * KEY_BYTES]


def source_key(picture_sha256: str, fit: PortraitFit, renderer: str, size: int) -> str:
    """What frames depend on beside their motion: portrait, fit, renderer, its size and its code."""
    face, camera = fit.face, fit.camera
    arrays = (fit.weights, fit.gaze, fit.light, fit.landmarks, camera.rotation, camera.translation)
    mesh = (face.vertices, face.shapes, face.lip_basis, face.bone_weights)
    facts = (picture_sha256, renderer, size, code_digest(), fit.size, camera.focal, camera.centre, face.pivot)
    return combined(
        [repr(facts).encode(), *(np.ascontiguousarray(part).tobytes() for part in (*arrays, *mesh))]
    )


def combined(parts: Iterable[bytes]) -> str:
    """One SHA-256, hexadecimal, of parts in their order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


@cache
def code_digest() -> str:
    """The version of the renderer: a hash of its source code."""
    root = Path(next(iter(models.__path__)))
    files = [path for package in _CODE for path in sorted((root / package).rglob("*.py"))]
    return combined(path.read_bytes() for path in files)


def _steps() -> Sequence[Array | float]:
    return (_WEIGHT_STEP, _LIP_STEP, np.repeat([_TURN_STEP, _SHIFT_STEP], 3), _GAZE_STEP)


def _grid(motion: FrameMotion) -> list[Array]:
    """Weights, lip, pose and gaze as whole numbers of steps, i32."""
    parts = (motion.weights, motion.lip, motion.pose, motion.gaze)
    grid = [np.asarray(part, np.float64) / step for part, step in zip(parts, _steps(), strict=True)]
    if not all(np.isfinite(part).all() for part in grid):
        raise InputError("a frame's motion has values that are not numbers", "Animate the voice again")
    return [np.round(part).astype("<i4") for part in grid]
