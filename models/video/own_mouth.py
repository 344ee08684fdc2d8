"""A portrait whose mouth is open already: its own teeth, where they can be seen, are the truth."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .head_motion import in_box, way_back
from .mouth_opening import Outline
from .tones import LUMA, linear
from .view import Driven, Reference

Box = tuple[int, int, int, int]

OPEN = 0.08  # of the mouth's width: a wider opening shows the inside (our choice)
_LIFT = 0.07  # of the width: how far teeth go on under the upper lip, which may rise
_EDGE = 0.012  # of the width: how soft the border of what is known is
_KEPT = 0.015  # of the width: motion of the lips at which what the border hides has mostly gone
_FRONT = np.array([(0, 0, 0), (0.012, 0.004, 0), (-0.012, 0.004, 0), (0, 0, 0.006), (0, 0, -0.006)])
_SHADED = 0.88  # how bright teeth are under the upper lip
_TEETH = 0.6  # quantile of brightness above which the inside counts as teeth


class OwnMouth:
    """The inside of a mouth as the picture shows it; it stays with the skull."""

    def __init__(self, reference: Reference, outline: Outline, box: Box) -> None:
        """`outline` is the picture's own opening, `box` the part of the picture round it."""
        import cv2

        left, top, right, bottom = box
        self._reference, self._outline, self._box = reference, outline, box
        self._seen = np.ascontiguousarray(reference.picture[top:bottom, left:right].astype(np.float32))
        self._cover = outline.coverage(box)
        self.open = outline.tallest > OPEN
        width = outline.frame.width
        edge = max(_EDGE * width, 1.0)
        lifted = outline.raised(_LIFT * width).coverage(box)
        inside = cv2.distanceTransform((lifted > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
        t = np.clip((inside - 0.5) / (2 * edge), 0, 1) * self.open
        self._known = (t * t * (3 - 2 * t)).astype(np.float32)
        self._teeth = self._prolonged(2 * edge)
        teeth = reference.vertices[reference.face.rings["lip_upper"]].astype(np.float64)
        self._points = teeth[[0, -1]].mean(0) * (1, 0, 1) + (0, teeth[:, 1].min() + 0.004, 0) + _FRONT

    @property
    def teeth(self) -> Array:
        """[3] linear colour of the picture's own teeth."""
        colors = self._seen[self._cover > 0.9]
        if len(colors) < 4:
            colors = self._seen.reshape(-1, 3)
        brightness = colors @ LUMA
        return linear(np.median(colors[brightness >= np.quantile(brightness, _TEETH)], 0))

    def over(self, driven: Driven, outline: Outline, color: Array, box: Box) -> None:
        """Lay the picture's own inside over the drawn `color` [h, w, 3] f32 sRGB code of `box`, in place."""
        import cv2

        back = way_back(self._reference, driven.motion.pose, self._points)
        shifted = in_box(back, box[0], box[1])
        shifted[:, 2] -= self._box[:2]
        size = (color.shape[1], color.shape[0])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        still = self._still(outline)
        layers = [(self._teeth, self._known, 1.0)] if self.open else []
        layers += [(self._seen, self._cover, still)] if still > 0.01 else []
        for picture, mask, share in layers:
            known = cv2.warpAffine(mask, shifted, size, flags=flags) * np.float32(share)
            own = cv2.warpAffine(picture, shifted, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
            color += known[..., None] * (own - color)

    def _prolonged(self, inset: float) -> Array:
        """The inside [h, w, 3], its upper edge drawn on upwards."""
        import cv2

        left, top, right, bottom = self._box
        y, x = np.mgrid[top:bottom, left:right] + 0.5
        frame = self._outline.frame
        s, v = frame.within(np.stack([x.ravel(), y.ravel()], 1))
        edge = np.interp(s, np.linspace(0, 1, len(self._outline.upper)), self._outline.upper) + inset
        places: Array = frame.at(s, np.maximum(v, edge)) - np.array([left + 0.5, top + 0.5], np.float32)
        to_x, to_y = (np.ascontiguousarray(places[:, k].reshape(y.shape)) for k in range(2))
        prolonged = cv2.remap(self._seen, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        soft = cv2.GaussianBlur(prolonged, (0, 0), 2 * inset) * _SHADED
        above = np.clip((edge - v) / (3 * inset), 0, 1).reshape(y.shape)[..., None]
        result: Array = (prolonged + above * (soft - prolonged)).astype(np.float32)
        return result

    def _still(self, outline: Outline) -> float:
        """1 where the lips are as in the picture, falling as they move."""
        own = self._outline
        scale = own.frame.width / outline.frame.width
        away = (
            np.abs(outline.upper * scale - own.upper).mean()
            + np.abs(outline.lower * scale - own.lower).mean()
        )
        return float(np.exp(-((away / (_KEPT * own.frame.width)) ** 2)))
