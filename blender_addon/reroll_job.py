"""Another variation of what is one-to-many: brows, lids, cheeks and nose of a take that is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .job import Desk, Notice
from .protocol.arkit import ARKIT_NAMES, OTHER_NAMES, OTHER_SHAPES
from .protocol.clip import MotionClip, spoken_weights
from .protocol.errors import CancelledError, FileFormatError
from .protocol.tensorfile import Array
from .scene import curves
from .take_job import TakeJob, TakeRemovedError

_FADE_SECONDS = 0.2  # from the old motion to the new at the ends of a range; our choice
_EDITED = 0.012  # farther from the computed motion a key was moved by hand; reduced keys stray by 0.005


@dataclass(frozen=True)
class Span:
    """Frames `first` to `stop` - 1 of a clip."""

    first: int
    stop: int


@dataclass(kw_only=True)
class RerollJob(TakeJob):
    """Keys the brows' channels of `span` from motion with another seed; all other keys stay as they are.

    Attributes:
        before: the take's clip; what differs from it was edited by hand and stays too.
        note: how the new brows were asked for, for the clip's header.
    """

    before: MotionClip
    span: Span
    note: Mapping[str, Any]
    spoken: Array = field(init=False)
    after: Array = field(default_factory=lambda: np.zeros((0, 52), np.float32))
    waiting: list[str] = field(default_factory=lambda: list(OTHER_NAMES))
    changed: int = 0

    def __post_init__(self) -> None:
        self.spoken = spoken_weights(self.before)

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Keep the header, and mix old and new."""
        super().conclude(result)
        if self.motion.frames != self.before.frames:
            raise FileFormatError(
                f"the sound gives {self.motion.frames} frames, the take's clip has {self.before.frames}",
                "Animate the voice again: its sound has changed",
            )
        self.after = mixed(self.spoken, self.motion.values(0), self.span, self.fps)

    def key(self, head: Any, take: Any, deadline: float) -> bool:
        """Key one channel; nothing before all the motion is there, and nothing when it failed."""
        if not self.ended or self.error is not None or take.action is None or not self.waiting:
            return True
        done = len(OTHER_NAMES) - len(self.waiting)
        self.phase, self.fraction = "Keying", done / len(OTHER_NAMES)
        shape = ARKIT_NAMES.index(self.waiting[0])
        curve = curves.find_curves(take.action)[shape]
        if curve is not None:
            self.changed = max(self.changed, self._rekey(curve, shape))
        self.waiting.pop(0)
        if not self.waiting:
            take.action.update_tag()
        return not self.waiting

    def _rekey(self, curve: Any, shape: int) -> int:
        """Give the curve of a shape its new values; how many frames changed."""
        before, after, first = self.spoken[:, shape], self.after[:, shape], self.line.first_frame
        now = np.array([curve.evaluate(first + frame) for frame in range(len(before))])
        edited = np.abs(now - before) > _EDITED
        frames = np.flatnonzero((after != before) & ~edited)
        if len(frames):
            curves.rewrite(curve, first, frames, after)
        return len(frames)

    def finish(self, desk: Desk, head: Any, take: Any) -> bool:
        """Store the clip with its new brows."""
        remark: str | None = ""
        if self.error is None:
            remark = self.store(desk, take)
        if remark is None:
            return False
        self.notice = self._ending(remark)
        return True

    def rescue(self, desk: Desk) -> str:
        """Save the clip once its new brows are known; before, nothing is lost."""
        return super().rescue(desk) if len(self.after) else ""

    def clip(self) -> MotionClip:
        """The take's clip with the new brows; its header says which frames have which seed."""
        weights = self.before.weights.copy()
        weights[:, OTHER_SHAPES] = self.after[:, OTHER_SHAPES]
        layers = dict(self.before.layers)
        came = self.motion.clip(self.before.info).layers
        if "brows" in layers and "brows" in came:
            old, new = layers["brows"]["weights"], came["brows"]["weights"]
            layers["brows"] = {**layers["brows"], "weights": mixed(old, new, self.span, self.fps)}
        edited = dict(self.before.info.edited)
        edited["brows"] = [
            *edited.get("brows", ()),
            {**self.note, "frames": [self.span.first, self.span.stop]},
        ]
        return replace(
            self.before, weights=weights, layers=layers, info=replace(self.before.info, edited=edited)
        )

    def _ending(self, remark: str) -> Notice:
        name, tail = f"take {self.take_name}", f"; {remark}" if remark else ""
        match self.error:
            case None if not self.changed:
                return Notice("WARNING", f"{name}: its brows were all edited by hand, so they stay{tail}")
            case None:
                level = "WARNING" if tail else "INFO"
                return Notice(level, f"{name}: new brows on {self.changed} frames{tail}")
            case CancelledError():
                return Notice("INFO", f"{name}: cancelled, its brows stay as they were")
            case TakeRemovedError():
                return Notice("WARNING", f"{self.error.what}, so its job was stopped")
            case error:
                return Notice("ERROR", f"{error} ({name}: its brows stay as they were)")


def mixed(before: Array, after: Array, span: Span, fps: float) -> Array:
    """[F, 52] `after` within `span`, `before` outside, with a smooth change inside the span's ends.

    There is none where the span ends with the motion.
    """
    frames = np.arange(len(before))
    share = ((frames >= span.first) & (frames < span.stop)).astype(np.float32)
    fade = _FADE_SECONDS * fps
    if span.first > 0:
        share *= np.clip((frames - span.first + 1) / fade, 0, 1)
    if span.stop < len(before):
        share *= np.clip((span.stop - frames) / fade, 0, 1)
    share = (share * share * (3.0 - 2.0 * share)).astype(np.float32)
    result: Array = before + share[:, None] * (after - before)
    return result
