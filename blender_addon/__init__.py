"""VividTalk for Blender: speech to editable facial animation. Imports nothing of bpy until registered."""


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    from . import (
        emotion_panels,
        operators,
        panels,
        preferences,
        properties,
        retarget_ops,
        runtime,
        style_ops,
        style_panels,
    )

    properties.register()
    runtime.register(__package__)
    preferences.register()
    operators.register()
    style_ops.register()
    panels.register()
    style_panels.register()
    emotion_panels.register()
    retarget_ops.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled: the reverse."""
    from . import (
        emotion_panels,
        operators,
        panels,
        preferences,
        properties,
        retarget_ops,
        runtime,
        style_ops,
        style_panels,
    )

    retarget_ops.unregister()
    emotion_panels.unregister()
    style_panels.unregister()
    panels.unregister()
    style_ops.unregister()
    operators.unregister()
    preferences.unregister()
    runtime.unregister()
    properties.unregister()
