"""The sidebar tab VividTalk, in the 3D viewport and in the sequencer."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="misc"

from __future__ import annotations

import textwrap
from typing import Any

import bpy

from . import runtime
from .operators import chosen_head
from .scene import compat
from .scene.lip_keys import LIP_DETAIL, lip_count

CATEGORY = "VividTalk"
_ICONS = {"INFO": "INFO", "WARNING": "ERROR", "ERROR": "CANCEL"}
_POINTS_PER_CHARACTER = 7.7


class TakeList(bpy.types.UIList):
    """A head's takes; the chosen one plays. Double-click to rename."""

    bl_idname = "VIVIDTALK_UL_takes"

    def draw_item(
        self,
        _context: Any,
        layout: Any,
        _data: Any,
        item: Any,
        _icon: int,
        _active_data: Any,
        _active_property: str,
    ) -> None:
        """A take's name, its length, and its seed unless that is 0: in a sidebar names need the room."""
        layout.prop(item, "name", text="", emboss=False, icon="ACTION")
        detail = layout.row()
        detail.alignment = "RIGHT"
        detail.active = False
        seed = f" · seed {item.seed}" if item.seed else ""
        detail.label(text=f"{item.frames} f{seed}" if item.sound_path else "own keys")


def draw_voice(layout: Any, context: Any) -> None:
    """Head, voice, and the Animate button, or the progress of the job."""
    settings = context.scene.vividtalk
    row = layout.row(align=True)
    row.prop(settings, "head", text="", icon="USER")
    row.operator("vividtalk.create_head", text="", icon="ADD")
    layout.row().prop(settings, "source", expand=True)
    if settings.source == "FILE":
        layout.prop(settings, "sound_path", text="")
        layout.prop(settings, "start_frame")
    else:
        strip = compat.active_strip(compat.sequencer_scene(context))
        usable = strip is not None and strip.type == "SOUND"
        layout.label(text=strip.name if usable else "Select a sound strip", icon="SOUND")
    layout.prop(settings, "keys")
    _draw_job(layout, context)


def _draw_job(layout: Any, context: Any) -> None:
    session = runtime.session()
    if session.job is None:
        row = layout.row()
        row.scale_y = 1.4
        row.operator_context = "INVOKE_DEFAULT"
        row.operator("vividtalk.animate", icon="PLAY")
    else:
        draw_progress(layout, session.job)
    if session.notice is not None:
        _draw_notice(layout, context, session.notice)


def draw_progress(layout: Any, job: Any) -> None:
    """How far the running job is, and the cross that cancels it."""
    row = layout.row(align=True)
    row.progress(factor=job.fraction, text=f"{job.phase[:1].upper()}{job.phase[1:]} {job.fraction:.0%}")
    row.operator("vividtalk.cancel", text="", icon="X")


def _draw_notice(layout: Any, context: Any, notice: Any) -> None:
    row = layout.box().row()
    draw_lines(row.column(align=True), context, notice.sentence, _ICONS[notice.level])
    row.operator("vividtalk.dismiss", text="", icon="X", emboss=False)


def draw_lines(column: Any, context: Any, text: str, icon: str) -> None:
    """`text` in as many lines as the sidebar's width asks for."""
    scale = context.preferences.system.ui_scale
    characters = max(20, int(context.region.width / (_POINTS_PER_CHARACTER * scale)) - 8)
    column.scale_y = 0.8
    for index, line in enumerate(textwrap.wrap(text, characters)):
        column.label(text=line, icon=icon if index == 0 else "BLANK1")


def draw_takes(layout: Any, context: Any) -> None:
    """The takes of the chosen head."""
    head = chosen_head(context)
    if head is None:
        layout.label(text="Create or choose a head first")
        layout.operator("vividtalk.create_demo_scene", icon="SCENE_DATA")
        return
    row = layout.row()
    row.enabled = not compat.rendering()
    row.template_list(
        "VIVIDTALK_UL_takes", "", head.vividtalk, "takes", head.vividtalk, "active_take", rows=3
    )
    row.column(align=True).operator("vividtalk.delete_take", text="", icon="REMOVE")
    if lip_count(head):
        layout.prop(head.data.shape_keys, f'["{LIP_DETAIL}"]', text="Lip detail", slider=True)
        layout.operator("vividtalk.refresh_lips", icon="FILE_REFRESH")


class _Voice:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Voice"
    bl_region_type = "UI"

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        draw_voice(self.layout, context)


class _Takes:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Takes"
    bl_region_type = "UI"

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        draw_takes(self.layout, context)


class VoiceInViewport(_Voice, bpy.types.Panel):
    """Voice to animation, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_voice_view3d"
    bl_space_type = "VIEW_3D"


class TakesInViewport(_Takes, bpy.types.Panel):
    """Takes, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_takes_view3d"
    bl_space_type = "VIEW_3D"


class VoiceInSequencer(_Voice, bpy.types.Panel):
    """Voice to animation, in the sequencer."""

    bl_idname = "VIVIDTALK_PT_voice_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


class TakesInSequencer(_Takes, bpy.types.Panel):
    """Takes, in the sequencer."""

    bl_idname = "VIVIDTALK_PT_takes_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


_CLASSES = (
    TakeList,
    VoiceInViewport,
    TakesInViewport,
    VoiceInSequencer,
    TakesInSequencer,
)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
