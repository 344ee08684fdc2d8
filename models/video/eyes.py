"""One eye of a frame: the ball in its new direction between the lids, and the lids over it."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.tensorfile import Array
from models.face.deform import eye_turn

from .eye_frame import EyeFrame
from .eye_kernel import EyeSources, EyeState, draw_eye
from .gaze import BALL, eye_layers, find_iris
from .head_motion import in_box, way_back
from .lids import LidCurves, Lids, lid_skin
from .view import Driven, Overlay, Reference

SHUT = 0.07  # opening over width below which an eye of the picture counts as closed (our choice)
_HINDER = 0.012  # metres: what is this much nearer than the lids hides the eye
# Points of the ball's front about the middle of the lids, metres: they carry the ball with the head.
_BALL_POINTS = np.array(
    [(0, 0.002, 0), (0.01, 0.004, 0), (-0.01, 0.004, 0), (0, 0.004, 0.006), (0, 0.004, -0.006)]
)
_LASHES = 160  # along a lid
_KEPT = np.radians(5.0)  # turn of the eye at which what the layers cannot explain has mostly gone
_RING = {"R": slice(468, 473), "L": slice(473, 478)}
_NAMES = {"R": "Right", "L": "Left"}
_GAZE = {"L": slice(0, 2), "R": slice(2, 4)}
_MIRROR = np.diag([1.0, 1.0, -1.0])  # forward to toward the viewer


class Eye:
    """One eye of a portrait, `letter` "L" or "R"."""

    def __init__(self, reference: Reference, landmarks: Array, letter: str) -> None:
        """`landmarks` [478, 2] in the reference's pixels."""
        self._reference = reference
        self._lids = Lids(reference, landmarks, letter)
        self.shut = self._lids.rest.opening < SHUT
        picture = reference.picture
        self._opening, shade = self._lids.opening(picture.shape)
        iris = find_iris(picture, landmarks[_RING[letter]], self._opening)
        self._layers = eye_layers(picture, self._opening, shade, iris, self._lids.rest.frame)
        self._skin = lid_skin(picture, self._lids)
        self._ring = np.concatenate([reference.face.rings[f"lid_{k}.{letter}"] for k in ("upper", "lower")])
        self._middle = reference.vertices[self._ring].mean(0).astype(np.float64)
        self._blink = ARKIT_INDEX[f"eyeBlink{_NAMES[letter]}"]
        self._gaze = _GAZE[letter]
        self._sources = self._all_sources(letter)

    def _all_sources(self, letter: str) -> EyeSources:
        layers, skin = self._layers, self._skin
        random = np.random.default_rng(ord(letter))  # the same lashes in every frame and run
        return EyeSources(
            layers.white,
            layers.glint,
            layers.rest,
            layers.iris,
            skin.color,
            skin.detail,
            np.ascontiguousarray(self._reference.picture),
            np.array([layers.left, layers.top], float),
            np.array([skin.left, skin.top], float),
            skin.below,
            skin.lash,
            random.uniform(0.2, 1.0, _LASHES).astype(np.float32),
        )

    def whites(self) -> Array:
        """[n, 3] f32 sRGB code of the eye's visible white."""
        import cv2

        layers, place = self._layers, self._layers.place
        height, width = layers.white.shape[:2]
        rows, columns = slice(layers.top, layers.top + height), slice(layers.left, layers.left + width)
        y, x = np.mgrid[rows, columns] + 0.5
        far = np.hypot(x - place.x, y - place.y) / place.radius
        sure = cv2.erode(self._opening[rows, columns], np.ones((3, 3), np.uint8)) > 0.99
        colors: Array = self._reference.picture[rows, columns][sure & (far > 1.25)].astype(np.float32)
        return colors

    def draw(self, driven: Driven) -> Overlay | None:
        """The eye of a frame, or None where it is outside the picture."""
        back = way_back(self._reference, driven.motion.pose, self._middle + _BALL_POINTS)
        curves = self._lids.curves(driven.points, float(driven.motion.weights[self._blink]))
        box = _box(curves, self._reference.picture.shape)
        if box is None:
            return None
        left, top, right, bottom = box
        if self.shut:
            return self._kept(curves, back, box)
        color = np.zeros((bottom - top, right - left, 3), np.float32)
        coverage = np.zeros((bottom - top, right - left), np.float32)
        depth = driven.raster.depth[top:bottom, left:right]
        draw_eye(self._sources, self._state(driven, curves, back), left, top, depth, (color, coverage))
        return Overlay(left, top, color, coverage)

    def _state(self, driven: Driven, curves: LidCurves, back: Array) -> EyeState:
        rest, iris = self._lids.rest, self._layers.place
        closing = float(np.clip(1 - curves.opening / max(rest.opening, 1e-3), 0, 1))
        turn, direction = self._turn(driven)
        radius = BALL * iris.radius
        angle = np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))
        centre = np.array([iris.x, iris.y]) - radius * direction[:2]
        slide = np.asarray(turn.T @ direction - direction)[:2] * radius
        return EyeState(
            curves.stacked(),
            rest.stacked(),
            curves.frame.row(),
            rest.frame.row(),
            back,
            turn,
            np.array([*centre, radius]),
            slide,
            closing,
            float(np.exp(-((angle / _KEPT) ** 2)) * (1 - closing)),
            float(driven.points[self._ring, 2].min()) - _HINDER,
            self._skin.reach,
            self._skin.strength,
        )

    def _turn(self, driven: Driven) -> tuple[Array, Array]:
        """Rotation [3, 3] from the new gaze to the picture's, and where the eye looks there [3]."""
        own = self._reference.gaze[self._gaze]
        new = driven.motion.gaze[self._gaze] if len(driven.motion.gaze) else own
        axes = _MIRROR @ self._reference.camera.rotation
        before, after = (axes @ eye_turn(float(g[0]), float(g[1])) for g in (own, new))
        return before @ after.T, before @ np.array([0.0, -1.0, 0.0])

    def _kept(self, curves: LidCurves, back: Array, box: tuple[int, int, int, int]) -> Overlay:
        """The picture's closed eye, moved with the head alone, where the mesh would open it."""
        import cv2

        left, top, right, bottom = box
        rest = self._lids.rest
        middle = 0.5 * (rest.lower + rest.upper)
        places = rest.frame.at(np.linspace(0, 1, len(middle)), middle)
        mask = np.zeros(self._opening.shape, np.float32)
        cv2.polylines(
            mask, [np.round(places).astype(np.int32)], False, 1.0, max(int(0.25 * rest.frame.width), 1)
        )
        mask = cv2.blur(mask, (int(0.08 * rest.frame.width) | 1,) * 2)
        shifted = in_box(back, left, top)
        size = (right - left, bottom - top)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(self._reference.picture, shifted, size, flags=flags).astype(np.float32)
        opened = float(np.clip((curves.opening - rest.opening) * curves.frame.width, 0, 1))
        coverage = cv2.warpAffine(mask, shifted, size, flags=flags) * np.float32(opened)
        return Overlay(left, top, seen * coverage[..., None], coverage)


def _box(curves: LidCurves, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of all that is drawn, within the picture."""
    frame: EyeFrame = curves.frame
    s = np.linspace(0, 1, len(curves.upper))
    places = np.concatenate([frame.at(s, curves.still - 1), frame.at(s, curves.lower + 0.12 * frame.width)])
    left, top = np.maximum(np.floor(places.min(0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(places.max(0)).astype(int) + 2, (shape[1], shape[0]))
    return (int(left), int(top), int(right), int(bottom)) if right > left and bottom > top else None
