"""Emotions of the chosen head: sliders that are keyed like any other."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from .operators import chosen_head, may_edit
from .panels import CATEGORY
from .protocol.controls import EMOTION_NAMES
from .scene.emotion_keys import EMOTION_PROPERTIES, add_emotion_keys, has_emotions


class AddEmotions(bpy.types.Operator):
    """Give this head, which was made by an earlier version, its emotion keys"""

    bl_idname = "vividtalk.add_emotions"
    bl_label = "Add Emotions"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only for a head without."""
        head = chosen_head(context)
        if head is None or head.data.library or has_emotions(head):
            cls.poll_message_set("Choose a local head without emotions")
            return False
        return may_edit(cls)

    def execute(self, context: Any) -> set[str]:
        """Add them."""
        add_emotion_keys(chosen_head(context))
        return {"FINISHED"}


class _Emotions:
    layout: Any
    bl_category = CATEGORY
    bl_label = "Emotions"
    bl_region_type = "UI"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """With a head."""
        return chosen_head(context) is not None

    def draw(self, context: Any) -> None:
        """A slider for each; the dot beside it sets a key."""
        head = chosen_head(context)
        if not has_emotions(head):
            self.layout.operator("vividtalk.add_emotions", icon="ADD")
            return
        self.layout.use_property_split = self.layout.use_property_decorate = True
        column = self.layout.column(align=True)
        for name, intensity in zip(EMOTION_NAMES, EMOTION_PROPERTIES, strict=True):
            column.prop(head.data.shape_keys, f'["{intensity}"]', text=name.capitalize(), slider=True)


class EmotionsInViewport(_Emotions, bpy.types.Panel):
    """Emotions, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_emotions_view3d"
    bl_space_type = "VIEW_3D"


class EmotionsInSequencer(_Emotions, bpy.types.Panel):
    """Emotions, in the sequencer."""

    bl_idname = "VIVIDTALK_PT_emotions_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


_CLASSES = (AddEmotions, EmotionsInViewport, EmotionsInSequencer)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
