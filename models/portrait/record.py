"""A fit kept in the face file that was made of it: `FaceFile.source`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.render.camera import Pinhole

from .fit import PortraitFit
from .landmarks import LANDMARKS

KIND = "portrait"


@dataclass(frozen=True)
class PictureRecord:
    """Which picture a face was fitted to: its file `name` and the `sha256` of its bytes."""

    name: str
    sha256: str


def with_record(face: FaceFile, fit: PortraitFit, picture: PictureRecord) -> FaceFile:
    """`face`, made of `fit`, with all of the fit that it does not show itself.

    What the basis says of its own source stays under `basis`.
    """
    camera = fit.camera
    record: dict[str, Any] = {
        "kind": KIND,
        "picture": picture.name,
        "sha256": picture.sha256,
        "identity": fit.identity.tolist(),
        "weights": fit.weights.tolist(),
        "gaze": fit.gaze.tolist(),
        "camera": {
            "rotation": camera.rotation.tolist(),
            "translation": camera.translation.tolist(),
            "focal": float(camera.focal),
            "centre": [float(side) for side in camera.centre],
        },
        "light": fit.light.tolist(),
        "landmarks": fit.landmarks.tolist(),
        "size": [int(side) for side in fit.size],
        "error": float(fit.error),
        "notes": list(fit.notes),
        "basis": dict(fit.face.source),
    }
    return replace(face, source=record)


def fit_of(face: FaceFile) -> PortraitFit:
    """The fit that `face` was made of.

    Raises:
        InputError: the face was not fitted to a picture.
        FileFormatError: its record is damaged.
    """
    source = _record(face)
    try:
        camera = source["camera"]
        width, height = (int(side) for side in source["size"])
        across, down = _numbers(camera["centre"], (2,))
        return PortraitFit(
            face=face,
            identity=_numbers(source["identity"], (len(face.identity_names),)).astype(np.float32),
            weights=_numbers(source["weights"], (len(ARKIT_NAMES),)).astype(np.float32),
            gaze=_numbers(source["gaze"], (4,)).astype(np.float32),
            camera=Pinhole(
                _numbers(camera["rotation"], (3, 3)),
                _numbers(camera["translation"], (3,)),
                float(_numbers(camera["focal"], ())),
                (float(across), float(down)),
            ),
            light=_numbers(source["light"], (9, 3)).astype(np.float32),
            landmarks=_numbers(source["landmarks"], (LANDMARKS, 3)).astype(np.float32),
            size=(width, height),
            error=float(source["error"]),
            notes=tuple(str(note) for note in source["notes"]),
        )
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise FileFormatError(
            f"the record of the fit in {face.id} is damaged ({error})", "Fit the portrait again"
        ) from error


def picture_of(face: FaceFile) -> PictureRecord:
    """The picture that `face` was fitted to. Raises `InputError` for any other face."""
    source = _record(face)
    return PictureRecord(str(source.get("picture", "")), str(source.get("sha256", "")))


def _record(face: FaceFile) -> Mapping[str, Any]:
    if face.source.get("kind") != KIND:
        raise InputError(
            f"{face.id} was not fitted to a picture", "Make one with: vividtalk face fit PICTURE -o FACE"
        )
    return face.source


def _numbers(values: Any, shape: tuple[int, ...]) -> Array:
    """f64 of `shape`, finite. Raises `ValueError`."""
    array = np.array(values, np.float64)
    if array.shape != shape or not all(map(math.isfinite, array.ravel())):
        raise ValueError(f"{array.shape} numbers where {shape} finite ones belong")
    return array
