"""What tracked lips do beyond the weights: offsets in the face's lip basis, and where the lips touch."""

from __future__ import annotations

import numpy as np

from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_coefficients
from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.render.camera import Pinhole

from .point_model import PointModel
from .points import landmark_points
from .sequence import FrameFits

# Ids of the face mesh: upper and lower inner lip one above the other, from the right to the left.
PAIRS = ((81, 178), (82, 87), (13, 14), (312, 317), (311, 402))
_STRAY = 1e-3  # metres by which a lip landmark strays, in the same way as its neighbours
_TYPICAL, _MOST = 0.2e-3, 3e-3  # metres: usual offset of a field, and the most of any lip vertex; our choice
_MOVED = 1e-6  # metres per unit from which a landmark is on the lips
# Metres between inner lips that touch, and that do not. On films of our head the detector gives touching lips
# 0.04 to 0.3 mm, and often less than 0.3 mm up to a true gap of 2 mm: it snaps shut.
_CLOSED, _APART = 0.35e-3, 0.9e-3


def lip_offsets(
    face: FaceFile, model: PointModel, fits: FrameFits, camera: Pinhole, landmarks: Array
) -> Array:
    """[F, K] coefficients of the lip basis of `face`, 0 where there is no face.

    The misses of the lips' landmarks in the picture are explained by the fields of the basis as far as they
    exceed what a landmark strays; depth comes only from what the fields couple to it.
    """
    count = len(face.lip_basis)
    result = np.zeros((len(fits.error), count))
    if not count:
        return result
    fields = np.zeros((count, *face.vertices.shape), np.float32)
    fields[:, face.lip_index] = face.lip_basis
    at = landmark_points(face).of(fields).astype(np.float64)  # [K, 478, 3]
    rows = np.flatnonzero((np.linalg.norm(at, axis=2).max(0) > _MOVED) & model.known)
    at = at[:, rows]
    size = np.sqrt((at**2).sum(2).mean(1))
    typical = _TYPICAL / np.maximum(size, 1e-9)
    for frame in np.flatnonzero(np.isfinite(fits.error)):
        away = picture_miss(model, fits, camera, landmarks, int(frame))[rows]
        seen = (at @ fits.rotation[frame].T)[:, :, :2].reshape(count, -1) / _STRAY
        curve = seen @ seen.T + np.diag(1.0 / typical**2)
        found = np.linalg.solve(curve, seen @ (away / _STRAY).reshape(-1))
        farthest = np.linalg.norm(np.tensordot(found, face.lip_basis, 1), axis=1).max()
        result[frame] = found * min(1.0, _MOST / max(float(farthest), 1e-9))
    return result


def picture_miss(model: PointModel, fits: FrameFits, camera: Pinhole, landmarks: Array, frame: int) -> Array:
    """[478, 2] metres right and down, at its depth, from each fitted landmark to the found one."""
    points = model.place(np.zeros(0), fits.weights[frame], fits.gaze[frame])
    seen = points @ fits.rotation[frame].T + fits.translation[frame]
    step = seen[:, 2:] / camera.focal  # metres per pixel
    return np.asarray((landmarks[frame, :, :2] - np.array(camera.centre)) * step - seen[:, :2])


def lip_contact(fits: FrameFits, model: PointModel, camera: Pinhole, landmarks: Array) -> Array:
    """[F] how far the lips touch, 0-1; 0 where there is no face."""
    gaps = np.full(len(fits.error), np.nan)
    upper, lower = (list(ids) for ids in zip(*PAIRS, strict=True))
    for frame in np.flatnonzero(np.isfinite(fits.error)):
        depth = float((fits.rotation[frame] @ model.mean[13] + fits.translation[frame])[2])
        away = landmarks[frame, upper, :2] - landmarks[frame, lower, :2]
        gaps[frame] = np.linalg.norm(away, axis=1).mean() * depth / camera.focal
    share = np.clip((gaps - _CLOSED) / (_APART - _CLOSED), 0.0, 1.0)
    return np.asarray(np.nan_to_num(1.0 - share * share * (3.0 - 2.0 * share)))


def sealed(face: FaceFile, weights: Array, lip: Array, contact: Array) -> Array:
    """[F, K] `lip` with lips that touch by `contact` [F] brought together, by the lip contact solve."""
    if not lip.shape[1] or not (contact > 0).any():
        return lip
    try:
        region = prepare_lips(face)
    except FileFormatError:  # a face without lip lines keeps its offsets
        return lip
    both = np.stack([contact, np.zeros_like(contact)], 1).astype(np.float32)
    solved = solve_coefficients(region, weights.astype(np.float32), both)
    return np.asarray(lip + contact[:, None] * (solved - lip))
