"""The one module that knows what differs between Blender 4.2 LTS, 4.5 LTS and 5.x."""

from __future__ import annotations

from typing import Any

import bpy

HAS_SLOTS = bpy.app.version >= (4, 4, 0)


# For file paths that may begin with "//": 4.5 and later warn of those without it.
RELATIVE_PATH = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()


def new_action(name: str, owner: Any) -> Any:
    """A new Action for `owner` (an ID), with its slot where Blender has slots. It is not assigned yet."""
    action = bpy.data.actions.new(name)
    if HAS_SLOTS:
        slot = action.slots.new(id_type=owner.id_type, name=owner.name)
        strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
        strip.channelbag(slot, ensure=True)
    else:
        action.id_root = owner.id_type
    return action


def add_animated(action: Any, owner: Any) -> tuple[Any, int]:
    """What animates `owner` beside `action`: a slot more in it and its handle; before 4.4 a second Action."""
    if not HAS_SLOTS:
        return new_action(f"{action.name} Head", owner), 0
    slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    action.layers[0].strips[0].channelbag(slot, ensure=True)
    return action, int(slot.handle)


def slot_handle(animation: Any) -> int:
    """The number of the slot that is assigned in `animation`; 0 for none."""
    slot = animation.action_slot if HAS_SLOTS else None
    return 0 if slot is None else int(slot.handle)


def assign_action(owner: Any, action: Any, handle: int = 0) -> None:
    """Let `action` animate `owner`, by the slot of that handle, else by its first slot for such data.

    On 4.4 and later the slot has to be assigned too, or nothing moves and no error says so.
    """
    animation = owner.animation_data or owner.animation_data_create()
    animation.action = action
    if HAS_SLOTS and action is not None:
        animation.action_slot = _slot(action, owner.id_type, handle)


def curve_holder(action: Any, id_type: str, handle: int = 0) -> Any:
    """What has `.fcurves` and `.groups` for `id_type`: the action before 4.4, a slot's channelbag after.

    It is the slot of that handle, else the first for such data.

    None when an artist removed the slot or the layer.
    """
    if not HAS_SLOTS:
        return action
    slot = _slot(action, id_type, handle)
    if slot is None or not action.layers or not action.layers[0].strips:
        return None
    return action.layers[0].strips[0].channelbag(slot)


def _slot(action: Any, id_type: str, handle: int) -> Any:
    chosen = next((slot for slot in action.slots if slot.handle == handle), None)
    return chosen or next((slot for slot in action.slots if slot.target_id_type == id_type), None)


def sequencer_scene(context: Any) -> Any:
    """The scene whose strips the sequencer shows: 5.0 and later let it differ from the window's scene."""
    return getattr(context, "sequencer_scene", None) or context.scene


def show_in_sequencer(context: Any, scene: Any, instead: bool = False) -> None:
    """Let the sequencer of this workspace show `scene` when it shows none, or `instead` (5.0 and later)."""
    workspace = context.workspace
    if hasattr(workspace, "sequencer_scene") and (instead or workspace.sequencer_scene is None):
        workspace.sequencer_scene = scene


def strips(scene: Any) -> Any:
    """The top-level strips of `scene`, whose sequence editor is made when it has none."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def all_strips(scene: Any) -> list[Any]:
    """Every strip of `scene`, those inside meta strips too."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    return list(editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)


def active_strip(scene: Any) -> Any:
    """The active strip of `scene`, or None."""
    return scene.sequence_editor.active_strip if scene.sequence_editor else None


def retiming_key_count(strip: Any) -> int | None:
    """Retiming keys of a strip; None for the versions that do not tell (4.3)."""
    keys = getattr(strip, "retiming_keys", None)
    return None if keys is None else len(keys)


def eevee() -> str:
    """EEVEE's engine id."""
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def rendering() -> bool:
    """True while a render runs; then nothing may be edited."""
    return bool(bpy.app.is_job_running("RENDER"))
