"""Measures of rendered frames that need no weights: against true pictures, and against what was commanded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer
from models.portrait.fit import PortraitFit
from models.portrait.points import MeshPoints, landmark_points
from models.portrait.track import posed_camera
from models.render.raster import vertex_normals
from models.render.triangles import Triangles
from models.video.motion import FrameMotion

# Landmark ids of the face mesh: middle of the lips (outer and inner, upper and lower), corners.
_UPPER_OUTER, _UPPER, _LOWER, _LOWER_OUTER, _RIGHT, _LEFT = 0, 13, 14, 17, 61, 291
_RIGID_PAIRS = (
    (33, 263),
    (133, 362),
    (168, 4),
    (127, 356),
    (10, 168),
    (98, 327),
)  # do not move when one speaks
_SSIM_WINDOW, _SSIM_SIGMA, _SSIM_K1, _SSIM_K2 = 11, 1.5, 0.01, 0.03  # Wang et al. (2004)
_FACING = 0.5  # cosine to the camera from which skin's motion can be seen; our choice
# Our choice: samples of a line across the lips, half its width in mouth widths, and what is no lip on it:
# darker than this share of the lips, or as bright as they and of less than this share of their colourfulness.
_SAMPLES, _HALF_WIDTH, _DARK, _PALE = 96, 0.03, 0.5, 0.5
CLOSED_METRES, CLOSED_SHARE = (
    0.5e-3,
    0.02,
)  # a closed mouth: of the mesh, and of the mouth's width in a picture


@dataclass(frozen=True)
class Driven:
    """Where a commanded head is in the picture.

    Attributes:
        vertices: [V, 2] f32 pixels; facing: [V] cosine to the camera.
        landmarks: [478, 2] pixels.
        gap: metres between the inner lips' middles.
    """

    vertices: Array
    facing: Array
    landmarks: Array
    gap: float


class Commanded:
    """The head of a fit under motion."""

    def __init__(self, fit: PortraitFit) -> None:
        self._fit, self._deformer = fit, Deformer(fit.face)
        self._points: MeshPoints = landmark_points(fit.face)
        triangles = Triangles.of(fit.face)
        self._fronts = triangles.ids[: triangles.fronts]
        self.skin = _skin(fit.face)

    def __call__(self, motion: FrameMotion) -> Driven:
        """Under `motion`."""
        still = self._deformer(motion.weights, motion.lip)
        posed = self._deformer(motion.weights, motion.lip, motion.pose)
        camera = self._fit.camera
        normals = vertex_normals(posed, self._fronts) @ camera.rotation.T
        away = camera.view(posed)
        facing = -(normals * away).sum(1) / np.linalg.norm(away, axis=1)
        inner = self._points.of(still)[[_UPPER, _LOWER]]
        shown = camera.project(posed)
        gap = float(np.linalg.norm(inner[0] - inner[1]))
        return Driven(shown[:, :2], facing, self._points.of(shown)[:, :2], gap)

    def rotation(self, motion: FrameMotion) -> Array:
        """[3, 3] the head in the camera's axes."""
        camera = self._fit.camera
        turned: Array = posed_camera(camera, self._fit.face.pivot, motion.pose).rotation
        return turned if len(motion.pose) else camera.rotation


def psnr(shown: Sequence[Array], true: Sequence[Array]) -> float:
    """Peak signal to noise ratio of u8 pictures, dB, of their common mean error; infinite for equal ones."""
    errors = [np.mean((one.astype(np.float64) - other) ** 2) for one, other in zip(shown, true, strict=True)]
    error = float(np.mean(errors))
    return float("inf") if error == 0 else 10 * np.log10(255.0**2 / error)


def ssim(one: Array, other: Array) -> float:
    """Structural similarity of the brightness of two u8 RGB pictures, with a Gaussian window."""
    x, y = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (one, other))

    def mean(image: Array) -> Array:
        result: Array = cv2.GaussianBlur(image, (_SSIM_WINDOW, _SSIM_WINDOW), _SSIM_SIGMA)
        return result

    mx, my = mean(x), mean(y)
    vx: Array = mean(x * x) - mx * mx
    vy: Array = mean(y * y) - my * my
    vxy: Array = mean(x * y) - mx * my
    c1, c2 = (_SSIM_K1 * 255) ** 2, (_SSIM_K2 * 255) ** 2
    local = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    edge = _SSIM_WINDOW // 2  # where the window hangs over
    return float(local[edge:-edge, edge:-edge].mean())


def flow_error(frames: Sequence[Array], driven: Sequence[Driven], skin: Array) -> float:
    """Mean distance of DIS optical flow between consecutive frames from the commanded motion, pixels.

    At vertices `skin` that face the camera.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    misses = []
    for before, after, was, now in zip(gray[:-1], gray[1:], driven[:-1], driven[1:], strict=True):
        seen = flow.calc(before, after, None)
        rows = skin[np.minimum(was.facing, now.facing)[skin] > _FACING]
        at = was.vertices[rows].astype(np.float32) - 0.5
        found = cv2.remap(seen, at[None, :, 0], at[None, :, 1], cv2.INTER_LINEAR)[0]
        misses.append(np.linalg.norm(found - (now.vertices - was.vertices)[rows], axis=1).mean())
    return float(np.mean(misses))


def lip_gap(frame: Array, driven: Driven) -> float:
    """How much of a line across the lips' middle is no lip, in mouth widths: mouth inside, by its colour."""
    marks = driven.landmarks
    width = float(np.linalg.norm(marks[_RIGHT] - marks[_LEFT]))
    top, bottom = marks[_UPPER_OUTER], marks[_LOWER_OUTER]
    along = (marks[_LEFT] - marks[_RIGHT]) / max(width, 1e-6)
    down = np.linspace(0, 1, _SAMPLES)[:, None]
    strips = [
        top + down * (bottom - top) + along * side * width for side in np.linspace(-1, 1, 5) * _HALF_WIDTH
    ]
    at = np.stack(strips, 1).astype(np.float32) - 0.5  # [samples, 5, 2]
    color = cv2.remap(frame, at[..., 0], at[..., 1], cv2.INTER_LINEAR).astype(np.float64).mean(1)
    upper = np.linalg.norm(marks[_UPPER] - top) / max(float(np.linalg.norm(bottom - top)), 1e-6)
    lower = 1 - np.linalg.norm(marks[_LOWER_OUTER] - marks[_LOWER]) / max(
        float(np.linalg.norm(bottom - top)), 1e-6
    )
    lips = (down[:, 0] > 0.3 * upper) & (down[:, 0] < 0.8 * upper)
    lips |= (down[:, 0] > lower + 0.2 * (1 - lower)) & (down[:, 0] < lower + 0.7 * (1 - lower))
    bright, colourful = color.mean(1), np.ptp(color, axis=1)
    own_bright, own_colour = np.median(bright[lips]), np.median(colourful[lips])
    inside = (bright < _DARK * own_bright) | ((bright > own_bright) & (colourful < _PALE * own_colour))
    inside &= (down[:, 0] > 0.6 * upper) & (down[:, 0] < lower + 0.4 * (1 - lower))
    return float(inside.mean() * np.linalg.norm(bottom - top) / max(width, 1e-6))


def closures_seen(frames: Sequence[Array], driven: Sequence[Driven]) -> tuple[float, int]:
    """Share of the frames with a closed mesh that show closed lips, and how many frames those are."""
    closed = [
        (frame, where) for frame, where in zip(frames, driven, strict=True) if where.gap <= CLOSED_METRES
    ]
    if not closed:
        return float("nan"), 0
    return float(np.mean([lip_gap(frame, where) <= CLOSED_SHARE for frame, where in closed])), len(closed)


def flicker(frames: Sequence[Array]) -> float:
    """Mean size of the second difference in time, of 255: what neither stands nor moves evenly."""
    total = [
        np.abs(after.astype(np.float32) - 2 * now.astype(np.float32) + before).mean()
        for before, now, after in zip(frames[:-2], frames[1:-1], frames[2:], strict=True)
    ]
    return float(np.mean(total)) if total else float("nan")


def mouth_sharpness(frame: Array, driven: Driven) -> float:
    """Variance of the Laplacian of the brightness about the mouth."""
    marks = driven.landmarks[[_UPPER_OUTER, _LOWER_OUTER, _RIGHT, _LEFT]]
    reach = 0.25 * np.ptp(marks, axis=0).max()
    (x0, y0), (x1, y1) = np.floor(marks.min(0) - reach).astype(int), np.ceil(marks.max(0) + reach).astype(int)
    part = frame[max(y0, 0) : y1, max(x0, 0) : x1]
    return float(cv2.Laplacian(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def identity_miss(landmarks: Array, driven: Driven) -> float:
    """Mean |log| ratio of distances in the face's rigid part, found to commanded, less the scale."""
    logs = [np.log(_apart(landmarks, *pair) / _apart(driven.landmarks, *pair)) for pair in _RIGID_PAIRS]
    return float(np.abs(np.array(logs) - np.median(logs)).mean())


def _apart(points: Array, one: int, other: int) -> float:
    return max(float(np.linalg.norm(points[one, :2] - points[other, :2])), 1e-6)


def _skin(face: FaceFile) -> Array:
    names = [face.region_names.index(name) for name in ("face", "nose") if name in face.region_names]
    rows = np.flatnonzero(np.isin(face.region, names))
    return rows if len(rows) else np.arange(len(face.vertices))
