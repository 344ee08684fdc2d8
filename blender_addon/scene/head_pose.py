"""A clip's head pose as channels: of the head's own neck and head bones, of another rig's, of an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mathutils import Matrix

from ..protocol.errors import InputError
from ..protocol.face import NECK_SHARE
from ..protocol.tensorfile import Array
from .head_bones import HEAD, NECK, add_strengths, has_strengths
from .rotations import euler_angles, rotation_matrices

GROUP = "Head"
ROTATION_UNIT, LOCATION_UNIT = 0.2, 0.02  # radians, metres: what counts as a full range; our choice
_EULER = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


@dataclass(frozen=True)
class Joint:
    """A bone or an object that takes a part of a head pose.

    The turn Q of its part, in the head's axes, becomes `before` Q `after`; a shift d becomes
    `rest` + `place` d.

    Attributes:
        path: what stands before `rotation_euler` and `location` in an animation path.
        order: Euler order.
        share, parent_share: of the pose that it ends up with, and that its parent has already.
        before, after, place: [3, 3].
        rest: [3] location without a pose.
        swing: [3] from the joint to the pivot, metres in the head's axes; 0 where a constraint sees to it.
        moves: whether its location is keyed.
    """

    path: str
    order: str
    share: float
    parent_share: float
    before: Array
    after: Array
    place: Array
    rest: Array
    swing: Array
    moves: bool

    @property
    def channels(self) -> list[tuple[str, int]]:
        """Animation path and index of each channel: three angles, and the location if it moves."""
        paths = ("rotation_euler", "location") if self.moves else ("rotation_euler",)
        return [(f"{self.path}{name}", index) for name in paths for index in range(3)]

    def values(self, pose: Array, before: Array | None) -> Array:
        """[n, 6] or [n, 3] values of the channels for `pose` [n, 6], after the values `before`."""
        part, known = self.share - self.parent_share, None if before is None else before[:3]
        turn = rotation_matrices(part * pose[:, :3])
        angles = euler_angles(self.before @ turn @ self.after, self.order, known)
        if not self.moves:
            return angles
        parent = rotation_matrices(-self.parent_share * pose[:, :3])
        shift = np.einsum("nij,nj->ni", parent, part * pose[:, 3:]) + self.swing - turn @ self.swing
        return np.hstack([angles, self.rest + shift @ self.place.T])


@dataclass(frozen=True)
class PoseTarget:
    """What a head pose is keyed on: an armature's or another object's `joints`."""

    owner: Any
    joints: tuple[Joint, ...]

    @property
    def channels(self) -> list[tuple[str, int]]:
        """Animation path and index of each channel, seen from the owner."""
        return [channel for joint in self.joints for channel in joint.channels]

    @property
    def units(self) -> Array:
        """[C] what one channel's full range is taken for, radians or metres."""
        rotates = ["rotation_euler" in path for path, _ in self.channels]
        return np.where(rotates, ROTATION_UNIT, LOCATION_UNIT)

    def values(self, pose: Array, before: Array | None = None) -> Array:
        """[n, C] f32 values of the channels for `pose` [n, 6], after the values `before` [C]."""
        columns, start = [], 0
        for joint in self.joints:
            stop = start + len(joint.channels)
            known = None if before is None else before[start:stop]
            columns.append(joint.values(pose.astype(np.float64), known))
            start = stop
        return np.hstack(columns).astype(np.float32)


def pose_target(head: Any) -> PoseTarget | None:
    """What the head pose of `head` is keyed on: the object that its settings name, else its own rig.

    None for a head that has neither.

    Raises:
        InputError: the object or its bones cannot take a pose.
    """
    settings = head.vividtalk
    chosen, rig = settings.pose_target, settings.armature
    if chosen is None:
        return None if rig is None else _own_rig(rig)
    if chosen.type == "ARMATURE" and chosen != rig:
        return _other_rig(chosen, settings.neck_bone, settings.head_bone)
    return _own_rig(rig) if chosen == rig else _object(head, chosen)


def _own_rig(rig: Any) -> PoseTarget | None:
    """The neck takes its share of the pose, the head all of it, both about the face's pivot."""
    if not has_strengths(rig):
        add_strengths(rig)
    bones = rig.pose.bones
    found = [(bones[name], share) for name, share in ((NECK, NECK_SHARE), (HEAD, 1.0)) if name in bones]
    if not found:
        return None
    return PoseTarget(rig, _chain(found))


def _other_rig(rig: Any, neck: str, head: str) -> PoseTarget:
    """Bones of an armature that looks along -Y at rest; each turns about its own joint."""
    for name in filter(None, (neck, head)):
        if name not in rig.pose.bones:
            raise InputError(f"{rig.name} has no bone {name!r}", "Name its head bone in the panel Head")
        if rig.pose.bones[name].rotation_mode not in _EULER:
            raise InputError(f"the bone {name} does not turn by Euler angles", "Set its rotation mode to XYZ")
    if not head:
        raise InputError(f"no head bone of {rig.name} is named", "Name it in the panel Head")
    found = [(rig.pose.bones[name], share) for name, share in ((neck, NECK_SHARE), (head, 1.0)) if name]
    if neck and found[0][0] not in found[1][0].parent_recursive:
        raise InputError(f"the bone {head} does not hang on {neck}", "Leave the neck empty, or name another")
    return PoseTarget(rig, _chain(found))


def _chain(bones: list[tuple[Any, float]]) -> tuple[Joint, ...]:
    joints, had = [], 0.0
    for bone, share in bones:
        axes = np.array(bone.bone.matrix_local)[:3, :3]
        name = bone.name.replace("\\", "\\\\").replace('"', '\\"')
        joints.append(
            Joint(
                path=f'pose.bones["{name}"].',
                order=bone.rotation_mode,
                share=share,
                parent_share=had,
                before=axes.T,
                after=axes,
                place=axes.T,
                rest=np.zeros(3),
                swing=np.zeros(3),
                moves=not bone.bone.use_connect,
            )
        )
        had = share
    return tuple(joints)


def _object(head: Any, chosen: Any) -> PoseTarget:
    """An object about its own origin, on top of where it was when it was chosen."""
    if chosen.rotation_mode not in _EULER:
        raise InputError(f"{chosen.name} does not turn by Euler angles", "Set its rotation mode to XYZ")
    rest = rest_matrix(head)
    place, turn, _ = rest.decompose()
    joint = Joint(
        path="",
        order=chosen.rotation_mode,
        share=1.0,
        parent_share=0.0,
        before=np.array(turn.to_matrix()),
        after=np.eye(3),
        place=np.array(rest.to_3x3()),
        rest=np.array(place),
        swing=np.array(head.vividtalk.pivot) if chosen == head else np.zeros(3),
        moves=True,
    )
    return PoseTarget(chosen, (joint,))


def rest_matrix(head: Any) -> Matrix:
    """Where the chosen object was when it was chosen."""
    return _matrix(head.vividtalk.pose_rest)


def _matrix(flat: Any) -> Matrix:
    return Matrix([flat[4 * row : 4 * row + 4] for row in range(4)])


def remember_rest(head: Any) -> None:
    """Take where the chosen object is now for its rest; for one that a take moves, that take's."""
    settings, chosen = head.vividtalk, head.vividtalk.pose_target
    if chosen is None:
        return
    known = (take.pose_rest for take in settings.takes if take.pose_owner == chosen)
    settings.pose_rest = next(known, [number for row in chosen.matrix_basis for number in row])


def reset_pose(take: Any, paths: set[str]) -> None:
    """Put what `paths` of `take` animate to rest."""
    owner = take.pose_owner
    if "rotation_euler" in paths:
        owner.matrix_basis = _matrix(take.pose_rest)
    for bone in owner.pose.bones if owner.pose else ():
        if any(path.startswith(f'pose.bones["{bone.name}"].') for path in paths):
            bone.rotation_euler = bone.location = (0.0, 0.0, 0.0)
