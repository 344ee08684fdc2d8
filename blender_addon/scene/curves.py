"""Weights into F-curves: a few curves per tick, so that the interface stays alive."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..protocol.arkit import ARKIT_NAMES, channel_group
from ..protocol.tensorfile import Array
from .compat import curve_holder

# RNA numbers of a key's enums, and what our keys have: handles are automatic, so that an artist who turns
# keys into Bézier keys gets a smooth curve.
_KEY_ENUMS = {
    "interpolation": 1,  # LINEAR
    "type": 5,  # GENERATED
    "handle_left_type": 4,  # AUTO_CLAMPED
    "handle_right_type": 4,
}


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


def write_due(curves: Sequence[Any], weights: Array, first: int, deadline: float) -> int:
    """Append the keys that `curves` lack, the shortest first, to one curve at least.

    It goes on as long as the next curve should be done when `time.perf_counter()` is `deadline`.
    What a curve has is read from the curve, since undo may have taken keys away again.

    Args:
        curves: 52 F-curves, None for those to leave alone.
        weights: [n, 52] f32, all frames that came so far.
        first: scene frame of row 0.

    Returns:
        How many of the n frames all curves hold now.
    """
    total = len(weights)
    written = {i: _frames_written(c, first) for i, c in enumerate(curves) if c is not None}
    slowest = 0.0
    for position, i in enumerate(sorted(written, key=written.__getitem__)):
        begin = time.perf_counter()
        if written[i] >= total or (position and begin + slowest > deadline):
            break
        _append_keys(curves[i], first + written[i], weights[written[i] :, i])
        written[i] = total
        slowest = max(slowest, time.perf_counter() - begin)
    return min((*written.values(), total))


def _frames_written(curve: Any, first: int) -> int:
    count = len(curve.keyframe_points)
    if count == 0:
        return 0
    last = float(curve.keyframe_points[count - 1].co[0])
    return max(0, round(last) - first + 1)


def _append_keys(curve: Any, frame: int, values: Array) -> None:
    """Add keys at `frame`, `frame + 1`, ...; keys that are there already keep all that they have."""
    points = curve.keyframe_points
    before, count = len(points), len(values)
    pairs = np.empty((before + count, 2), np.float32)
    pairs[before:, 0] = np.arange(frame, frame + count)
    pairs[before:, 1] = values
    kept = {name: np.empty(before, np.int32) for name in _KEY_ENUMS}
    if before:
        head = np.empty(2 * before, np.float32)
        points.foreach_get("co", head)
        pairs[:before] = head.reshape(before, 2)
        for name, array in kept.items():
            points.foreach_get(name, array)
    points.add(count)
    points.foreach_set("co", pairs.ravel())
    for name, number in _KEY_ENUMS.items():
        points.foreach_set(name, np.append(kept[name], np.full(count, number, np.int32)))
    curve.update()


def read_weights(curves: Sequence[Any], first: int, frames: int) -> Array:
    """[frames, 52] f32: `curves` evaluated at scene frames `first`, `first + 1`, ...; 0 where one is gone."""
    values = np.zeros((frames, len(curves)), np.float32)
    for i, curve in enumerate(curves):
        if curve is not None:
            values[:, i] = [curve.evaluate(first + f) for f in range(frames)]
    return values
