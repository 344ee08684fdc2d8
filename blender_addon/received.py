"""Motion as it comes in: chunks in order, kept until their job is done."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .protocol.arkit import ARKIT_NAMES
from .protocol.clip import (
    LAYER_NAMES,
    MAX_LIP_COEFFICIENTS,
    ClipInfo,
    MotionClip,
    expression_clip,
    layer_key,
)
from .protocol.errors import ProtocolError
from .protocol.tensorfile import Array

_FIRST_CAPACITY = 1024
_WEIGHTS, _CONTACT = len(ARKIT_NAMES), 2


class ReceivedMotion:
    """Weights [n, 52], lip coefficients [n, K], contact [n, 2] and layers [n, 52] of the frames that came."""

    def __init__(self) -> None:
        self.frames = 0
        self._lips = 0
        self._layers: tuple[str, ...] = ()
        self._values = np.empty((0, 0), np.float32)  # columns: weights, lip, contact, layers

    def values(self, lips: int) -> Array:
        """[n, C] f32 for the channels of a head with `lips` lip keys; only weights when it has others."""
        width = _WEIGHTS + lips + _CONTACT if lips == self._lips and lips else _WEIGHTS
        return self._values[: self.frames, :width]

    def append(self, start: int, arrays: Mapping[str, Array]) -> None:
        """Add frames `start`, `start + 1`, ...

        Raises:
            ProtocolError: they do not follow what is here, or an array is missing, misshapen or not finite.
        """
        count = len(arrays.get("weights", ()))
        if start != self.frames:
            raise ProtocolError(f"motion came out of order: frame {start} after {self.frames}")
        lip = arrays.get("lip", np.empty((count, 0), np.float32))
        lips = lip.shape[1] if lip.ndim == 2 and (lip.shape[1] == self._lips or not self.frames) else -1
        layers = self._layers if self.frames else tuple(n for n in LAYER_NAMES if layer_key(n) in arrays)
        widths = {"weights": _WEIGHTS, "lip": lips, "contact": _CONTACT}
        widths |= {layer_key(name): _WEIGHTS for name in layers}
        came = {"lip": lip, **arrays}
        for name, width in widths.items():
            array = came.get(name)
            usable = array is not None and array.shape == (count, width) and bool(np.isfinite(array).all())
            if not usable or lips > MAX_LIP_COEFFICIENTS:
                raise ProtocolError(f"the motion from frame {start} has no usable {name}")
        self._lips, self._layers = lips, layers
        self._reserve(start + count, sum(widths.values()))
        self._values[start : start + count] = np.concatenate([came[name] for name in widths], axis=1)
        self.frames = start + count

    def _reserve(self, frames: int, width: int) -> None:
        if frames > len(self._values) or width != self._values.shape[1]:
            capacity = max(frames, 2 * len(self._values), _FIRST_CAPACITY)
            grown = np.empty((capacity, width), np.float32)
            if self.frames:
                grown[: self.frames] = self._values[: self.frames]
            self._values = grown

    def clip(self, info: ClipInfo) -> MotionClip:
        """What came, as a clip; there must be at least one frame."""
        widths = (_WEIGHTS, self._lips, _CONTACT, *(_WEIGHTS for _ in self._layers))
        parts = np.split(self._values[: self.frames], np.cumsum(widths)[:-1], axis=1)
        weights, lip, contact, *layers = (part.copy() for part in parts)
        return expression_clip(info, weights, contact, lip, dict(zip(self._layers, layers, strict=True)))
