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
    clip_from_tensors,
    codes_of,
    layer_key,
)
from .protocol.errors import ProtocolError
from .protocol.tensorfile import Array

_FIRST_CAPACITY = 1024
_WEIGHTS, _CONTACT = len(ARKIT_NAMES), 2
_WIDTHS = {"weights": _WEIGHTS, "pose": 6, "gaze": 4}  # of a clip's tensors, and a layer's
_CODES = "pose_codes"
_OPTIONAL = {
    **{name: _WIDTHS[name] for name in ("pose", "gaze")},
    **{layer_key(layer, name): width for layer in LAYER_NAMES for name, width in _WIDTHS.items()},
}


class ReceivedMotion:
    """The arrays of the frames that came: weights, lip, contact, head pose and its codes, gaze, layers."""

    def __init__(self) -> None:
        self.frames = 0
        self._widths: dict[str, int] = {}
        self._values = np.empty((0, 0), np.float32)  # the arrays of _widths side by side
        self._codes: list[Array] | None = None

    def values(self, lips: int) -> Array:
        """[n, C] f32 for the channels of a head with `lips` lip keys; only weights when it has others."""
        width = _WEIGHTS + lips + _CONTACT if lips and lips == self._widths.get("lip") else _WEIGHTS
        return self._values[: self.frames, :width]

    @property
    def pose(self) -> Array:
        """[n, 6] f32 head pose; 0 rows when there is none."""
        start = 0
        for name, width in self._widths.items():
            if name == "pose":
                return self._values[: self.frames, start : start + width]
            start += width
        return np.zeros((0, 6), np.float32)

    def append(self, start: int, arrays: Mapping[str, Array]) -> None:
        """Add frames `start`, `start + 1`, ...

        Raises:
            ProtocolError: they do not follow what is here, or an array is missing, misshapen or not finite.
        """
        count = len(arrays.get("weights", ()))
        if start != self.frames:
            raise ProtocolError(f"motion came out of order: frame {start} after {self.frames}")
        came = {"lip": np.empty((count, 0), np.float32), **arrays}
        widths = self._widths if self.frames else _layout(came, count)
        for name, width in widths.items():
            array = came.get(name)
            usable = array is not None and array.shape == (count, width) and bool(np.isfinite(array).all())
            if not usable or (name == "lip" and width > MAX_LIP_COEFFICIENTS):
                raise ProtocolError(f"the motion from frame {start} has no usable {name}")
        self._keep_codes(start, count, arrays.get(_CODES))
        self._widths = widths
        self._reserve(start + count, sum(widths.values()))
        self._values[start : start + count] = np.concatenate([came[name] for name in widths], axis=1)
        self.frames = start + count

    def _keep_codes(self, start: int, count: int, codes: Array | None) -> None:
        """The first chunk says whether there are any: then each brings those of its frames."""
        expected = codes_of(start, count)
        if not self.frames:
            self._codes = [] if codes is not None and len(codes) else None
        if self._codes is None:
            return
        if codes is None or codes.shape != (len(expected),) or codes.dtype.kind not in "iu":
            raise ProtocolError(f"the motion from frame {start} has no usable {_CODES}")
        self._codes.append(codes.astype(np.int32))

    def _reserve(self, frames: int, width: int) -> None:
        if frames > len(self._values) or width != self._values.shape[1]:
            capacity = max(frames, 2 * len(self._values), _FIRST_CAPACITY)
            grown = np.empty((capacity, width), np.float32)
            if self.frames:
                grown[: self.frames] = self._values[: self.frames]
            self._values = grown

    def clip(self, info: ClipInfo) -> MotionClip:
        """What came, as a clip; there must be at least one frame."""
        parts = np.split(self._values[: self.frames], np.cumsum([*self._widths.values()])[:-1], axis=1)
        tensors = {name: part.copy() for name, part in zip(self._widths, parts, strict=True)}
        if self._codes:
            tensors[_CODES] = np.concatenate(self._codes)
        return clip_from_tensors(info, tensors)


def _layout(came: Mapping[str, Array], count: int) -> dict[str, int]:
    """Names and widths of the arrays that a motion has, as its first chunk says; empty ones are left out."""
    lip = came["lip"]
    lips = lip.shape[1] if lip.ndim == 2 else -1
    present = {name: width for name, width in _OPTIONAL.items() if len(came.get(name, ()))}
    return {"weights": _WEIGHTS, "lip": lips, "contact": _CONTACT, **present}
