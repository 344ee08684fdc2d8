"""Applying a take to other heads: the operator and its panel."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="valid-type,misc"

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import EnumProperty, StringProperty

from .maps import load_map, preset_names
from .maps.facemap import FaceMap
from .operators import chosen_head
from .protocol.errors import InputError, VividTalkError
from .scene import compat, retarget
from .scene.curves import EVERY_FRAME, REDUCED
from .scene.takes import active_take

_AUTO, _FILE = "AUTO", "FILE"


def _map_items() -> tuple[tuple[str, str, str], ...]:
    presets = [(name, load_map(name).label, f"The preset {name}") for name in preset_names()]
    return (
        (_AUTO, "Automatic", "The preset that the head's shape keys belong to"),
        *presets,
        (_FILE, "Own map", "A map in a JSON file"),
    )


def other_heads(context: Any) -> list[Any]:
    """The selected meshes with shape keys besides the chosen head."""
    head = chosen_head(context)
    return [
        item
        for item in context.selected_objects
        if item != head and item.type == "MESH" and item.data.shape_keys is not None
    ]


def _missing(context: Any) -> str:
    """What keeps the take from being applied, "" if nothing does."""
    head, others = chosen_head(context), other_heads(context)
    if compat.rendering():
        return "A render is running"
    if head is None or active_take(head) is None:
        return "Choose a head with a take"
    if not others:
        return "Select other heads with shape keys"
    reasons = [retarget.why_not(other) for other in others]
    return reasons[0] if all(reasons) else ""


class ApplyToOther(bpy.types.Operator):
    """Key the chosen head's active take, as it is now, on the selected heads: a new Action for each"""

    bl_idname = "vividtalk.apply_to_other"
    bl_label = "Apply to Selected"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    map_name: EnumProperty(
        name="Map", description="What the other head's shapes are called", items=_map_items()
    )
    map_path: StringProperty(
        name="Own map", description="A map as JSON", subtype="FILE_PATH", options=compat.RELATIVE_PATH
    )
    keys: EnumProperty(
        name="Keys",
        description="How densely the other head is keyed",
        items=(
            ("EVERY_FRAME", "Every frame", "A linear key on every frame: exact"),
            ("REDUCED", "Reduced", "Few Bézier keys"),
        ),
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Say why not."""
        missing = _missing(context)
        if missing:
            cls.poll_message_set(missing)
        return not missing

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the file of an own map."""
        if self.map_name == _FILE:
            return set(context.window_manager.invoke_props_dialog(self))
        return self.execute(context)

    def execute(self, context: Any) -> set[str]:
        """Apply the take to each selected head."""
        head = chosen_head(context)
        keying = REDUCED if self.keys == "REDUCED" else EVERY_FRAME
        done = 0
        try:
            chosen, motion = self._chosen_map(), retarget.take_motion(head)
        except VividTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        take = active_take(head)
        for other in other_heads(context):
            try:
                done += self._apply(other, motion, chosen, f"{take.name} on {other.name}", keying)
            except VividTalkError as error:
                self.report({"WARNING"}, str(error))
        return {"FINISHED"} if done else {"CANCELLED"}

    def _chosen_map(self) -> FaceMap | None:
        if self.map_name == _FILE:
            return load_map(Path(bpy.path.abspath(self.map_path)))
        return None if self.map_name == _AUTO else load_map(self.map_name)

    def _apply(self, other: Any, motion: Any, chosen: FaceMap | None, name: str, keying: Any) -> int:
        reason = retarget.why_not(other)
        if reason:
            raise InputError(reason)
        result = retarget.retarget(other, motion, retarget.fitting_map(other, chosen), name, keying)
        self.report({"INFO"}, f"{other.name}: {result.channels} channels by {result.label}")
        if result.driven:
            self.report({"WARNING"}, f"{other.name}: drivers hold {', '.join(result.driven)}")
        return 1


class OtherHeads(bpy.types.Panel):
    """Applying a take to heads of other kinds, in the 3D viewport."""

    bl_idname = "VIVIDTALK_PT_other_heads"
    bl_label = "Other Heads"
    bl_category = "VividTalk"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """What is selected, or what is missing, and the button."""
        missing = _missing(context)
        names = ", ".join(other.name for other in other_heads(context))
        self.layout.label(text=missing or names, icon="INFO" if missing else "SHAPEKEY_DATA")
        row = self.layout.row()
        row.enabled = not missing
        row.operator_menu_enum("vividtalk.apply_to_other", "map_name")


_CLASSES = (ApplyToOther, OtherHeads)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
