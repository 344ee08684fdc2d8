"""Which pixels are the person: the segmentation that mediapipe bundles, refined along the picture's edges."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from blender_addon.protocol.errors import MissingExtraError
from blender_addon.protocol.tensorfile import Array
from models.portrait.quiet import quiet

_SURE = (0.15, 0.85)  # segmentation below and above which a pixel is wholly background or person (our choice)
_RADIUS, _EDGE = 0.02, 3e-4  # guided filter: radius in parts of the side, variance of an edge (our choice)

_RIM, _FAINT = 0.01, 0.01  # parts of the side; coverage below which there is none (our choice)


class MatteSource(Protocol):
    """Finds people."""

    def matte(self, picture: Array) -> Array:
        """How much of each pixel of `picture` [H, W, 3] u8 sRGB is a person, [H, W] f32 0-1."""
        ...


class SelfieMatte:
    """Mediapipe's selfie segmentation (256 x 256 inside).

    Raises:
        MissingExtraError: mediapipe is not installed.
    """

    def __init__(self) -> None:
        self._network = _selfie_segmentation()

    def matte(self, picture: Array) -> Array:
        """See `MatteSource`."""
        with quiet():
            mask: Array = self._network.process(np.ascontiguousarray(picture)).segmentation_mask
        return _refined(picture, np.asarray(mask, np.float32))


def _refined(picture: Array, mask: Array) -> Array:
    """`mask` with its border moved onto edges of the picture by a guided filter (He et al., 2010)."""
    import cv2

    guide = picture.astype(np.float32) / 255
    radius = max(round(_RADIUS * min(mask.shape)), 2)
    soft = cv2.ximgproc.guidedFilter(guide, mask, radius, _EDGE)
    ramp = np.clip((soft - _SURE[0]) / (_SURE[1] - _SURE[0]), 0, 1)
    refined: Array = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    return refined


def widened(matte: Array, drawn: Array) -> Array:
    """`matte` [S, S] with the whole fitted head, `drawn` [S, S] bool, and a soft rim round both.

    The rim takes stray hairs along; it carries so little background that none is seen to move.
    """
    import cv2

    step = max(round(_RIM * len(matte)), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * step + 1, 2 * step + 1))
    inner = cv2.erode(drawn.astype(np.uint8), disc).astype(np.float32)
    whole = np.maximum(matte, cv2.GaussianBlur(inner, (0, 0), step / 2))
    rim = cv2.GaussianBlur(cv2.dilate(whole, disc), (0, 0), step / 2)
    rim[rim < _FAINT] = 0.0
    result: Array = np.maximum(whole, rim)
    return result


def _selfie_segmentation() -> Any:
    try:
        with quiet():
            import mediapipe
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "finding the person in a picture needs mediapipe, which is not installed",
            "Install it with: pip install -e .[portrait]",
        ) from error
    with quiet():  # its threads log until they have seen a picture
        network = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
        network.process(np.zeros((128, 128, 3), np.uint8))
    return network
