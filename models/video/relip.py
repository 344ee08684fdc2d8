"""Another voice for a tracked person: each picture of the video is the reference of its own new frame.

Only what speaks is replaced: lip shapes, lip coefficients and contact come from the new voice; head, eyes,
brows, light and background stay those of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.arkit import LIP_SHAPES
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer
from models.portrait.fit import PortraitFit
from models.portrait.points import landmark_points
from models.portrait.track import FaceTrack

from .driving import added
from .motion import FrameMotion

_SPEAKING = list(LIP_SHAPES)
_OWN_MOUTH = 20  # percentile over a video of each lip shape that counts as the person's mouth at rest
_STEADY = 1.5  # frames: standard deviation over which landmarks' deviation from the head is averaged
_MOVES = 4e-4  # metres by which a lip shape must move a vertex that counts as lower face
_WIDER, _SOFT = 0.05, 0.03  # of the lower face's height: how far the mask reaches beyond it, and its blur
# All four: our choice, by looking.


class WholeMatte:
    """Takes all of a picture as the person: what hides behind a mouth is not background."""

    def matte(self, picture: Array) -> Array:
        """[H, W] ones."""
        return np.ones(picture.shape[:2], np.float32)


def back_and_forth(available: int, wanted: int) -> Array:
    """[wanted] which of `available` pictures each frame shows: in their order, then back, and so on."""
    period = max(2 * (available - 1), 1)
    at = np.arange(wanted) % period
    return np.asarray(np.minimum(at, period - at) if available > 1 else at * 0)


def new_mouths(track: FaceTrack, clip: MotionClip, order: Sequence[int] | Array) -> list[FrameMotion]:
    """Motion of frame i of `clip` in picture `order[i]`: the clip's mouth, the rest as in the picture."""
    weights = track.weights[np.asarray(order)].astype(np.float32)
    own = np.zeros(weights.shape[1], np.float32)
    own[_SPEAKING] = np.percentile(track.weights[track.seen][:, _SPEAKING], _OWN_MOUTH, axis=0)
    weights[:, _SPEAKING] = added(own, clip.weights, clip.contact)[:, _SPEAKING]
    lip = np.zeros((len(weights), 0), np.float32)
    if len(track.face.lip_basis):
        held = sticky_contact(clip.contact[:, 0], clip.info.fps).held
        lip = solve_coefficients(prepare_lips(track.face), weights, clip.contact, held)
    still, as_shown = np.zeros(6, np.float32), np.zeros(0, np.float32)
    return [FrameMotion(row, offsets, still, as_shown) for row, offsets in zip(weights, lip, strict=True)]


def steady_landmarks(track: FaceTrack) -> Array:
    """[F, 478, 3] the track's landmarks with their deviation from its head averaged over neighbouring frames.

    The head moves exactly; what it cannot follow must not tremble, or the new mouth would.
    """
    points, deformer = landmark_points(track.face), Deformer(track.face)
    placed = np.zeros_like(track.landmarks)
    for frame in range(track.frames):
        vertices = deformer(track.weights[frame], track.lip[frame])
        placed[frame] = points.of(track.camera_at(frame).project(vertices))
    away = np.where(track.seen[:, None, None], track.landmarks - placed, 0.0)
    for start, stop in zip((0, *track.cuts), (*track.cuts, track.frames), strict=True):
        share = gaussian_filter1d(track.seen[start:stop].astype(float), _STEADY, axis=0)
        total = gaussian_filter1d(np.nan_to_num(away[start:stop]), _STEADY, axis=0)
        away[start:stop] = total / np.maximum(share, 1e-6)[:, None, None]
    steady: Array = placed + away
    return steady


def picture_fit(track: FaceTrack, frame: int, landmarks: Array, light: Array) -> PortraitFit:
    """What is known of the person in picture `frame`."""
    return PortraitFit(
        face=track.face,
        identity=track.identity,
        weights=track.weights[frame],
        gaze=track.gaze[frame],
        camera=track.camera_at(frame),
        light=light,
        landmarks=landmarks,
        size=track.size,
        error=0.0,
    )


class LowerFace:
    """Where a new mouth may change a picture."""

    def __init__(self, track: FaceTrack) -> None:
        face = track.face
        moves = np.linalg.norm(face.shapes[_SPEAKING], axis=2).max(0)
        inside = [face.region_names.index(name) for name in ("face", "nose") if name in face.region_names]
        outer = np.isin(face.region, inside) if inside else np.ones(len(moves), bool)
        self._rows = np.flatnonzero((moves > _MOVES) & outer)
        self._deformer = Deformer(face)

    def mask(self, fit: PortraitFit, motion: FrameMotion) -> Array:
        """[H, W] f32: 1 where the mouth of the picture or the new one is, soft towards 0 outside."""
        import cv2

        own = self._deformer(fit.weights)[self._rows]
        new = self._deformer(motion.weights, motion.lip)[self._rows]
        shown = np.ascontiguousarray(fit.camera.project(np.concatenate([own, new]))[:, :2])
        height = float(np.ptp(shown[:, 1]))
        mask = np.zeros((fit.size[1], fit.size[0]), np.uint8)
        cv2.fillConvexPoly(mask, np.round(cv2.convexHull(shown)).astype(np.int32), 1)
        reach = max(round(_WIDER * height), 1)
        wide = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2))
        soft: Array = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), max(_SOFT * height, 0.5))
        return soft
