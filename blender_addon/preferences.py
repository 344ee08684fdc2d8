"""Where the backend is, and whether it answers."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="valid-type,misc"

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import StringProperty

from . import runtime
from .protocol.errors import VividTalkError
from .protocol.handoff import find_command


class VividTalkPreferences(bpy.types.AddonPreferences):
    """Settings of the add-on on this machine."""

    bl_idname = __package__

    backend: StringProperty(
        name="Backend program",
        description=(
            "The program 'vividtalk' in the backend's Python environment. "
            "Empty: the one that 'vividtalk addon install' registered"
        ),
        subtype="FILE_PATH",
    )

    def draw(self, _context: Any) -> None:
        """The program's path and the backend's state."""
        self.layout.prop(self, "backend")
        text, icon = backend_state(self.backend)
        self.layout.label(text=text, icon=icon)


def backend_state(preference: str) -> tuple[str, str]:
    """A line for people about the backend, and its icon."""
    try:
        command = find_command(bpy.path.abspath(preference))
    except VividTalkError as error:
        return str(error), "ERROR"
    if runtime.session().connected:
        return f"Connected to {command[0]}", "LINKED"
    return f"{command[0]} starts with the first job", "UNLINKED"


def backend_preference(context: Any) -> str:
    """The program's path that the user set, absolute; "" for the registered one."""
    return str(bpy.path.abspath(context.preferences.addons[__package__].preferences.backend))


def register() -> None:
    """Register the preferences."""
    bpy.utils.register_class(VividTalkPreferences)


def unregister() -> None:
    """Undo `register`."""
    bpy.utils.unregister_class(VividTalkPreferences)
