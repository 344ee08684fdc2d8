"""From a picture file to the head of the person in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.media.audio import hash_file
from backend.media.picture import read_picture
from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from models.face import load_head
from models.face.lip_range import with_lip_basis
from models.portrait.fit import PortraitFit
from models.portrait.fitting import fit_portrait
from models.portrait.mediapipe_landmarks import bundled_landmarks, task_landmarks
from models.portrait.record import PictureRecord, with_record
from models.portrait.texture import textured
from models.render.camera import Pinhole


@dataclass(frozen=True)
class Portrait:
    """A fitted picture.

    Attributes:
        face: the person's textured head, with the record of the fit.
        fit: what was found.
        notes: what a person may want to know, a line each.
    """

    face: FaceFile
    fit: PortraitFit
    notes: tuple[str, ...]


def fit_picture(
    path: Path, choose: int | None = None, landmarks: Path | None = None, base: Path | None = None
) -> Portrait:
    """The person in the picture at `path`; the face's id is the file's stem.

    Args:
        choose: which of several faces, the largest by default.
        landmarks: a face landmarker's `.task` file; the bundled models by default.
        base: the face file to fit; the built-in head by default.

    Raises:
        InputError: the picture cannot be read, or no face in it can be fitted.
        MissingExtraError: an extra package is not installed.
    """
    picture = read_picture(path)
    source = bundled_landmarks() if landmarks is None else task_landmarks(landmarks)
    try:
        fit = fit_portrait(picture.rgb, source, load_head(base), choose)
    except InputError as error:
        raise InputError(f"{path}: {error.what}", error.hint) from error
    face = with_lip_basis(replace(textured(fit, picture.rgb), id=Path(path).stem))
    record = PictureRecord(Path(path).name, hash_file(path))
    return Portrait(with_record(face, fit, record), fit, (*picture.notes, *fit.notes))


def portrait_facts(portrait: Portrait) -> dict[str, Any]:
    """What was found, as JSON: angles in degrees, weights 0-1, the error in eye distances."""
    fit = portrait.fit
    marks = fit.landmarks[:, :2]
    return {
        "picture": portrait.face.source["picture"],
        "size": list(fit.size),
        "box": [round(float(side)) for side in (*marks.min(0), *np.ptp(marks, axis=0))],
        "error": round(fit.error, 5),
        "pose": {name: round(angle, 2) for name, angle in head_angles(fit.camera).items()},
        "expression": {
            name: round(float(weight), 3)
            for name, weight in zip(ARKIT_NAMES, fit.weights, strict=True)
            if weight >= 0.005
        },
        "gaze": [round(math.degrees(angle), 2) for angle in fit.gaze],
        "identity": {
            name: round(float(weight), 3)
            for name, weight in zip(fit.face.identity_names, fit.identity, strict=True)
        },
        "notes": list(portrait.notes),
    }


def head_angles(camera: Pinhole) -> dict[str, float]:
    """Degrees of the head in a picture: `yaw` to the picture's right, `pitch` up, `roll` clockwise."""
    right, down, forward = camera.rotation @ np.array([0.0, -1.0, 0.0])
    across = camera.rotation @ np.array([1.0, 0.0, 0.0])
    return {
        "yaw": math.degrees(math.atan2(right, -forward)),
        "pitch": math.degrees(math.asin(-max(-1.0, min(1.0, down)))),
        "roll": math.degrees(math.atan2(across[1], math.hypot(across[0], across[2]))),
    }
