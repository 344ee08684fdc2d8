"""A head's emotions: one intensity each, which an artist keys, added to the speech.

An intensity is a custom property of the Key data-block, so that a take's Action holds it with the 52 shapes.
It drives shape keys that are mixes of the head's own ARKit keys: `emotion.<name>`, and
`emotion.<name>.<part>` for the parts of the mouth that make way for speech. Their drivers say what
`make_way` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..protocol.arkit import ARKIT_NAMES, sided_indices
from ..protocol.controls import EMOTION_NAMES
from ..protocol.emotions import (
    BUSY,
    CLOSING,
    CORNERS,
    JAW_SHARE,
    OPEN,
    PARTING,
    ROUND_SHARE,
    SPOKEN,
    emotion_poses,
    make_way,
)
from ..protocol.tensorfile import Array
from .compat import curve_holder
from .curves import append_linear, data_path
from .drivers import LETTERS, drive
from .lip_keys import CONTACT_PROPERTIES

EMOTION_PROPERTIES: tuple[str, ...] = tuple(f"emotion.{name}" for name in EMOTION_NAMES)
_GROUP = "Emotion"
_CONTACTS = tuple(f'["{name}"]' for name in CONTACT_PROPERTIES)


@dataclass(frozen=True)
class _Part:
    """Shapes that make way alike: the driver's expression of a, the intensity, and b, c, ... at `paths`."""

    shapes: tuple[str, ...]
    paths: tuple[str, ...]
    expression: str


def _values(*shapes: str) -> tuple[str, ...]:
    """Paths of the values of ARKit shapes; a name without a side stands for both."""
    return tuple(data_path(ARKIT_NAMES[column]) for column in sided_indices(*shapes))


_SPOKEN = _values(*SPOKEN)
_BUSY = ", ".join(LETTERS[1 + len(_CONTACTS) :][: len(_SPOKEN)])
_APART = "(1 - min(1, max(b, c)))"
_PARTS: Mapping[str, _Part] = {
    "parting": _Part(PARTING, _CONTACTS, f"a * {_APART}"),
    "closing": _Part(
        CLOSING,
        (*_CONTACTS, *_values("jawOpen", "mouthClose")),
        f"a * (1 - min(1, max(0, (d - e) / {OPEN})) * {_APART})",
    ),
    "corners": _Part(
        CORNERS,
        _values("mouthPucker", "mouthFunnel"),
        f"a * (1 - {ROUND_SHARE} * min(1, max(0, b + 0.5 * c)))",
    ),
    "jaw": _Part(
        ("jawOpen",),
        (*_CONTACTS, *_SPOKEN),
        f"a * {_APART} * (1 - {1.0 - JAW_SHARE:g} * min(1, max(0, {_BUSY}) / {BUSY}))",
    ),
}
_WHOLE = _Part((), (), "a")


def has_emotions(head: Any) -> bool:
    """True for a head with emotion intensities."""
    key = head.data.shape_keys
    return key is not None and all(name in key for name in EMOTION_PROPERTIES)


def add_emotion_keys(head: Any) -> None:
    """Add the intensities and their shape keys to `head`, which has ARKit keys."""
    key = head.data.shape_keys
    for name in CONTACT_PROPERTIES:
        if name not in key:  # a head without lip keys
            key[name] = 0.0
    for emotion, intensity in zip(EMOTION_NAMES, EMOTION_PROPERTIES, strict=True):
        key[intensity] = 0.0
        key.id_properties_ui(intensity).update(
            min=0.0, max=1.0, description=f"How {emotion} the face is, on top of the speech"
        )
    for name, mix in emotion_mixes().items():
        intensity = ".".join(name.split(".")[:2])
        _add_key(head, name, mix, intensity, _PARTS.get(name.removeprefix(f"{intensity}."), _WHOLE))


def emotion_mixes() -> dict[str, Array]:
    """[52] f32 the ARKit weights that each emotion's shape keys are made of, by the key's name."""
    mixes = {}
    for intensity, pose in zip(EMOTION_PROPERTIES, emotion_poses(), strict=True):
        rest = pose.copy()
        for name, part in _PARTS.items():
            columns = sided_indices(*part.shapes)
            own = np.zeros_like(pose)
            own[columns], rest[columns] = pose[columns], 0.0
            if own.any():
                mixes[f"{intensity}.{name}"] = own
        mixes[intensity] = rest
    return mixes


def _add_key(head: Any, name: str, mix: Array, intensity: str, part: _Part) -> None:
    """A driven shape key: the head's ARKit keys by the weights `mix` [52]."""
    key = head.data.shape_keys
    rest = _points(key.reference_key)
    moved = rest.copy()
    for column in np.flatnonzero(mix):
        block = key.key_blocks.get(ARKIT_NAMES[column])
        if block is not None:  # an artist may have removed it
            moved += mix[column] * (_points(block) - rest)
    block = head.shape_key_add(name=name, from_mix=False)
    block.value = 0.0
    block.points.foreach_set("co", moved)
    drive(block.driver_add("value"), key, (f'["{intensity}"]', *part.paths), part.expression)


def _points(block: Any) -> Array:
    """[3 V] f32 coordinates of a shape key."""
    flat = np.empty(3 * len(block.points), np.float32)
    block.points.foreach_get("co", flat)
    return flat


def emotion_channels(head: Any) -> list[tuple[str, str]]:
    """Animation path and group of each intensity, seen from the Key data-block; none for a head without."""
    return [(f'["{name}"]', _GROUP) for name in EMOTION_PROPERTIES] if has_emotions(head) else []


def emotion_curves(action: Any) -> dict[str, Any]:
    """The intensities' curves in `action` that have keys, by property name."""
    holder = None if action is None else curve_holder(action, "KEY")
    paths = {f'["{name}"]': name for name in EMOTION_PROPERTIES}
    curves = () if holder is None else holder.fcurves
    return {paths[c.data_path]: c for c in curves if c.data_path in paths and len(c.keyframe_points)}


def emotion_motion(head: Any, action: Any, frames: range, speech: Array, contact: Array) -> Array:
    """[n, 52] what the emotions add to `speech` [n, 52] on `frames`, where the contact is [n, 2].

    An intensity without keys is what its slider says.
    """
    key, keyed = head.data.shape_keys, emotion_curves(action)
    intensities = np.zeros((len(frames), len(EMOTION_NAMES)), np.float32)
    for column, name in enumerate(EMOTION_PROPERTIES):
        curve = keyed.get(name)
        still = float(key.get(name, 0.0))
        intensities[:, column] = still if curve is None else [curve.evaluate(frame) for frame in frames]
    return make_way(intensities @ emotion_poses(), speech, contact)


def key_emotions(
    action: Any, emotions: Mapping[str, Sequence[tuple[float, float]]], first: int, fps: float
) -> None:
    """Key intensities in `action`: name -> (seconds, intensity), joined linearly, from frame `first` on."""
    holder = curve_holder(action, "KEY")
    for name, keys in emotions.items():
        curve = holder.fcurves.find(f'["emotion.{name}"]')
        at = np.array([first + fps * time for time, _ in keys])
        append_linear(curve, at, np.array([intensity for _, intensity in keys]))


def reset_emotions(head: Any, action: Any) -> None:
    """Intensities at 0 that `action` had keys for: they belong to it. Others stay as they were set."""
    for name in emotion_curves(action):
        head.data.shape_keys[name] = 0.0
