"""VividTalk for Blender: speech to editable facial animation. Imports nothing of bpy until registered."""

from types import ModuleType


def _modules() -> tuple[ModuleType, ...]:
    """What has something to register, in that order."""
    from . import (
        emotion_panels,
        head_ops,
        head_panels,
        operators,
        panels,
        preferences,
        properties,
        retarget_ops,
        runtime,
        style_ops,
        style_panels,
        video_ops,
        video_panels,
    )

    return (
        properties,
        runtime,
        preferences,
        operators,
        style_ops,
        panels,
        video_ops,
        video_panels,
        style_panels,
        head_ops,
        head_panels,
        emotion_panels,
        retarget_ops,
    )


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    for module in _modules():
        module.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled: the reverse."""
    for module in reversed(_modules()):
        module.unregister()
