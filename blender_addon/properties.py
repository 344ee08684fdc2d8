"""What VividTalk stores in a .blend: heads with their takes, and the scene's settings."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="valid-type,misc"

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .scene import compat, head_pose, heads, takes
from .scene.reduction import MAX_ERROR


def _renamed(take: Any, _context: Any) -> None:
    if take.action is not None:
        take.action.name = take.name
    if take.pose_action not in (None, take.action):
        take.pose_action.name = f"{take.name} Head"


def _chosen(settings: Any, _context: Any) -> None:
    takes.show_take(settings.id_data, settings.active_take)


def _targeted(settings: Any, _context: Any) -> None:
    head_pose.remember_rest(settings.id_data)


def _is_head(_settings: Any, candidate: Any) -> bool:
    return heads.is_head(candidate)


def _style_slider(name: str, description: str) -> Any:
    return FloatProperty(name=name, description=description, default=0.0, min=-1.0, max=1.0, precision=2)


class VividTalkStyle(bpy.types.PropertyGroup):
    """How a person speaks, beside the average: the fields of `MotionStyle`."""

    jaw: _style_slider("Jaw", "How far the jaw opens")
    rounding: _style_slider("Rounding", "How far lips round, as for o and u")
    spread: _style_slider("Spread", "How far lips spread, as for e and i")
    effort: _style_slider("Effort", "How firmly lips press together, and teeth bite the lip")
    sharpness: _style_slider("Sharpness", "How quickly sounds are reached; low values slur")
    asymmetry: _style_slider("Side", "Which corner of the mouth leads: 1 is the head's own left")


class VividTalkControls(bpy.types.PropertyGroup):
    """How a voice is to be spoken: `ExpressionControls` without emotions, which are keys of a take."""

    articulation: FloatProperty(
        name="Articulation",
        description="How far jaw and lips move; lips still close on p, b and m",
        default=1.0,
        min=0.3,
        max=1.7,
        precision=2,
    )
    energy: FloatProperty(
        name="Energy",
        description="How much brows, lids, cheeks and nose move",
        default=1.0,
        min=0.0,
        max=2.0,
        precision=2,
    )
    asymmetry: FloatProperty(
        name="Asymmetry",
        description="How unlike left and right are",
        default=0.3,
        min=0.0,
        max=1.0,
        precision=2,
    )
    style: PointerProperty(type=VividTalkStyle)


class VividTalkTake(bpy.types.PropertyGroup):
    """One animation of a head: an Action, and what it was made from."""

    name: StringProperty(name="Name", description="The take's name, and its Action's", update=_renamed)
    uid: StringProperty(options={"HIDDEN"})
    seed: IntProperty(name="Seed", description="Random seed that the take was made with")
    rerolled_seed: IntProperty(options={"HIDDEN"}, description="Seed of the last reroll")
    controls: PointerProperty(type=VividTalkControls)
    action: PointerProperty(type=bpy.types.Action)
    slot: IntProperty(options={"HIDDEN"}, description="Handle of the Action's slot; 0 for its only one")
    pose_owner: PointerProperty(type=bpy.types.Object, options={"HIDDEN"})
    pose_action: PointerProperty(type=bpy.types.Action, options={"HIDDEN"})
    pose_slot: IntProperty(options={"HIDDEN"})
    sound_path: StringProperty(
        name="Sound",
        description="Sound that the take speaks",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )
    start_frame: IntProperty(name="Start", description="Scene frame at which the take begins")
    frames: IntProperty(name="Frames", description="Length of the take in frames")
    clip_path: StringProperty(
        name="Clip",
        description="Motion clip as it was computed, before any edit",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )
    clip_data: StringProperty(options={"HIDDEN"})


class VividTalkHead(bpy.types.PropertyGroup):
    """What makes a mesh object a head."""

    face_id: StringProperty(options={"HIDDEN"})
    face_path: StringProperty(
        name="Face file",
        description="The file the head was made from; empty for the built-in head",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH | {"HIDDEN"},
    )
    armature: PointerProperty(type=bpy.types.Object)
    pivot: FloatVectorProperty(options={"HIDDEN"}, description="What the head turns about, metres")
    pose_target: PointerProperty(
        name="Target",
        description="What the next takes move instead of the head's own bones: an empty, the head itself, "
        "or another armature",
        type=bpy.types.Object,
        update=_targeted,
    )
    pose_rest: FloatVectorProperty(size=16, options={"HIDDEN"})
    neck_bone: StringProperty(name="Neck", description="Bone that takes half of the pose; may be empty")
    head_bone: StringProperty(name="Head", description="Bone that ends up with all of the pose")
    takes: CollectionProperty(type=VividTalkTake)
    active_take: IntProperty(name="Take", description="The take that plays", default=-1, update=_chosen)


class VividTalkScene(bpy.types.PropertyGroup):
    """Settings of the next job."""

    head: PointerProperty(
        name="Head", description="Head that will speak", type=bpy.types.Object, poll=_is_head
    )
    source: EnumProperty(
        name="Voice from",
        description="Where the voice comes from",
        items=(
            ("STRIP", "Strip", "The active sound strip of the sequencer, with its trim, offset and speed"),
            ("FILE", "File", "A sound or video file; a sound strip is added for it"),
        ),
        default="FILE",
    )
    sound_path: StringProperty(
        name="Sound",
        description="Voice recording: any sound file, or a video with sound",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )
    start_frame: IntProperty(
        name="Start frame", description="Scene frame at which the voice begins", default=1
    )
    seed: IntProperty(
        name="Seed", description="Another seed gives another variation of the motion", default=0, min=0
    )
    controls: PointerProperty(type=VividTalkControls)
    keys: EnumProperty(
        name="Keys",
        description="How densely the take is keyed",
        items=(
            ("AUTO", "Automatic", "Every frame up to 5 minutes, reduced above"),
            ("EVERY_FRAME", "Every frame", "A linear key on every frame: exact"),
            ("REDUCED", "Reduced", f"Few Bézier keys, within {MAX_ERROR:g} of the motion on every frame"),
        ),
        default="AUTO",
    )


_CLASSES = (VividTalkStyle, VividTalkControls, VividTalkTake, VividTalkHead, VividTalkScene)


def register() -> None:
    """Register the property groups and hang them on objects and scenes."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Object.vividtalk = PointerProperty(type=VividTalkHead)
    bpy.types.Scene.vividtalk = PointerProperty(type=VividTalkScene)


def unregister() -> None:
    """Undo `register`."""
    del bpy.types.Scene.vividtalk
    del bpy.types.Object.vividtalk
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
