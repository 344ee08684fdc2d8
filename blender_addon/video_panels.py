"""The panel *Talking Video*: a portrait that speaks as the take does."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from . import runtime
from .panels import CATEGORY, draw_lines, draw_progress
from .scene import compat
from .video_job import PictureJob

_PLAIN = ("Standard", "Raw")  # view transforms that leave a movie as it is


class _Video:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Talking Video"
    bl_region_type = "UI"

    def draw(self, context: Any) -> None:
        """Portrait, how it is rendered, the buttons or the progress, and what came of it."""
        video, layout = context.scene.vividtalk.video, self.layout
        row = layout.row(align=True)
        row.prop(video, "portrait", text="", icon="IMAGE_DATA")
        row.operator("vividtalk.portrait_from_strip", text="", icon="SEQ_STRIP_DUPLICATE")
        column = layout.column(align=True)
        column.prop(video, "renderer")
        column.prop(video, "size")
        layout.row().prop(video, "motion", expand=True)
        _draw_buttons(layout, runtime.session().job)
        if video.result:
            layout.prop(video, "result", text="")
        for note in video.notes.splitlines():
            draw_lines(layout.column(align=True), context, note, "ERROR")
        transform = compat.sequencer_scene(context).view_settings.view_transform
        if video.result and transform not in _PLAIN:
            text = f"The view transform {transform} changes the movie's colours; Standard does not"
            draw_lines(layout.column(align=True), context, text, "INFO")


def _draw_buttons(layout: Any, job: Any) -> None:
    if isinstance(job, PictureJob):
        draw_progress(layout, job)
        return
    row = layout.row(align=True)
    row.operator_context = "INVOKE_DEFAULT"
    row.scale_y = 1.4
    row.operator("vividtalk.render_video", icon="RENDER_ANIMATION")
    row.operator("vividtalk.render_still", icon="RENDER_STILL")
    row = layout.row()
    row.operator_context = "INVOKE_DEFAULT"
    row.operator("vividtalk.head_from_portrait", icon="USER")


class VideoInViewport(_Video, bpy.types.Panel):
    """Talking video, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_video_view3d"
    bl_space_type = "VIEW_3D"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}


class VideoInSequencer(_Video, bpy.types.Panel):
    """Talking video, in the sequencer."""

    bl_idname = "VIVIDTALK_PT_video_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


_CLASSES = (VideoInViewport, VideoInSequencer)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
