"""Head pose into F-curves, as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..protocol.tensorfile import Array
from . import curves
from .curves import Keying, Motion
from .head_pose import PoseTarget
from .takes import pose_curves


@dataclass
class HeadTrack:
    """The channels of a head pose, frame after frame, and how far each is keyed.

    Attributes:
        values: [n, C] f32 values of the target's channels.
        marks: as `curves.write_due` keeps them.
    """

    values: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    marks: list[int] = field(default_factory=list)

    def extend(self, target: PoseTarget, pose: Array) -> None:
        """Take in the frames of `pose` [m, 6] beyond those that are here."""
        done = len(self.values)
        if done == len(pose):
            return
        new = target.values(pose[done:], self.values[-1] if done else None)
        self.values = np.vstack([self.values, new]) if done else new
        self.marks = self.marks or [0] * new.shape[1]

    def write(self, take: Any, target: PoseTarget, motion: Motion, keying: Keying, deadline: float) -> int:
        """Key `motion`, which holds `values`, on `take` as `curves.write_due` does; how many frames are."""
        return curves.write_due(pose_curves(take, target), motion, keying, deadline, self.marks)

    def motion(self, target: PoseTarget, first: int, ended: bool = True) -> Motion:
        """The values as motion from scene frame `first` on."""
        return Motion(self.values, first, ended, target.units)
