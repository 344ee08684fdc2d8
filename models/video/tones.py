"""What a portrait's own pixels say of its light, its white and its darkness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.portrait.light import harmonics
from models.srgb import linear_to_srgb, srgb_to_linear

from .view import Reference

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709
_SKIN_REGIONS = ("face", "nose")
_PLAIN = (0.12, 0.34)  # share of places without texture from which, and at which, a picture is flat
_TEST_BLUR = 1.5  # pixels
_SLOPE_BLUR = 0.75  # pixels: what measuring a slope over three of them blurs
_SOFT = (0.35, 2.0)  # pixels: limits of the measured blur
_FACING = 0.5  # cosine to the camera above which skin tells of the light


@dataclass(frozen=True)
class Tones:
    """Colours of a portrait, linear RGB.

    Attributes:
        light: [9] f32 spherical harmonics of the light's brightness over normals of the face's frame, 1 on
            what faces the camera.
        skin: [3] median colour of the skin.
        white: [3] what a white, matt surface facing the camera would show.
        dark: [3] the darkest colour of the face: deep shadow in this picture.
        flat: 0 for a photograph .. 1 for flat areas of colour.
        soft: standard deviation of the blur that edges have here, pixels.
    """

    light: Array
    skin: Array
    white: Array
    dark: Array
    flat: float
    soft: float


def linear(code: Array) -> Array:
    """sRGB code 0-255 as linear light 0-1."""
    return srgb_to_linear(np.asarray(code, np.float32) / 255.0).astype(np.float32)


def encoded(light: Array) -> Array:
    """Linear light as sRGB code 0-255, f32, clipped."""
    return (linear_to_srgb(np.clip(light, 0.0, 1.0)) * 255.0).astype(np.float32)


def measure_tones(reference: Reference, eye_white: Array) -> Tones:
    """Tones of a portrait; `eye_white` [n, 3] are colours of its eyes' white, linear, n may be 0."""
    chosen = _skin(reference.face)
    shown = reference.points[chosen, :2]
    left, top = np.maximum(shown.min(0).astype(int), 0)
    right, bottom = np.maximum(shown.max(0).astype(int) + 1, 1)
    part = reference.picture[top:bottom, left:right]
    toward = -reference.camera.rotation[2]
    light = (reference.light @ LUMA).astype(np.float32)
    light /= max(float(harmonics(toward[None])[0] @ light), 1e-3)
    skin = np.median(_facing_skin(reference, chosen), 0).astype(np.float32)
    return Tones(light, skin, _white(skin, eye_white), _dark(part), _flatness(part), _softness(part))


def _facing_skin(reference: Reference, chosen: Array) -> Array:
    """Colours [n, 3], linear, under those of the `chosen` [V] vertices that face the camera."""
    import cv2

    picture, points = reference.picture, reference.points
    height, width = picture.shape[:2]
    inside = (points[:, :2] > 1).all(1) & (points[:, 0] < width - 1) & (points[:, 1] < height - 1)
    facing = reference.normals @ -reference.camera.rotation[2] > _FACING
    x, y = points[chosen & inside & facing, :2].astype(int).T
    if len(x) < 8:
        return linear(picture.reshape(-1, 3))
    return linear(cv2.blur(picture, (3, 3))[y, x])


def _skin(face: FaceFile) -> Array:
    """[V] bool: plain skin of the face."""
    chosen: Array = np.isin(face.region, [i for i, n in enumerate(face.region_names) if n in _SKIN_REGIONS])
    return chosen if chosen.any() else np.ones(len(face.vertices), bool)


def _white(skin: Array, eye_white: Array) -> Array:
    """White in this light: from the eyes' white, kept within what human skin allows, a little warm.

    Skin reflects between 0.10 and 0.62 of the light (brightness), the shaded sclera about 0.5 (our choice).
    """
    bright = float(skin @ LUMA)
    low, high = bright / 0.62, min(bright / 0.10, 1.0)
    hue = (skin / max(bright, 1e-4)) ** 0.25
    level = bright / 0.42
    if len(eye_white) >= 6:
        order = np.argsort(eye_white @ LUMA)
        brightest = eye_white[order[int(0.7 * len(order)) : max(int(0.95 * len(order)), 1)]]
        color = np.median(brightest, 0) if len(brightest) else np.median(eye_white, 0)
        level = float(color @ LUMA) / 0.5
        hue = np.sqrt(hue * color / max(float(color @ LUMA), 1e-4))
    white: Array = np.clip(level, min(low, high), high) * hue / max(float(hue @ LUMA), 1e-4)
    return white.astype(np.float32)


def _dark(part: Array) -> Array:
    """Mean of the darkest 2% of the face."""
    if part.size == 0:
        return np.full(3, 0.01, np.float32)
    colors = linear(part.reshape(-1, 3)[::3])
    brightness = colors @ LUMA
    limit = np.quantile(brightness, 0.02)
    dark: Array = colors[brightness <= limit].mean(0)
    return dark.astype(np.float32)


def _flatness(part: Array) -> float:
    """From the share of places without texture: under 0.09 in photographs and paintings, over 0.3 in cels."""
    import cv2

    if min(part.shape[:2], default=0) < 16:
        return 0.0
    gray = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    around = np.ones((5, 5), np.uint8)
    plain = cv2.dilate(gray, around) - cv2.erode(gray, around) <= 1
    return float(np.clip((plain.mean() - _PLAIN[0]) / (_PLAIN[1] - _PLAIN[0]), 0, 1))


def _softness(part: Array) -> float:
    """Blur of the sharpest edges: how much finer detail there is than after one more blur.

    An edge of blur b loses, blurred by c, the share 1 - b / sqrt(b^2 + c^2) of its slope.
    """
    import cv2

    if min(part.shape[:2], default=0) < 16:
        return _SOFT[0]
    gray = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    slopes = []
    for image in (gray, cv2.GaussianBlur(gray, (0, 0), _TEST_BLUR)):
        x, y = cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1)
        slopes.append(float(np.quantile(np.hypot(x, y), 0.995)))
    ratio = min(slopes[1] / max(slopes[0], 1e-3), 0.99)
    blur = _TEST_BLUR * ratio / np.sqrt(1 - ratio**2)
    return float(np.clip(np.sqrt(max(blur**2 - _SLOPE_BLUR**2, 0.0)), *_SOFT))
