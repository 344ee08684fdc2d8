"""Motion as it comes in: chunks in order, kept until their job is done."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .protocol.arkit import ARKIT_NAMES
from .protocol.clip import ClipInfo, MotionClip, expression_clip
from .protocol.errors import ProtocolError
from .protocol.tensorfile import Array

_WIDTHS = {"weights": len(ARKIT_NAMES), "contact": 2}
_FIRST_CAPACITY = 1024


class ReceivedMotion:
    """Weights [n, 52] and contact [n, 2] of the n frames that came so far."""

    def __init__(self) -> None:
        self.frames = 0
        self._arrays = {
            name: np.empty((_FIRST_CAPACITY, width), np.float32) for name, width in _WIDTHS.items()
        }

    @property
    def weights(self) -> Array:
        """[n, 52] f32, a view."""
        return self._arrays["weights"][: self.frames]

    def append(self, start: int, arrays: Mapping[str, Array]) -> None:
        """Add frames `start`, `start + 1`, ...

        Raises:
            ProtocolError: they do not follow what is here, or an array is missing, misshapen or not finite.
        """
        count = len(arrays.get("weights", ()))
        if start != self.frames:
            raise ProtocolError(f"motion came out of order: frame {start} after {self.frames}")
        for name, width in _WIDTHS.items():
            array = arrays.get(name)
            if array is None or array.shape != (count, width) or not np.isfinite(array).all():
                raise ProtocolError(f"the motion from frame {start} has no usable {name}")
        for name in _WIDTHS:
            self._reserve(name, start + count)
            self._arrays[name][start : start + count] = arrays[name]
        self.frames = start + count

    def _reserve(self, name: str, frames: int) -> None:
        array = self._arrays[name]
        if frames > len(array):
            grown = np.empty((max(frames, 2 * len(array)), array.shape[1]), np.float32)
            grown[: self.frames] = array[: self.frames]
            self._arrays[name] = grown

    def clip(self, info: ClipInfo) -> MotionClip:
        """What came, as a clip; there must be at least one frame."""
        contact = self._arrays["contact"][: self.frames]
        return expression_clip(info, self.weights.copy(), contact.copy())
