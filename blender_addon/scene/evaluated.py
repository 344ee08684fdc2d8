"""A take's motion as it plays now, with edits and emotions: what lips are solved for and others are given."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..protocol.arkit import ARKIT_NAMES
from ..protocol.errors import InputError
from ..protocol.tensorfile import Array
from .curves import Motion, channels, find_curves
from .emotion_keys import emotion_motion, has_emotions
from .lip_keys import CONTACT_PROPERTIES, lip_count

_SHAPES, _CONTACTS = len(ARKIT_NAMES), len(CONTACT_PROPERTIES)


def spoken_motion(head: Any, take: Any) -> Motion:
    """The curves of `take` on every frame that it has keys for, by the `channels` of `head`.

    Emotions are not in them. A channel whose curve was removed stays as its slider is.

    Raises:
        InputError: the take has no keys.
    """
    lips, frames = lip_count(head), keyed_frames(head, take)
    key, found = head.data.shape_keys, find_curves(take.action, lips)
    paths = [path for path, _ in channels(lips)]
    columns = [_values(key, path, curve, frames) for path, curve in zip(paths, found, strict=True)]
    return Motion(np.stack(columns, 1), frames.start)


def keyed_frames(head: Any, take: Any) -> range:
    """From the first to the last frame that `take` has keys for. Raises `InputError` when it has none."""
    found = find_curves(take.action, lip_count(head)) if take.action is not None else []
    keyed = [curve for curve in found if curve is not None and len(curve.keyframe_points)]
    if not keyed:
        raise InputError(f"the take {take.name!r} has no keys", "Animate it first, or choose another take")
    first = math.floor(min(curve.keyframe_points[0].co[0] for curve in keyed))
    last = math.ceil(max(curve.keyframe_points[-1].co[0] for curve in keyed))
    return range(first, last + 1)


def evaluated_motion(head: Any, take: Any) -> Motion:
    """`spoken_motion` with what the emotions add to the 52 weights, which stay below 1 where speech does."""
    spoken = spoken_motion(head, take)
    if not has_emotions(head):
        return spoken
    count, values = len(spoken.values), spoken.values.copy()
    contact = values[:, -_CONTACTS:] if lip_count(head) else np.zeros((count, _CONTACTS))
    frames = range(spoken.first, spoken.first + count)
    weights = values[:, :_SHAPES]
    added = emotion_motion(head, take.action, frames, weights, contact)
    values[:, :_SHAPES] = np.minimum(weights + added, np.maximum(weights, 1.0))
    return replace(spoken, values=values)


def _values(key: Any, path: str, curve: Any, frames: range) -> Array:
    """[n] a channel on `frames`."""
    if curve is not None and len(curve.keyframe_points):
        return np.array([curve.evaluate(frame) for frame in frames])
    try:
        return np.full(len(frames), float(key.path_resolve(path)))
    except ValueError:  # the shape key is gone too
        return np.zeros(len(frames))
