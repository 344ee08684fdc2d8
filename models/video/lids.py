"""A portrait's lids: where they are in any frame, and skin for a lid that comes down.

An open eye hides most of its upper lid in a fold. As the lid comes down, the margin with its lashes moves
as it is in the picture; what unfolds between has the colours of the skin above and below the eye and the
fine detail of the skin over the fold, mirrored at the crease.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .eye_frame import COLUMNS, EyeFrame, table
from .eye_kernel import LID_SHADE, SHADE_REACH
from .gaze import carried
from .tones import LUMA
from .view import SKIN, Reference

# Heights over the upper margin in widths of the eye. Our choice, after usual proportions.
_CREASE = 0.13
_STILL = 0.27  # from here upwards lids do not move the skin
_CREASE_FOLLOWS = 0.25  # of what the margin moves down
_UNDER_BROW = 0.8  # of the way to the brow: skin that may be mirrored
_LASHES = 0.05  # height of the strip that is searched for lashes
_SLIT_FROM = 0.55  # blink from which what is left open is closed, so that 1 shuts every eye
_LIT = 0.7  # of the skin round an eye is darker than where most light falls
_CATCHES = 0.5  # of the way from the skin below the eye to that: a closed lid faces the light
_BRIGHTER = 0.45  # than below the eye, at most: an eye may lie in the shade of hair
_SHADOWED = 0.4  # of the skin round an eye: hair, lashes and the fold's shade
_FINE = 9.0  # sRGB codes: skin's own detail; more is hair, a crease or a frame
_BROW = {"R": (46, 53, 52, 65, 55), "L": (276, 283, 282, 295, 285)}  # landmarks along the brow's lower edge

_S = np.linspace(0.0, 1.0, COLUMNS)
_ARCH = np.sin(np.pi * _S) ** 0.6


@dataclass(frozen=True)
class LidCurves:
    """Curves of one eye in one picture, v [COLUMNS] pixels below the line between the corners.

    Attributes:
        frame: axes; still: where skin begins to move; crease: the fold's lower edge; upper, lower: margins.
    """

    frame: EyeFrame
    still: Array
    crease: Array
    upper: Array
    lower: Array

    def stacked(self) -> Array:
        """[4, COLUMNS] f64 still, crease, upper, lower."""
        return np.stack([self.still, self.crease, self.upper, self.lower])

    @property
    def opening(self) -> float:
        """Greatest height between the margins over the eye's width."""
        return float(np.max(self.lower - self.upper)) / self.frame.width


@dataclass(frozen=True)
class LidSkin:
    """What a closing lid is painted with, in a box of the reference's pixels.

    Attributes:
        left, top: the box's place.
        color: [h, w, 3] f32 sRGB code 0-255, smooth skin without hair, lashes and frames.
        detail: [h, w, 3] f32 the skin's fine detail alone.
        below: [COLUMNS, 3] f32 colour that the lid comes to: of the skin below the eye, in the light.
        reach: how much of the mirrored distance there is skin for, 0-1.
        lash: [3] f32 colour of the lashes; strength: 0-1 how dark they stand against the skin.
    """

    left: int
    top: int
    color: Array
    detail: Array
    below: Array
    reach: float
    lash: Array
    strength: float


class Lids:
    """The lids of one eye: `letter` "L" or "R"."""

    def __init__(self, reference: Reference, landmarks: Array, letter: str) -> None:
        """`landmarks` [478, 2] in the reference's pixels."""
        rings = reference.face.rings
        self._upper, self._lower = rings[f"lid_upper.{letter}"], rings[f"lid_lower.{letter}"]
        points = reference.points[:, :2]
        frame = EyeFrame.of(points[self._upper[0]], points[self._upper[-1]])
        upper = table(frame, points[self._upper])
        lower = np.maximum(table(frame, points[self._lower]), upper)
        brow = table(frame, landmarks[list(_BROW[letter])])
        room = np.maximum(upper - brow, 0.1 * frame.width)
        crease = upper - np.minimum(_CREASE * frame.width * (0.6 + 0.4 * _ARCH), 0.45 * room)
        still = upper - np.minimum(_STILL * frame.width * (0.5 + 0.5 * _ARCH), 0.85 * room)
        self.rest = LidCurves(frame, still, crease, upper, lower)
        self.brow = brow
        self._anchor_ids, self._anchor_weights = self._anchors(reference)

    def _anchors(self, reference: Reference) -> tuple[Array, Array]:
        """Vertices [n, 3] and weights [n, 3] of surface points along the still curve."""
        places = self.rest.frame.at(_S[::3], self.rest.still[::3])
        raster = reference.raster
        height, width = raster.triangle.shape
        x = np.clip(places[:, 0].astype(int), 0, width - 1)
        y = np.clip(places[:, 1].astype(int), 0, height - 1)
        triangle, bary = raster.triangle[y, x], raster.bary[y, x]
        ids = reference.triangles[np.maximum(triangle, 0)].copy()
        weights = np.column_stack([bary, 1 - bary.sum(1)])
        lost = (triangle < 0) | (reference.kind[np.maximum(triangle, 0)] != SKIN)
        nearest = self._upper[np.linspace(0, len(self._upper) - 1, len(places)).round().astype(int)]
        ids[lost], weights[lost] = nearest[lost, None], (1.0, 0.0, 0.0)
        return ids, weights

    def curves(self, points: Array, blink: float) -> LidCurves:
        """The lids at driven screen `points` [V, 3]; `blink` 0-1 shuts what the mesh leaves open."""
        upper_points, lower_points = points[self._upper, :2], points[self._lower, :2]
        frame = EyeFrame.of(upper_points[0], upper_points[-1])
        lower = table(frame, lower_points)
        upper = np.minimum(table(frame, upper_points), lower)
        t = np.clip((blink - _SLIT_FROM) / (1 - _SLIT_FROM), 0, 1)
        upper = upper + (lower - upper) * (t * t * (3 - 2 * t))
        anchors = (points[self._anchor_ids, :2] * self._anchor_weights[..., None]).sum(1)
        still = np.minimum(table(frame, anchors), upper)
        scale = frame.width / self.rest.frame.width
        fold = (self.rest.crease - self.rest.still) * scale
        down = upper - still - (self.rest.upper - self.rest.still) * scale
        crease = still + fold + np.where(down > 0, _CREASE_FOLLOWS, 0.6) * down
        return LidCurves(frame, still, np.clip(crease, still, upper), upper, lower)

    def opening(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """In the reference [H, W] f32: 1 between the margins; light that the upper lid leaves below it."""
        y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) + np.float32(0.5)
        s, v = self.rest.frame.within(np.stack([x.ravel(), y.ravel()], 1))
        upper, lower = (np.interp(s, _S, c) for c in (self.rest.upper, self.rest.lower))
        cover = np.clip(lower - v + 0.5, 0, 1) - np.clip(upper - v + 0.5, 0, 1)
        cover[(s < 0) | (s > 1)] = 0
        shade = 1 - LID_SHADE * np.exp(-np.maximum(v - upper, 0) / (SHADE_REACH * self.rest.frame.width))
        cover, shade = (a.reshape(shape[:2]).astype(np.float32) for a in (cover, shade))
        return cover, shade


@dataclass(frozen=True)
class _Around:
    """The picture round one eye, `part` [h, w, 3] f32, and where in it is skin over and under the eye."""

    left: int
    top: int
    part: Array
    over: Array
    under: Array

    @staticmethod
    def of(picture: Array, lids: Lids) -> _Around:
        rest, frame = lids.rest, lids.rest.frame
        width = frame.width
        middle = frame.corner + frame.across * width / 2
        left, top = (max(int(v - 0.9 * width), 0) for v in middle)
        right, bottom = (int(v + 0.9 * width) + 1 for v in middle)
        part = picture[top:bottom, left:right].astype(np.float32)
        y, x = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]] + 0.5
        s, v = (a.reshape(part.shape[:2]) for a in frame.within(np.stack([x.ravel(), y.ravel()], 1)))
        upper, lower, brow = (np.interp(s, _S, c) for c in (rest.upper, rest.lower, lids.brow))
        inside, edge = (s > -0.15) & (s < 1.15), 0.05 * width
        over = inside & (v < upper - 0.9 * _CREASE * width) & (v > brow + edge)
        under = inside & (v > lower + edge) & (v < lower + 0.25 * width)
        return _Around(left, top, part, _skin_like(part, over), _skin_like(part, under))

    def lit(self) -> Array:
        """[3] the skin's colour where most light falls on it."""
        skin = self.part[(self.over + self.under) > 0.5]
        if len(skin) < 8:
            return np.asarray(self.part.reshape(-1, 3).mean(0))
        brightness = skin @ LUMA
        return np.asarray(np.median(skin[brightness >= np.quantile(brightness, _LIT)], 0))


def lid_skin(picture: Array, lids: Lids) -> LidSkin:
    """Skin for the closing lid from `picture` [H, W, 3] u8."""
    import cv2

    around, rest, frame = _Around.of(picture, lids), lids.rest, lids.rest.frame
    place, radius = (around.left, around.top), 0.12 * frame.width
    low = cv2.GaussianBlur(carried(around.part, around.over, radius), (0, 0), 0.7 * radius)
    sure = cv2.erode(around.over, np.ones((3, 3), np.uint8))[..., None]
    detail = np.clip(around.part - low, -_FINE, _FINE) * sure
    above = _along(low, frame, place, rest.crease)
    under = cv2.GaussianBlur(carried(around.part, around.under, radius), (0, 0), 0.7 * radius)
    below = _along(under, frame, place, rest.lower + 0.12 * frame.width)
    below = below + _CATCHES * np.clip(around.lit() - below, 0, _BRIGHTER * below)
    below = np.maximum(below, 0.72 * above)
    reach = float(np.median((rest.crease - lids.brow) / np.maximum(rest.lower - rest.upper, 1.0)))
    return LidSkin(
        *place,
        low.astype(np.float32),
        detail.astype(np.float32),
        cv2.blur(below.astype(np.float32), (1, 17)).reshape(COLUMNS, 3),
        float(np.clip(_UNDER_BROW * reach, 0.15, 1.0)),
        *_lashes(picture, lids, above),
    )


def _skin_like(part: Array, chosen: Array) -> Array:
    """[h, w] f32: 1 on `chosen` pixels near the median colour of their lighter part."""
    if chosen.sum() < 10:
        return chosen.astype(np.float32)
    brightness = part @ LUMA
    lighter = chosen & (brightness > np.quantile(brightness[chosen], _SHADOWED))
    median = np.median(part[lighter if lighter.any() else chosen], 0)
    away = np.abs(part - median).max(2)
    limit = max(3.0 * float(np.median(away[chosen])), 25.0)
    near: Array = (chosen & (away < limit)).astype(np.float32)
    return near


def _along(image: Array, frame: EyeFrame, origin: tuple[int, int], v: Array) -> Array:
    """`image` [h, w, 3] along a curve, [COLUMNS, 3]."""
    import cv2

    places: Array = frame.at(_S, v) - np.array([origin[0] + 0.5, origin[1] + 0.5], np.float32)
    row = cv2.remap(
        image, places[None, :, 0], places[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    colors: Array = row[0]
    return colors


def _lashes(picture: Array, lids: Lids, skin: Array) -> tuple[Array, float]:
    """The lashes' colour [3] and how much darker than `skin` [COLUMNS, 3] they are, 0-1."""
    import cv2

    rest, height = lids.rest, _LASHES * lids.rest.frame.width
    soft = cv2.GaussianBlur(picture, (0, 0), 0.7).astype(np.float32)
    rows = np.stack(
        [_along(soft, rest.frame, (0, 0), rest.upper + d) for d in np.linspace(-height, height, 7)]
    )
    darkest = np.take_along_axis(rows, np.argmin(rows @ LUMA, 0)[None, :, None], 0)[0]
    lash = np.asarray(np.median(darkest[8:-8], 0))
    bright = float(np.median(skin @ LUMA))
    contrast = 1 - float(lash @ LUMA) / max(bright, 1.0)
    return np.asarray(lash, np.float32), float(np.clip(1.3 * contrast, 0.1, 1.0))
