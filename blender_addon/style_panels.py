"""How the next voice is spoken: sub-panels of *Voice*."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from .panels import CATEGORY
from .protocol.controls import STYLE_NAMES


class _Style:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Style"
    bl_region_type = "UI"

    def draw(self, context: Any) -> None:
        """Seed and the plain controls."""
        settings = context.scene.vividtalk
        column = self.layout.column(align=True)
        for name in ("articulation", "energy", "asymmetry"):
            column.prop(settings.controls, name, slider=True)
        self.layout.prop(settings, "seed")


class _Manner:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Manner of Speaking"
    bl_region_type = "UI"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """The speaker's style, and where it can come from."""
        style = context.scene.vividtalk.controls.style
        column = self.layout.column(align=True)
        for name in STYLE_NAMES:
            column.prop(style, name, slider=True)
        row = self.layout.row(align=True)
        row.operator_context = "INVOKE_DEFAULT"
        row.operator("vividtalk.style_from_take", icon="ACTION")
        row.operator("vividtalk.style_from_clip", icon="FILEBROWSER")


class StyleInViewport(_Style, bpy.types.Panel):
    """Style, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_style_view3d"
    bl_parent_id = "VIVIDTALK_PT_voice_view3d"
    bl_space_type = "VIEW_3D"


class MannerInViewport(_Manner, bpy.types.Panel):
    """Manner of speaking, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_manner_view3d"
    bl_parent_id = "VIVIDTALK_PT_style_view3d"
    bl_space_type = "VIEW_3D"


class StyleInSequencer(_Style, bpy.types.Panel):
    """Style, in the sequencer."""

    bl_idname = "VIVIDTALK_PT_style_sequencer"
    bl_parent_id = "VIVIDTALK_PT_voice_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


class MannerInSequencer(_Manner, bpy.types.Panel):
    """Manner of speaking, in the sequencer."""

    bl_idname = "VIVIDTALK_PT_manner_sequencer"
    bl_parent_id = "VIVIDTALK_PT_style_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


_CLASSES = (StyleInViewport, MannerInViewport, StyleInSequencer, MannerInSequencer)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
