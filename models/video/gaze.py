"""An eye of a portrait taken apart once: white, iris with pupil, catchlight, each drawn by itself after."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .eye_frame import EyeFrame
from .tones import LUMA

# An iris is 11.7 mm wide, its plane 9.8 mm before the centre the eye turns about (usual anatomy).
BALL = 9.8 / 5.85
RIM = 0.10  # of the radius: how soft an iris's edge is
# Searches: how far the detector's iris may be off, of its radius, and how much larger or smaller it may be.
_PASSES = ((0.16, (0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12)), (0.03, (0.98, 1.0, 1.02)))
_USUAL, _DOUBT = 0.10, 6.0  # of the radius: an error of the detector that costs so many codes of contrast
_CONTRAST = (-20, 110)  # sRGB codes over the rim that count
_SIDES = np.radians([*np.linspace(-50, 30, 17), *np.linspace(150, 230, 17)])  # arcs that lids seldom hide
_SPARKLE = 60.0  # sRGB codes that a catchlight is brighter than the iris round it
_FILLS = (0.3, 0.8, 2.0)  # of the radius: blurs that carry colour into what is hidden


@dataclass(frozen=True)
class Iris:
    """Where an iris is seen: middle x, y and radius, pixels."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class EyeLayers:
    """One eye of the picture, apart, in a box of the reference's pixels.

    Attributes:
        left, top: the box's place.
        white: [h, w, 3] f32 sRGB code 0-255, the ball without its iris and the lid's shade.
        iris: [h, w, 4] f32: colour times opacity, opacity; without the lid's shade.
        glint: [h, w, 3] f32 light of the catchlight, to be added.
        rest: [h, w, 3] f32 what the three lack of the picture.
        place: the iris.
    """

    left: int
    top: int
    white: Array
    iris: Array
    glint: Array
    rest: Array
    place: Iris


def find_iris(picture: Array, ring: Array, opening: Array) -> Iris:
    """The iris near the detector's.

    Args:
        picture: [H, W, 3] u8.
        ring: [5, 2] the detector's middle and four points of the rim, pixels.
        opening: [H, W] f32 1 between the lids.
    """
    import cv2

    middle = ring[0].astype(float)
    across, along = (float(np.linalg.norm(ring[k] - ring[k + 2])) for k in (1, 2))
    radius = max(across / 2, along / 2, 1.5)
    gray = cv2.GaussianBlur((picture.astype(np.float32) @ LUMA), (0, 0), max(0.08 * radius, 0.5))
    found = first = Iris(float(middle[0]), float(middle[1]), radius)
    for reach, scales in _PASSES:
        found = _best(gray, opening, first, found, reach, scales)
    return found


def _best(
    gray: Array, opening: Array, first: Iris, near: Iris, reach: float, scales: tuple[float, ...]
) -> Iris:
    """The circle round `near` whose rim is clearest, not far from the `first` one."""
    step = np.linspace(-reach, reach, 9) * first.radius
    dy, dx, scale = (a.ravel() for a in np.meshgrid(step, step, scales, indexing="ij"))
    x, y, radius = near.x + dx, near.y + dy, near.radius * scale
    direction = np.stack([np.cos(_SIDES), np.sin(_SIDES)], 1)
    contrast, seen = np.zeros(len(x)), np.full(len(x), 1e-3)
    for inside, outside in ((0.92, 1.08), (0.82, 1.18)):
        inner, outer = (
            np.stack([x, y], 1)[:, None] + direction * (radius * share)[:, None, None]
            for share in (inside, outside)
        )
        open_ = _sampled(opening, inner) * _sampled(opening, outer)
        contrast += ((_sampled(gray, outer) - _sampled(gray, inner)).clip(*_CONTRAST) * open_).sum(1)
        seen += open_.sum(1)
    away = ((x - first.x) ** 2 + (y - first.y) ** 2) / (_USUAL * first.radius) ** 2
    away += ((radius / first.radius - 1) / _USUAL) ** 2
    best = int(np.argmax(contrast / np.maximum(seen, 6.0) - _DOUBT * away))
    return Iris(float(x[best]), float(y[best]), float(radius[best]))


def _sampled(image: Array, places: Array) -> Array:
    """`image` [H, W] at `places` [n, m, 2], linear."""
    import cv2

    x, y = (np.ascontiguousarray(places[..., k] - 0.5, np.float32) for k in range(2))
    values: Array = cv2.remap(
        image.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return values


def eye_layers(picture: Array, opening: Array, shade: Array, iris: Iris, frame: EyeFrame) -> EyeLayers:
    """Take the eye of `picture` [H, W, 3] u8 apart.

    Args:
        opening: [H, W] f32 is 1 between the lids; shade: [H, W] f32 light that the upper lid leaves.
    """
    import cv2

    reach = 0.75 * frame.width
    middle = frame.corner + frame.across * frame.width / 2
    left, top = (max(int(v - reach), 0) for v in middle)
    right, bottom = (int(v + reach) + 1 for v in middle)
    picture_part = picture[top:bottom, left:right].astype(np.float32)
    open_, shade_part = opening[top:bottom, left:right], shade[top:bottom, left:right, None]
    part = picture_part / shade_part
    local = Iris(iris.x - left, iris.y - top, iris.radius)
    size = max(round(0.035 * frame.width), 1)
    sure = cv2.erode(open_, np.ones((2 * size + 1, 2 * size + 1), np.uint8))
    alpha = _disc(part.shape[:2], local)
    white = _white(part, sure, local, open_)
    disc, glint = _iris(part, sure, local, white)
    shown = (white * (1 - alpha[..., None]) + disc * alpha[..., None]) * shade_part + glint
    rest = (picture_part - shown) * np.minimum(open_ * 4, 1)[..., None]
    layer = np.concatenate([disc * alpha[..., None], alpha[..., None]], 2)
    return EyeLayers(left, top, white, layer.astype(np.float32), glint, rest.astype(np.float32), iris)


def _polar(shape: tuple[int, ...], iris: Iris) -> tuple[Array, Array, Array]:
    """Distance from the iris's middle in radii, and x, y from it in pixels, [h, w] each."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) + np.float32(0.5)
    x, y = x - np.float32(iris.x), y - np.float32(iris.y)
    return np.hypot(x, y) / np.float32(iris.radius), x, y


def _disc(shape: tuple[int, ...], iris: Iris) -> Array:
    """[h, w] f32 opacity of the iris."""
    far = _polar(shape, iris)[0]
    soft = max(RIM, 0.7 / iris.radius)
    t = np.clip((1 + soft - far) / (2 * soft), 0, 1)
    opacity: Array = (t * t * (3 - 2 * t)).astype(np.float32)
    return opacity


def carried(image: Array, known: Array, radius: float) -> Array:
    """`image` [h, w, C] with what is not `known` [h, w] 0-1 filled from its surroundings, coarse last."""
    import cv2

    filled = image * known[..., None]
    weight = known.astype(np.float32)
    total, share = filled.copy(), weight.copy()
    for scale in _FILLS:
        sigma = max(scale * radius, 1.0)
        blurred, amount = (cv2.GaussianBlur(a, (0, 0), sigma) for a in (filled, weight))
        gain = np.clip(1 - share, 0, 1) / np.maximum(amount, 1e-4) * np.clip(amount * 8, 0, 1)
        total += blurred * gain[..., None]
        share += amount * gain
    mean = filled.sum((0, 1)) / max(float(weight.sum()), 1e-4)
    result: Array = total + mean * np.clip(1 - share, 0, 1)[..., None]
    return result.astype(np.float32)


def _white(part: Array, sure: Array, iris: Iris, open_: Array) -> Array:
    """The ball without iris: its own pixels outside it, under it carried in from both sides."""
    far = _polar(part.shape[:2], iris)[0]
    known = sure * (far > 1.16)
    if known.sum() < 6:  # nothing but iris between the lids
        return _no_white(part, sure)
    filled = carried(part, known, iris.radius)
    keep = np.clip((far - 1.12) / 0.12, 0, 1) * np.minimum(open_ * 2, 1)
    white: Array = filled + (part - filled) * (keep * np.clip(sure + 0.0, 0, 1))[..., None]
    return white.astype(np.float32)


def _no_white(part: Array, sure: Array) -> Array:
    """A white for an eye that shows none: the brightest of the eye, grey."""
    seen = part[sure > 0.5]
    level = float(np.quantile(seen @ LUMA, 0.9)) if len(seen) else 120.0
    return np.full(part.shape, max(level, 60.0), np.float32)


def _iris(part: Array, sure: Array, iris: Iris, white: Array) -> tuple[Array, Array]:
    """Colour [h, w, 3] of the whole iris, and its catchlight [h, w, 3]."""
    import cv2

    far, x, y = _polar(part.shape[:2], iris)
    seen = sure * (far < 0.92)
    if seen.sum() < 6:
        dark = np.full(part.shape, 30.0, np.float32)
        return dark, np.zeros_like(dark)
    rings = _ring_colors(part, seen, far)
    gray, base = part @ LUMA, rings @ LUMA
    bright = ((gray - base > _SPARKLE) & (far < 0.9) & (sure > 0.5)).astype(np.float32)
    sparkle = cv2.GaussianBlur(cv2.dilate(bright, np.ones((3, 3), np.uint8)), (0, 0), 0.6)
    sparkle = np.clip(sparkle * 1.5, 0, 1)
    known = seen * (sparkle < 0.1)
    mirrored = cv2.remap(
        np.dstack([part * known[..., None], known]),
        x + np.float32(iris.x - 0.5),
        np.float32(iris.y - 0.5) - y,
        cv2.INTER_LINEAR,
    )
    soft = cv2.GaussianBlur(known, (0, 0), max(0.08 * iris.radius, 0.6)) * known
    weight = np.clip(mirrored[..., 3:], 0, 1)
    hidden = rings + 0.6 * (mirrored[..., :3] - weight * rings)
    color = hidden + (part - hidden) * soft[..., None]
    glint = np.clip(part - color, 0, None) * (sparkle * sure)[..., None]
    return color.astype(np.float32), glint.astype(np.float32)


def _ring_colors(part: Array, seen: Array, far: Array) -> Array:
    """[h, w, 3] median colour of the iris at each distance from its middle."""
    steps = np.linspace(0, 1.2, 9)
    chosen = seen > 0.5
    whole = np.median(part[chosen], 0) if chosen.any() else part.reshape(-1, 3).mean(0)
    medians = []
    for low, high in pairwise(steps):
        ring = part[chosen & (far >= low) & (far < high)]
        medians.append(np.median(ring, 0) if len(ring) >= 4 else np.full(3, np.nan))
    table = np.array(medians)
    for c in range(3):
        known = np.isfinite(table[:, c])
        table[:, c] = (
            np.interp(np.arange(8), np.flatnonzero(known), table[known, c]) if known.any() else whole[c]
        )
    middles = (steps[:-1] + steps[1:]) / 2
    return np.stack([np.interp(far, middles, table[:, c]) for c in range(3)], 2).astype(np.float32)
