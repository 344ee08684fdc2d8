"""Other values for keys that were computed; keys that an artist set or moved stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..protocol.tensorfile import Array
from . import curves, files
from .head_pose import pose_target
from .layers import HEAD, LAYERS, Sums, keyed_strengths, locked_groups, shape_group, sums, wanted_strengths
from .takes import pose_curves

EDITED = 0.012  # of the full range; farther off a key was moved by hand: reduced keys stray by 0.005


@dataclass(frozen=True)
class Change:
    """A channel that gets other values.

    Attributes:
        posed: whether it is one of the head pose's target, else an ARKit shape.
        column: its number among those.
        before, after: [F] computed values.
        tolerance: farther from `before` a frame was edited.
    """

    posed: bool
    column: int
    before: Array
    after: Array
    tolerance: float


def changes(head: Any, take: Any, old: Sums, new: Sums) -> list[Change]:
    """The channels of `take` that differ between `old` and `new`, but for those of locked groups."""
    locked = locked_groups(take)
    found = [
        Change(False, column, old.weights[:, column], new.weights[:, column], EDITED)
        for column in np.flatnonzero((old.weights != new.weights).any(axis=0))
        if shape_group(column) not in locked
    ]
    target = pose_target(head) if HEAD not in locked and len(old.pose) else None
    if target is None or np.array_equal(old.pose, new.pose):
        return found
    before, after = target.values(old.pose), target.values(new.pose)
    return found + [
        Change(True, column, before[:, column], after[:, column], EDITED * float(target.units[column]))
        for column in range(before.shape[1])
    ]


def rekey(head: Any, take: Any, change: Change) -> int:
    """Make `change` where the take's keys are as computed; how many frames changed."""
    found = pose_curves(take, pose_target(head)) if change.posed else curves.find_curves(take.action)
    curve, first = found[change.column], take.start_frame
    if curve is None:
        return 0
    now = curves.sampled(curve, first + np.arange(len(change.before)))
    edited = np.abs(now - change.before) > change.tolerance
    frames = np.flatnonzero((change.after != change.before) & ~edited)
    if len(frames):
        curves.rewrite(curve, first, frames, change.after)
    return len(frames)


def apply_strengths(head: Any, take: Any) -> int:
    """Give `take` the strengths that its sliders say; how many frames changed at most on a channel.

    Raises:
        InputError: its clip, which has the layers, is gone.
    """
    old, new = keyed_strengths(take), wanted_strengths(take)
    if old == new or not (take.clip_path or take.clip_data):
        return 0
    clip = files.take_clip(take)
    changed = [rekey(head, take, change) for change in changes(head, take, sums(clip, old), sums(clip, new))]
    take.keyed_strengths = [new[layer] for layer in LAYERS]
    tag(take)
    return max(changed, default=0)


def tag(take: Any) -> None:
    """Let playback see changed keys."""
    for action in filter(None, (take.action, take.pose_action)):
        action.update_tag()
