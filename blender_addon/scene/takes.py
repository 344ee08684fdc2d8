"""Takes: several animations of one head, each an Action of its own, of which one plays."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import bpy

from ..protocol.arkit import ARKIT_NAMES
from . import curves
from .compat import assign_action, curve_holder, new_action, slot_handle
from .emotion_keys import emotion_channels, emotion_curves, reset_emotions
from .lip_keys import lip_count, reset_lips


def new_take(head: Any, name: str, seed: int) -> Any:
    """Add a take with an empty F-curve per channel to `head`, let it play, and return it.

    An Action that an artist made by hand is kept as a take of its own.
    """
    settings = head.vividtalk
    _adopt_own_action(head)
    take = settings.takes.add()
    take.uid = uuid.uuid4().hex
    take.seed = take.brows_seed = seed
    action = new_action(name, head.data.shape_keys)
    action.use_fake_user = True
    curves.add_curves(action, curves.channels(lip_count(head)) + emotion_channels(head))
    take.action = action
    take.name = action.name
    settings.active_take = len(settings.takes) - 1
    return take


def _adopt_own_action(head: Any) -> None:
    animation = head.data.shape_keys.animation_data
    action = animation.action if animation else None
    if action is None or any(take.action == action for take in head.vividtalk.takes):
        return
    action.use_fake_user = True
    take = head.vividtalk.takes.add()
    take.uid = uuid.uuid4().hex
    take.action = action
    take.slot = slot_handle(animation)
    take.name = action.name


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


def active_take(head: Any) -> Any:
    """The take that plays, or None."""
    settings = head.vividtalk
    index = settings.active_take
    return settings.takes[index] if 0 <= index < len(settings.takes) else None


def show_take(head: Any, index: int) -> None:
    """Let take `index` animate `head`; none, at rest, when there is no such take.

    Lips start from rest, and so do emotions that were keyed: a take without keys for them must not show those
    of the one before.
    """
    takes = head.vividtalk.takes
    key = head.data.shape_keys
    reset_lips(head)
    if key.animation_data is not None:
        reset_emotions(head, key.animation_data.action)
    if 0 <= index < len(takes):
        assign_action(key, takes[index].action, takes[index].slot)
        return
    assign_action(key, None)
    for name in ARKIT_NAMES:
        block = key.key_blocks.get(name)
        if block is not None:
            block.value = 0.0


def delete_take(head: Any, index: int) -> None:
    """Remove a take and its Action, unless something else uses that.

    The take that plays goes on playing; when it is the one removed, the next one does, or else the last.
    """
    settings = head.vividtalk
    action, active = settings.takes[index].action, settings.active_take
    settings.takes.remove(index)
    if active > index:
        settings.active_take = active - 1
    elif active == index:
        settings.active_take = min(index, len(settings.takes) - 1)
    if action is not None and action.users - int(action.use_fake_user) <= 0:
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
