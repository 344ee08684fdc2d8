"""Weights into F-curves: a few curves per tick, so that the interface stays alive."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..protocol.arkit import ARKIT_NAMES, channel_group
from ..protocol.tensorfile import Array
from . import reduction
from .compat import curve_holder
from .lip_keys import CONTACT_PROPERTIES, lip_properties

# RNA numbers of a key's enums.
_LINEAR, _BEZIER = 1, 2
_ALIGNED, _AUTO_CLAMPED = 3, 4
_GENERATED = 5
_ENUMS = ("interpolation", "type", "handle_left_type", "handle_right_type")
_PAIRS = ("co", "handle_left", "handle_right")
_SAME_FRAME = 0.01  # keys that are no farther apart count as one, as in Blender
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


def channels(lips: int) -> list[tuple[str, str]]:
    """Animation path and group of each channel of a head with `lips` lip keys, seen from its Key data-block.

    The 52 ARKit shapes; for a head with lip keys their coefficients and the two contacts too.
    """
    shapes = [(data_path(name), channel_group(name)) for name in ARKIT_NAMES]
    if not lips:
        return shapes
    detail = [(f'["{name}"]', "Lip detail") for name in lip_properties(lips)]
    return shapes + detail + [(f'["{name}"]', "Lip contact") for name in CONTACT_PROPERTIES]


def add_curves(action: Any, paths: Sequence[tuple[str, str]]) -> None:
    """An empty F-curve in `action` for each path in its group, as `channels` gives them."""
    holder = curve_holder(action, "KEY")
    for path, group in paths:
        curve = holder.fcurves.new(path)
        curve.group = holder.groups.get(group) or holder.groups.new(group)


def find_curves(action: Any, lips: int = 0) -> list[Any]:
    """The F-curves of `action` in the order of `channels`, None where an artist removed one."""
    holder = curve_holder(action, "KEY")
    found = {} if holder is None else {curve.data_path: curve for curve in holder.fcurves}
    return [found.get(path) for path, _ in channels(lips)]


@dataclass(frozen=True)
class Motion:
    """Motion to key: values [n, C] of C channels at scene frames `first`, `first + 1`, ...

    `ended` when it is all. `units` [C] say what a channel's full range is; 1, as a shape's, without them.
    """

    values: Array
    first: int
    ended: bool = True
    units: Array | None = None

    def unit(self, column: int) -> float:
        """The full range of a channel."""
        return 1.0 if self.units is None else float(self.units[column])


def write_due(
    curves: Sequence[Any], motion: Motion, keying: Keying, deadline: float, marks: list[int] | None = None
) -> int:
    """Append the keys that `curves` lack, the shortest first, to one curve at least.

    It goes on as long as the next step should be done when `time.perf_counter()` is `deadline`. What a curve
    has is read from the curve, since undo may have taken keys away again. A frame with a key is left alone.

    Args:
        curves: C F-curves, None for those to leave alone.
        marks: frames that earlier calls wrote to each curve, which is kept up to date; a key behind them was
            put there by an artist. Without it the curves hold no such keys.

    Returns:
        How many of the n frames all curves hold now.
    """
    total = len(motion.values)
    marks = [total] * len(curves) if marks is None else marks
    present = {i: curve for i, curve in enumerate(curves) if curve is not None}
    written = {i: min(marks[i], _frames_written(curve, motion.first)) for i, curve in present.items()}
    slowest = 0.0
    while written:
        begin = time.perf_counter()
        i = min(written, key=written.__getitem__)
        stop = _next_stop(written[i], motion, keying, at_once=deadline == math.inf)
        if stop <= written[i] or (slowest and begin + slowest > deadline):
            break
        if keying.reduced:
            _append_bezier(curves[i], motion, i, (written[i], stop), keying.error * motion.unit(i))
        else:
            frames = np.arange(written[i], stop)
            append_linear(curves[i], motion.first + frames, motion.values[frames, i])
        written[i] = marks[i] = stop
        slowest = max(slowest, time.perf_counter() - begin)
    return min((*written.values(), total))


def _next_stop(written: int, motion: Motion, keying: Keying, at_once: bool) -> int:
    """The frame before which the next keys of a curve end; `written` when none are due.

    Whole blocks are reduced, when one more frame is known, which the slope at their end needs. With `at_once`
    motion that has ended is one block, since every block costs a rewrite of the curve.
    """
    total = len(motion.values)
    if not keying.reduced or (at_once and motion.ended):
        return total
    stop = written + _BLOCK_FRAMES
    if stop < total:
        return stop
    return total if motion.ended else written


def _frames_written(curve: Any, first: int) -> int:
    """Frames from `first` to the last generated key; those behind it are an artist's."""
    points = curve.keyframe_points
    for index in range(len(points) - 1, -1, -1):
        if points[index].type == "GENERATED":
            return max(0, round(float(points[index].co[0])) - first + 1)
    return 0


def _generated_key(curve: Any, frame: int) -> Any:
    """The generated key at `frame`, or None."""
    points = curve.keyframe_points
    for index in range(len(points) - 1, -1, -1):
        if points[index].co[0] <= frame + _SAME_FRAME:
            key = points[index]
            return key if key.co[0] >= frame - _SAME_FRAME and key.type == "GENERATED" else None
    return None


def append_linear(curve: Any, frames: Array, values: Array) -> None:
    """Add linear keys at `frames` [k], ascending.

    Their handles are automatic, so that an artist who turns them into Bézier keys gets a smooth curve.
    """
    keys = np.stack([frames, values], axis=1)
    enums = (_LINEAR, _GENERATED, _AUTO_CLAMPED, _AUTO_CLAMPED)
    _extend(curve, {"co": keys, "handle_left": keys, "handle_right": keys}, enums)


def _append_bezier(curve: Any, motion: Motion, column: int, span: tuple[int, int], error: float) -> None:
    """Add Bézier keys for frames span[0] to span[1] - 1, which go on from the key before, if there is one."""
    written, stop = span
    a = max(0, written - 1)
    before = min(1, a)  # one frame more on each side, where there is one, for the slopes
    values = motion.values[a - before : stop + 1, column].astype(np.float64)
    slope = reduction.slopes(values)[before : before + stop - a]
    values = values[before : before + stop - a]
    chosen = np.array(reduction.key_frames(values, slope, error))
    keys = np.stack([motion.first + a + chosen, values[chosen]], axis=1)  # [k, 2]
    thirds = np.diff(chosen, prepend=chosen[0] - 1, append=chosen[-1] + 1) / 3.0  # [k + 1]
    rise = np.stack([np.ones(len(chosen)), slope[chosen]], axis=1)
    left, right = keys - thirds[:-1, None] * rise, keys + thirds[1:, None] * rise
    before_key = _generated_key(curve, motion.first + a) if written else None
    if before_key is not None:
        before_key.handle_right = right[0]
    new = slice(1 if written else 0, None)
    enums = (_BEZIER, _GENERATED, _ALIGNED, _ALIGNED)
    _extend(curve, {"co": keys[new], "handle_left": left[new], "handle_right": right[new]}, enums)


def copy_keys(source: Any, target: Any) -> None:
    """Give `target`, which has no keys, those of `source`."""
    target.keyframe_points.add(len(source.keyframe_points))
    for name in (*_PAIRS, *_ENUMS, "easing"):
        target.keyframe_points.foreach_set(name, _read(source, name))
    target.update()


def rewrite(curve: Any, first: int, frames: Array, values: Array) -> None:
    """Give `curve` new values at some frames; the values of all other frames stay.

    Segments that a new value ends get a linear key on every frame. An artist's keys stay as they are.

    Args:
        first: scene frame of values[0].
        frames: [m] indices into `values`, ascending, of the frames that change.
        values: [n] new values.
    """
    known = _read(curve, "co")[::2]
    if not len(known):
        append_linear(curve, first + frames, values[frames])
        return
    dense = _touched(known, first + frames)
    now = sampled(curve, dense)
    changed = np.isin(dense, first + frames)
    now[changed] = values[dense[changed] - first]
    _move_generated(curve, known, dense, now)
    append_linear(curve, dense, now)


def _touched(known: Array, scene: Array) -> Array:
    """[k] whole frames from the key before to the key after each frame of `scene`, by key times `known`."""
    before = np.searchsorted(known, scene - _SAME_FRAME) - 1
    after = np.searchsorted(known, scene + _SAME_FRAME)
    last = len(known) - 1
    low = np.where(before >= 0, np.ceil(known[np.maximum(before, 0)] - _SAME_FRAME), scene)
    high = np.where(after <= last, np.floor(known[np.minimum(after, last)] + _SAME_FRAME), scene)
    low, counts = low.astype(int), (high - low).astype(int) + 1
    ends = np.cumsum(counts)
    frames: Array = np.unique(np.repeat(low - ends + counts, counts) + np.arange(ends[-1]))
    return frames


def sampled(curve: Any, frames: Array) -> Array:
    """[k] values of `curve` at whole `frames` [k]: those of its keys, evaluated between them."""
    if not len(curve.keyframe_points):
        return np.zeros(len(frames))
    times, heights = _read(curve, "co").reshape(-1, 2).T
    at = np.minimum(np.searchsorted(times, frames), len(times) - 1)
    values: Array = heights[at].astype(np.float64)
    for i in np.flatnonzero(times[at] != frames):
        values[i] = curve.evaluate(float(frames[i]))
    return values


def _move_generated(curve: Any, known: Array, dense: Array, now: Array) -> None:
    """Move the generated keys at `dense` frames to the values `now`, linear up to the next such frame."""
    at = np.minimum(np.searchsorted(dense, np.round(known)), len(dense) - 1)
    moved = np.abs(dense[at] - known) <= _SAME_FRAME
    moved &= _read(curve, "type") == _GENERATED
    rise = np.where(moved, now[at] - _read(curve, "co")[1::2], 0.0)
    for name in _PAIRS:
        pairs = _read(curve, name)
        pairs[1::2] += rise
        curve.keyframe_points.foreach_set(name, pairs)
    interpolation = _read(curve, "interpolation")
    interpolation[moved & np.isin(np.round(known) + 1, dense)] = _LINEAR
    curve.keyframe_points.foreach_set("interpolation", interpolation)


def _read(curve: Any, name: str) -> Array:
    """A property of all keys: [2 k] f32 for pairs, [k] i32 for enums."""
    points = curve.keyframe_points
    values = np.empty(2 * len(points), np.float32) if name in _PAIRS else np.empty(len(points), np.int32)
    points.foreach_get(name, values)
    return values


def _extend(curve: Any, pairs: Mapping[str, Array], enums: tuple[int, ...]) -> None:
    """Add keys: co and handles [k, 2], the same enums for all. Keys that are there keep all they have."""
    points = curve.keyframe_points
    free = _free(points, pairs["co"][:, 0])
    before, count = len(points), int(free.sum())
    arrays: dict[str, Array] = {}
    for name in _PAIRS:
        arrays[name] = np.empty(2 * (before + count), np.float32)
        arrays[name][2 * before :] = pairs[name][free].ravel()
    for name, number in zip(_ENUMS, enums, strict=True):
        arrays[name] = np.full(before + count, number, np.int32)
    for name, array in arrays.items():
        kept = _read(curve, name)
        array[: len(kept)] = kept
    points.add(count)
    for name, array in arrays.items():
        points.foreach_set(name, array)
    curve.update()


def _free(points: Any, frames: Array) -> Array:
    """Which of `frames` [k], ascending, have no key yet: [k] bool."""
    free = np.ones(len(frames), bool)
    if len(frames) == 0 or len(points) == 0 or points[-1].co[0] < frames[0] - _SAME_FRAME:
        return free
    pairs = np.empty(2 * len(points), np.float32)
    points.foreach_get("co", pairs)
    held = pairs[::2]
    low = np.searchsorted(held, frames - _SAME_FRAME)
    return np.asarray(low == np.searchsorted(held, frames + _SAME_FRAME, side="right"))
