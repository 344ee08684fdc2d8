"""Another variation of what is one-to-many: brows, blinks, gaze and head motion of a take that is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .job import Desk, Notice, UndoneError
from .protocol.clip import POSE_CODE_STRIDE, MotionClip
from .protocol.controls import controls_from_json
from .protocol.errors import CancelledError, FileFormatError
from .protocol.mixing import mixed_gaze, mixed_pose, mixed_weights
from .protocol.tensorfile import Array
from .scene.layers import keyed_strengths, sums
from .scene.rekey import Change, changes, rekey, tag
from .take_job import TakeJob

# What can be rerolled: the layer that holds it, and its tensors.
PARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "head": ("speech", ("pose",)),
    "gaze": ("gaze", ("weights", "gaze")),
    "blinks": ("blink", ("weights",)),
    "brows": ("brows", ("weights",)),
}
_FADE_SECONDS = 0.2  # from the old motion to the new at the ends of a range; our choice
_POSE_FADE_FRAMES, _POSE_FADE_SECONDS = 10, 1.0 / 3.0  # a head is heavy: at least both; our choice


@dataclass(frozen=True)
class Span:
    """Frames `first` to `stop` - 1 of a clip."""

    first: int
    stop: int


@dataclass(kw_only=True)
class RerollJob(TakeJob):
    """Keys `parts` of a take within `span` from motion with another seed; all other keys stay as they are.

    Attributes:
        before: the take's clip; what differs from it was edited by hand and stays too.
        parts: names of `PARTS`.
        note: how the new motion was asked for, for the clip's header.
    """

    before: MotionClip
    parts: tuple[str, ...]
    span: Span
    note: Mapping[str, Any]
    after: MotionClip | None = None
    waiting: list[Change] | None = None
    changed: int = 0
    planned: int = field(default=0, init=False)

    @property
    def what(self) -> str:
        """What is rerolled, in words."""
        return " and ".join(filter(None, (", ".join(self.parts[:-1]), self.parts[-1])))

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Keep the header, and mix old and new."""
        super().conclude(result)
        if self.motion.frames != self.before.frames:
            raise FileFormatError(
                f"the sound gives {self.motion.frames} frames, the take's clip has {self.before.frames}",
                "Animate the voice again: its sound has changed",
            )
        came = self.motion.clip(self.before.info)
        self.after = mixed_clip(self.before, came, self.parts, self.span)

    def key(self, head: Any, take: Any, deadline: float) -> bool:
        """Key one channel; nothing before all the motion is there, and nothing when it failed."""
        if not self.ended or self.after is None or self.error is not None or take.action is None:
            return True
        if self.waiting is None:
            strengths = keyed_strengths(take)
            old, new = sums(self.before, strengths), sums(self.after, strengths)
            self.waiting = changes(head, take, old, new)
            self.planned = len(self.waiting)
        if self.waiting:
            self.phase, self.fraction = "Keying", 1.0 - len(self.waiting) / self.planned
            self.changed = max(self.changed, rekey(head, take, self.waiting.pop(0)))
            tag(take)
        return not self.waiting

    def finish(self, desk: Desk, head: Any, take: Any) -> bool:
        """Store the clip with what is new."""
        remark: str | None = ""
        if self.error is None:
            remark = self.store(desk, take)
        if remark is None:
            return False
        self.notice = self._ending(remark)
        return True

    def rescue(self, desk: Desk) -> str:
        """Save the clip once what is new is known; before, nothing is lost."""
        return "" if self.after is None else super().rescue(desk)

    def clip(self) -> MotionClip:
        """The take's clip with what is new; its header says which frames have which seed."""
        after = self.before if self.after is None else self.after
        edited = dict(after.info.edited)
        for part in self.parts:
            entry = {**self.note, "frames": [self.span.first, self.span.stop]}
            edited[part] = [*edited.get(part, ()), entry]
        return replace(after, info=replace(after.info, edited=edited))

    def _ending(self, remark: str) -> Notice:
        name, tail = f"take {self.take_name}", f"; {remark}" if remark else ""
        match self.error:
            case None if not self.planned:
                return Notice("WARNING", f"{name}: nothing that may change differs with this seed{tail}")
            case None if not self.changed:
                return Notice("WARNING", f"{name}: all its {self.what} were edited by hand and stay{tail}")
            case None:
                level = "WARNING" if tail else "INFO"
                return Notice(level, f"{name}: new {self.what} on {self.changed} frames{tail}")
            case CancelledError():
                return Notice("INFO", f"{name}: cancelled, its keys stay as they were")
            case UndoneError():
                return Notice("WARNING", f"{self.error.what}, so its job was stopped")
            case error:
                return Notice("ERROR", f"{error} ({name}: its keys stay as they were)")


def mixed_clip(before: MotionClip, came: MotionClip, parts: tuple[str, ...], span: Span) -> MotionClip:
    """`before` with `parts` of `came` within `span`.

    Raises:
        FileFormatError: one of the two lacks a part.
    """
    layers = {name: dict(tensors) for name, tensors in before.layers.items()}
    for part in parts:
        layer, names = PARTS[part]
        for name in names:
            old, new = layers.get(layer, {}).get(name), came.layers.get(layer, {}).get(name)
            if old is None or new is None:
                whose = "the take's clip has" if old is None else "the backend sent"
                raise FileFormatError(f"{whose} no {part} layer", "Animate the voice again")
            fade = pose_share if name == "pose" else weight_share
            share = fade(len(old), span, before.info.fps)[:, None]
            layers[layer][name] = (old + share * (new - old)).astype(np.float32)
    head = controls_from_json(before.info.controls).head
    old, new = mixed_weights(before.layers, head), mixed_weights(layers, head)
    weights = np.where(new != old, new, before.weights)
    pose = mixed_pose(layers, head) if "head" in parts else before.pose
    gaze = mixed_gaze(layers, weights) if len(before.gaze) else before.gaze
    codes = before.pose_codes.copy()
    if "head" in parts and len(codes) == len(came.pose_codes):
        at = POSE_CODE_STRIDE * np.arange(len(codes))
        within = (at >= span.first) & (at < span.stop)
        codes[within] = came.pose_codes[within]
    return replace(before, weights=weights, pose=pose, gaze=gaze, pose_codes=codes, layers=layers)


def weight_share(frames: int, span: Span, fps: float) -> Array:
    """[frames] how much is new: 1 within `span`, 0 outside, with a smooth change inside the span's ends."""
    ramp = _ramp(frames, span, _FADE_SECONDS * fps)
    return ramp * ramp * (3.0 - 2.0 * ramp)


def pose_share(frames: int, span: Span, fps: float) -> Array:
    """[frames] as `weight_share`, over 10 frames or a third of a second, without a jerk at its ends."""
    ramp = _ramp(frames, span, max(_POSE_FADE_FRAMES, _POSE_FADE_SECONDS * fps))
    return ramp**3 * (10.0 - 15.0 * ramp + 6.0 * ramp * ramp)


def _ramp(frames: int, span: Span, fade: float) -> Array:
    """[frames] rises from 0 before the span to 1 within `fade` frames; not where it ends with the motion.

    A span too short for two changes has shorter ones.
    """
    at = np.arange(frames)
    ends = int(span.first > 0) + int(span.stop < frames)
    fade = min(fade, (span.stop - span.first + 1) / max(ends, 1))
    ramp = ((at >= span.first) & (at < span.stop)).astype(np.float64)
    if span.first > 0:
        ramp *= np.clip((at - span.first + 1) / fade, 0, 1)
    if span.stop < frames:
        ramp *= np.clip((span.stop - at) / fade, 0, 1)
    return ramp
