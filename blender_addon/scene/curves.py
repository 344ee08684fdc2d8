"""Weights into F-curves: a few curves per tick, so that the interface stays alive."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..protocol.arkit import ARKIT_NAMES, channel_group
from ..protocol.tensorfile import Array
from . import reduction
from .compat import curve_holder

# RNA numbers of a key's enums.
_LINEAR, _BEZIER = 1, 2
_ALIGNED, _AUTO_CLAMPED = 3, 4
_GENERATED = 5
_ENUMS = ("interpolation", "type", "handle_left_type", "handle_right_type")
_PAIRS = ("co", "handle_left", "handle_right")
_BLOCK_FRAMES = 250  # frames that are reduced at once; a key is set at each end


@dataclass(frozen=True)
class Keying:
    """How motion becomes keys: a linear one on every frame, or Bézier keys within `error` of every frame."""

    error: float = 0.0

    @property
    def reduced(self) -> bool:
        """True for Bézier keys."""
        return self.error > 0.0


EVERY_FRAME = Keying()
REDUCED = Keying(reduction.MAX_ERROR)
_LONG_SECONDS = 300.0


def default_keying(seconds: float) -> Keying:
    """Reduced keys for a voice of more than 5 minutes, else every frame."""
    return REDUCED if seconds > _LONG_SECONDS else EVERY_FRAME


def data_path(shape: str) -> str:
    """Animation path of a shape key's value, seen from its Key data-block."""
    return f'key_blocks["{shape}"].value'


def add_curves(action: Any) -> None:
    """52 empty F-curves in `action`, grouped by channel (Jaw, Lips, Tongue, Brows, Eyes)."""
    holder = curve_holder(action, "KEY")
    for name in ARKIT_NAMES:
        group = channel_group(name)
        curve = holder.fcurves.new(data_path(name))
        curve.group = holder.groups.get(group) or holder.groups.new(group)


def find_curves(action: Any) -> list[Any]:
    """The 52 F-curves of `action` in `ARKIT_NAMES` order, None where an artist removed one."""
    holder = curve_holder(action, "KEY")
    found = {} if holder is None else {curve.data_path: curve for curve in holder.fcurves}
    return [found.get(data_path(name)) for name in ARKIT_NAMES]


@dataclass(frozen=True)
class Motion:
    """Motion to key: weights [n, 52] of scene frames `first`, `first + 1`, ...; `ended` when it is all."""

    weights: Array
    first: int
    ended: bool = True


def write_due(curves: Sequence[Any], motion: Motion, keying: Keying, deadline: float) -> int:
    """Append the keys that `curves` lack, the shortest first, to one curve at least.

    It goes on as long as the next step should be done when `time.perf_counter()` is `deadline`. What a curve
    has is read from the curve, since undo may have taken keys away again.

    Args:
        curves: 52 F-curves, None for those to leave alone.

    Returns:
        How many of the n frames all curves hold now.
    """
    total = len(motion.weights)
    written = {i: _frames_written(c, motion.first) for i, c in enumerate(curves) if c is not None}
    slowest = 0.0
    while written:
        begin = time.perf_counter()
        i = min(written, key=written.__getitem__)
        stop = _next_stop(written[i], motion, keying)
        if stop <= written[i] or (slowest and begin + slowest > deadline):
            break
        if keying.reduced:
            _append_bezier(curves[i], motion, i, (written[i], stop), keying.error)
        else:
            _append_linear(curves[i], motion.first + written[i], motion.weights[written[i] : stop, i])
        written[i] = stop
        slowest = max(slowest, time.perf_counter() - begin)
    return min((*written.values(), total))


def _next_stop(written: int, motion: Motion, keying: Keying) -> int:
    """The frame before which the next keys of a curve end; `written` when none are due.

    Whole blocks are reduced, when one more frame is known, which the slope at their end needs.
    """
    total = len(motion.weights)
    if not keying.reduced:
        return total
    stop = written + _BLOCK_FRAMES
    if stop < total:
        return stop
    return total if motion.ended else written


def _frames_written(curve: Any, first: int) -> int:
    count = len(curve.keyframe_points)
    if count == 0:
        return 0
    last = float(curve.keyframe_points[count - 1].co[0])
    return max(0, round(last) - first + 1)


def _append_linear(curve: Any, frame: int, values: Array) -> None:
    """Add linear keys at `frame`, `frame + 1`, ...

    Their handles are automatic, so that an artist who turns them into Bézier keys gets a smooth curve.
    """
    keys = np.stack([np.arange(frame, frame + len(values)), values], axis=1)
    enums = (_LINEAR, _GENERATED, _AUTO_CLAMPED, _AUTO_CLAMPED)
    _extend(curve, {"co": keys, "handle_left": keys, "handle_right": keys}, enums)


def _append_bezier(curve: Any, motion: Motion, column: int, span: tuple[int, int], error: float) -> None:
    """Add Bézier keys for frames span[0] to span[1] - 1, which go on from the key before, if there is one."""
    written, stop = span
    a = max(0, written - 1)
    before = min(1, a)  # one frame more on each side, where there is one, for the slopes
    values = motion.weights[a - before : stop + 1, column].astype(np.float64)
    slope = reduction.slopes(values)[before : before + stop - a]
    values = values[before : before + stop - a]
    chosen = np.array(reduction.key_frames(values, slope, error))
    keys = np.stack([motion.first + a + chosen, values[chosen]], axis=1)  # [k, 2]
    thirds = np.diff(chosen, prepend=chosen[0] - 1, append=chosen[-1] + 1) / 3.0  # [k + 1]
    rise = np.stack([np.ones(len(chosen)), slope[chosen]], axis=1)
    left, right = keys - thirds[:-1, None] * rise, keys + thirds[1:, None] * rise
    if written:
        curve.keyframe_points[-1].handle_right = right[0]
    new = slice(1 if written else 0, None)
    enums = (_BEZIER, _GENERATED, _ALIGNED, _ALIGNED)
    _extend(curve, {"co": keys[new], "handle_left": left[new], "handle_right": right[new]}, enums)


def _extend(curve: Any, pairs: Mapping[str, Array], enums: tuple[int, ...]) -> None:
    """Append keys: co and handles [k, 2], the same enums for all. Keys that are there keep all they have."""
    points = curve.keyframe_points
    before, count = len(points), len(pairs["co"])
    arrays: dict[str, Array] = {}
    for name in _PAIRS:
        arrays[name] = np.empty(2 * (before + count), np.float32)
        arrays[name][2 * before :] = pairs[name].ravel()
    for name, number in zip(_ENUMS, enums, strict=True):
        arrays[name] = np.full(before + count, number, np.int32)
    if before:
        for name, array in arrays.items():
            kept = np.empty(len(array) // (before + count) * before, array.dtype)
            points.foreach_get(name, kept)
            array[: len(kept)] = kept
    points.add(count)
    for name, array in arrays.items():
        points.foreach_set(name, array)
    curve.update()
