"""The panel *Head*: how it moves, what of it is shown, another variation, where the eyes look."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from . import runtime
from .operators import chosen_head
from .panels import CATEGORY
from .protocol.controls import POSE_STYLE_NAMES
from .scene import compat
from .scene.head_bones import STRENGTHS, has_strengths
from .scene.look_at import LOOK_AT, looks_at
from .scene.takes import active_take

_ROWS = (("brows", "brows"), ("blink", "blinks"), ("gaze", "gaze"), ("breath", ""))  # strength, lock
_LOCKS = ("head", "mouth")  # without a strength here


class _Head:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Head"
    bl_region_type = "UI"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """With a head."""
        return chosen_head(context) is not None

    def draw(self, context: Any) -> None:
        """How much of the head's motion is shown."""
        settings = chosen_head(context).vividtalk
        rig = settings.armature
        if settings.pose_target not in (None, rig):
            self.layout.label(text=f"The next take moves {settings.pose_target.name}", icon="INFO")
        elif rig is None or not has_strengths(rig):
            self.layout.label(text="No head motion yet", icon="INFO")
        else:
            column = self.layout.column(align=True)
            for name in STRENGTHS:
                text = name.removeprefix("head.").capitalize()
                column.prop(rig, f'["{name}"]', text=text, slider=True)


class _Moving:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Next Take"
    bl_region_type = "UI"

    def draw(self, context: Any) -> None:
        """How the next take's head moves, and how often it blinks."""
        head = context.scene.vividtalk.controls.head
        column = self.layout.column(align=True)
        for name in POSE_STYLE_NAMES:
            column.prop(head, name, slider=True)
        self.layout.prop(head, "blink_rate", slider=True)


class _Layers:
    layout: Any
    bl_category = CATEGORY
    bl_label = "This Take"
    bl_region_type = "UI"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """With a take."""
        head = chosen_head(context)
        return head is not None and active_take(head) is not None

    def draw(self, context: Any) -> None:
        """A strength and a lock each, and another variation of some."""
        take = active_take(chosen_head(context))
        column = self.layout.column(align=True)
        column.enabled = runtime.session().job is None and not compat.rendering()
        for layer, group in _ROWS:
            row = column.row(align=True)
            row.prop(take, f"strength_{layer}", slider=True)
            if group:
                _draw_lock(row, take, group, "")
            else:
                row.label(text="", icon="BLANK1")
        row = column.row(align=True)
        for group in _LOCKS:
            _draw_lock(row, take, group, group.capitalize())
        self.layout.row(align=True).prop(context.scene.vividtalk, "reroll", expand=True)
        limited = context.scene.use_preview_range
        row = self.layout.row()
        row.operator_context = "INVOKE_DEFAULT"
        text = "Reroll in Preview Range" if limited else "Reroll"
        row.operator("vividtalk.reroll", text=text, icon="FILE_REFRESH")


def _draw_lock(row: Any, take: Any, group: str, text: str) -> None:
    locked = getattr(take, f"lock_{group}")
    row.prop(take, f"lock_{group}", text=text, icon="LOCKED" if locked else "UNLOCKED", toggle=True)


class _Looking:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Look At"
    bl_region_type = "UI"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """The target of the eyes and how much they look at it."""
        rig = chosen_head(context).vividtalk.armature
        if rig is None or LOOK_AT not in rig:
            self.layout.operator("vividtalk.look_at", icon="HIDE_OFF")
            return
        target = looks_at(rig)
        self.layout.label(text="Its target is gone" if target is None else target.name, icon="EMPTY_DATA")
        self.layout.prop(rig, f'["{LOOK_AT}"]', text="Influence", slider=True)
        row = self.layout.row(align=True)
        row.operator("vividtalk.look_at", text="Other Target")
        row.operator("vividtalk.stop_looking")


class _Target:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Move Something Else"
    bl_region_type = "UI"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """What the next takes move instead of the head's own bones."""
        settings = chosen_head(context).vividtalk
        self.layout.prop(settings, "pose_target", text="")
        target = settings.pose_target
        if target is not None and target.type == "ARMATURE" and target != settings.armature:
            self.layout.prop_search(settings, "neck_bone", target.data, "bones")
            self.layout.prop_search(settings, "head_bone", target.data, "bones")


class HeadInViewport(_Head, bpy.types.Panel):
    """Head, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_head_view3d"
    bl_space_type = "VIEW_3D"


class MovingInViewport(_Moving, bpy.types.Panel):
    """Head motion of the next take, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_moving_view3d"
    bl_parent_id = "VIVIDTALK_PT_head_view3d"
    bl_space_type = "VIEW_3D"


class LayersInViewport(_Layers, bpy.types.Panel):
    """Layers, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_layers_view3d"
    bl_parent_id = "VIVIDTALK_PT_head_view3d"
    bl_space_type = "VIEW_3D"


class LookingInViewport(_Looking, bpy.types.Panel):
    """Look at, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_looking_view3d"
    bl_parent_id = "VIVIDTALK_PT_head_view3d"
    bl_space_type = "VIEW_3D"


class TargetInViewport(_Target, bpy.types.Panel):
    """Another target for the head's motion, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_target_view3d"
    bl_parent_id = "VIVIDTALK_PT_head_view3d"
    bl_space_type = "VIEW_3D"


class HeadInSequencer(_Head, bpy.types.Panel):
    """Head, in the sequencer."""

    bl_idname = "VIVIDTALK_PT_head_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


class MovingInSequencer(_Moving, bpy.types.Panel):
    """Head motion of the next take, in the sequencer."""

    bl_idname = "VIVIDTALK_PT_moving_sequencer"
    bl_parent_id = "VIVIDTALK_PT_head_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


class LayersInSequencer(_Layers, bpy.types.Panel):
    """Layers, in the sequencer."""

    bl_idname = "VIVIDTALK_PT_layers_sequencer"
    bl_parent_id = "VIVIDTALK_PT_head_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


_CLASSES = (
    HeadInViewport,
    MovingInViewport,
    LayersInViewport,
    LookingInViewport,
    TargetInViewport,
    HeadInSequencer,
    MovingInSequencer,
    LayersInSequencer,
)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
