"""Takes: several animations of one head, each an Action of its own, of which one plays."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import bpy

from ..protocol.arkit import ARKIT_NAMES
from . import curves
from .compat import add_animated, assign_action, curve_holder, new_action, slot_handle
from .emotion_keys import emotion_channels, emotion_curves, reset_emotions
from .head_pose import GROUP, PoseTarget, pose_target, reset_pose
from .layers import HEAD, channel_groups, locked_groups
from .lip_keys import lip_count, reset_lips


def new_take(head: Any, name: str, seed: int) -> Any:
    """Add a take with an empty F-curve per channel to `head`, let it play, and return it.

    Actions that an artist made by hand are kept as a take of their own.

    Raises:
        InputError: the object that is to take the head pose cannot.
    """
    settings, target = head.vividtalk, pose_target(head)
    _adopt_own_actions(head, None if target is None else target.owner)
    take = settings.takes.add()
    take.uid = uuid.uuid4().hex
    take.seed = take.rerolled_seed = seed
    action = new_action(name, head.data.shape_keys)
    action.use_fake_user = True
    curves.add_curves(action, curves.channels(lip_count(head)) + emotion_channels(head))
    take.action = action
    if target is not None:
        _add_pose_curves(take, target)
        take.pose_rest = settings.pose_rest
    take.name = action.name
    settings.active_take = len(settings.takes) - 1
    return take


def _add_pose_curves(take: Any, target: PoseTarget) -> None:
    """Empty F-curves of the head pose: in the take's Action where Actions have slots, else in another."""
    take.pose_owner = target.owner
    take.pose_action, take.pose_slot = add_animated(take.action, target.owner)
    take.pose_action.use_fake_user = True
    holder = pose_holder(take)
    group = holder.groups.get(GROUP) or holder.groups.new(GROUP)
    for path, index in target.channels:
        holder.fcurves.new(path, index=index).group = group


def pose_holder(take: Any) -> Any:
    """What has the F-curves of the take's head pose; None without."""
    return take.pose_action and curve_holder(take.pose_action, "OBJECT", take.pose_slot)


def pose_curves(take: Any, target: PoseTarget | None) -> list[Any]:
    """The F-curves of the channels of `target` in `take`, None for each that is not there."""
    if target is None:
        return []
    holder = pose_holder(take) if take.pose_owner == target.owner else None
    return [holder and holder.fcurves.find(path, index=index) for path, index in target.channels]


def _adopt_own_actions(head: Any, owner: Any) -> None:
    """Keep what animates the shape keys and the `owner` of the head pose, if no take does, as a take."""
    own = _own_animation(head.data.shape_keys, [take.action for take in head.vividtalk.takes])
    posed = owner and _own_animation(owner, [take.pose_action for take in head.vividtalk.takes])
    if not own and not posed:
        return
    take = head.vividtalk.takes.add()
    take.uid = uuid.uuid4().hex
    if own:
        take.action, take.slot = own.action, slot_handle(own)
    if posed:
        take.pose_owner, take.pose_action, take.pose_slot = owner, posed.action, slot_handle(posed)
        take.pose_rest = head.vividtalk.pose_rest
    for action in filter(None, (take.action, take.pose_action)):
        action.use_fake_user = True
    take.name = (take.action or take.pose_action).name


def _own_animation(owner: Any, known: list[Any]) -> Any:
    """The animation data of `owner` if it has an Action that is not among the `known`, else None."""
    animation = owner.animation_data
    return animation if animation and animation.action and animation.action not in known else None


def emotions_to_keep(head: Any, sound: str, first_frame: int) -> Any:
    """The Action whose emotion keys a new take of the voice `sound` at `first_frame` gets, or None.

    It is the one that plays, unless that is a take of another voice.
    """
    take, animation = active_take(head), head.data.shape_keys.animation_data
    if take is not None and take.sound_path:
        voice = (Path(bpy.path.abspath(take.sound_path)), take.start_frame)
        return take.action if voice == (Path(sound), first_frame) else None
    return None if animation is None else animation.action


def keep_emotions(source: Any, take: Any) -> None:
    """Give `take` the emotion keys of the Action `source`."""
    holder = curve_holder(take.action, "KEY")
    for keyed in emotion_curves(source).values():
        curves.copy_keys(keyed, holder.fcurves.find(keyed.data_path))


def locked_take(head: Any, sound: str, first_frame: int) -> str:
    """The uid of the active take if it is of the voice `sound` at `first_frame` and has locks, else ""."""
    take = active_take(head)
    if take is None or not take.sound_path or not locked_groups(take):
        return ""
    voice = (Path(bpy.path.abspath(take.sound_path)), take.start_frame)
    return take.uid if voice == (Path(sound), first_frame) else ""


def keep_locked(head: Any, uid: str, take: Any) -> None:
    """Give `take` the keys of the locked groups of the take `uid`, and its locks."""
    source = next(other for other in head.vividtalk.takes if other.uid == uid)
    lips, locked = lip_count(head), locked_groups(source)
    pairs = zip(curves.find_curves(source.action, lips), curves.find_curves(take.action, lips), strict=True)
    kept = [pair for pair, group in zip(pairs, channel_groups(lips), strict=True) if group in locked]
    if HEAD in locked:
        target = pose_target(head)
        kept += zip(pose_curves(source, target), pose_curves(take, target), strict=True)
    for old, new in kept:
        if old is not None and new is not None:
            curves.copy_keys(old, new)
    for group in locked:
        setattr(take, f"lock_{group}", True)


def active_take(head: Any) -> Any:
    """The take that plays, or None."""
    settings = head.vividtalk
    index = settings.active_take
    return settings.takes[index] if 0 <= index < len(settings.takes) else None


def show_take(head: Any, index: int) -> None:
    """Let take `index` animate `head`; none, at rest, when there is no such take.

    Lips and head start from rest, and so do emotions that were keyed: a take without keys for them must not
    show those of the one before.
    """
    takes = head.vividtalk.takes
    take = takes[index] if 0 <= index < len(takes) else None
    key = head.data.shape_keys
    reset_lips(head)
    if key.animation_data is not None:
        reset_emotions(head, key.animation_data.action)
    for other in takes:
        _release_pose(other)
    if take is not None and take.pose_action and take.pose_owner:
        assign_action(take.pose_owner, take.pose_action, take.pose_slot)
    action = take and take.action
    assign_action(key, action, take.slot if take else 0)
    for name in ARKIT_NAMES if action is None else ():
        block = key.key_blocks.get(name)
        if block is not None:
            block.value = 0.0


def _release_pose(take: Any) -> None:
    """Put what the head pose of `take` animates to rest, if that is what animates it."""
    owner, holder = take.pose_owner, pose_holder(take)
    animation = owner and owner.animation_data
    if holder and animation and animation.action == take.pose_action:
        assign_action(owner, None)
        reset_pose(take, {curve.data_path for curve in holder.fcurves})


def delete_take(head: Any, index: int) -> None:
    """Remove a take and its Actions, unless something else uses them.

    The take that plays goes on playing; when it is the one removed, the next one does, or else the last.
    """
    settings = head.vividtalk
    take, active = settings.takes[index], settings.active_take
    actions = {take.action, take.pose_action} - {None}
    if active == index:
        _release_pose(take)
    settings.takes.remove(index)
    if active > index:
        settings.active_take = active - 1
    elif active == index:
        settings.active_take = min(index, len(settings.takes) - 1)
    for action in actions:
        if action.users - int(action.use_fake_user) <= 0:
            bpy.data.actions.remove(action)


def remove_take(head: Any, uid: str) -> None:
    """Delete the take `uid` of `head`."""
    delete_take(head, next(i for i, take in enumerate(head.vividtalk.takes) if take.uid == uid))


def find_take(head_name: str, uid: str) -> tuple[Any, Any] | None:
    """The head and its take `uid`, looked up anew since undo may have replaced or removed them."""
    named = bpy.data.objects.get(head_name)
    for head in (named, *bpy.data.objects) if named else bpy.data.objects:
        for take in head.vividtalk.takes:
            if take.uid == uid:
                return head, take
    return None
