"""What lies behind the person: filled in once, so that a moving head uncovers something."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .extend import filled
from .regions import smoothstep

# Parts of the side: what the person's edge spoils beyond the matte; below which size forms count as texture
# (our choice).
_MARGIN, _TEXTURE = 0.012, 0.02
_FAINT, _STRONG = 0.02, 40.0  # coverage that is none; texture's largest amplitude, sRGB code


def background(picture: Array, matte: Array) -> Array:
    """`picture` [S, S, 3] u8 without the person of `matte` [S, S]: [S, S, 3] f32.

    Exactly the picture where nothing of the person is. Behind the person a smooth fill, with the texture of
    the background mirrored at its border.
    """
    import cv2

    side = matte.shape[0]
    reach = 2 * max(round(_MARGIN * side), 1) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    covered = cv2.dilate((matte > _FAINT).astype(np.uint8), disc)
    image = picture.astype(np.float32)
    known = 1.0 - covered.astype(np.float32)
    if not known.any():
        return image
    told = known * (_inner(side) > 0)
    smooth = filled(image, told if told.any() else known, pull=0.0)
    near = cv2.GaussianBlur(known, (0, 0), _TEXTURE * side)[..., None]
    low = cv2.GaussianBlur(image * known[..., None], (0, 0), _TEXTURE * side) / np.maximum(near, 1e-3)
    texture = np.clip(image - low, -_STRONG, _STRONG) * (known * _inner(side))[..., None]
    fill = smooth + _mirrored(texture, covered)
    return np.where(matte[..., None] > 0, fill, image).astype(np.float32)


def _inner(side: int) -> Array:
    """[S, S] f32: 0 at the border, whose frames and lines are no texture, 1 inside."""
    steps = np.arange(side) + 0.5
    ramp = smoothstep(np.minimum(steps, side - steps) / side, 0.015, 0.04)
    result: Array = np.minimum.outer(ramp, ramp).astype(np.float32)
    return result


def _mirrored(texture: Array, covered: Array) -> Array:
    """`texture` [S, S, 3] continued into what is `covered` [S, S] u8, mirrored at the border."""
    import cv2

    _, labels = cv2.distanceTransformWithLabels(covered, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(covered == 0)
    places = np.zeros((labels.max() + 1, 2), np.float32)
    places[labels[rows, columns]] = np.stack([columns, rows], 1)
    nearest = places[labels]
    x, y = np.meshgrid(np.arange(covered.shape[1]), np.arange(covered.shape[0]))
    mirror = (2 * nearest - np.stack([x, y], 2)).astype(np.float32)
    result: Array = cv2.remap(texture, mirror, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return result
