"""What VividTalk stores in a .blend: heads with their takes, and the scene's settings."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="valid-type,misc"

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import runtime
from .job import Notice
from .protocol.errors import VividTalkError
from .scene import compat, head_pose, heads, rekey, takes
from .scene.reduction import MAX_ERROR

REROLL_ITEMS = (
    ("HEAD", "Head", "Another head motion"),
    ("GAZE", "Gaze", "Another way of looking about; with the head, since eyes make up for its turns"),
    ("BLINKS", "Blinks", "Other blinks"),
    ("BROWS", "Brows", "Other brows, lids, cheeks and nose"),
)


def _renamed(take: Any, _context: Any) -> None:
    if take.action is not None:
        take.action.name = take.name
    if take.pose_action not in (None, take.action):
        take.pose_action.name = f"{take.name} Head"


def _chosen(settings: Any, _context: Any) -> None:
    takes.show_take(settings.id_data, settings.active_take)


def _strengthened(take: Any, _context: Any) -> None:
    try:
        rekey.apply_strengths(take.id_data, take)
    except VividTalkError as error:
        runtime.session().notice = Notice("ERROR", str(error))


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


class VividTalkHeadControls(bpy.types.PropertyGroup):
    """How a head is to move, and how often it blinks: fields of `HeadControls` and its `PoseStyle`."""

    energy: _style_slider("Energy", "How far the head goes, all of it; 1 is 1.4 times the average")
    nods: _style_slider("Nods", "How many nods and beats there are")
    turns: _style_slider("Turns", "How much the head turns to the sides")
    tilts: _style_slider("Tilts", "How much the head tilts")
    blink_rate: FloatProperty(
        name="Blink Rate",
        description="How many blinks there are, times the usual",
        default=1.0,
        min=0.0,
        max=3.0,
        precision=2,
    )


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
    head: PointerProperty(type=VividTalkHeadControls)


def _strength(name: str, what: str) -> Any:
    return FloatProperty(
        name=name,
        description=f"How strong {what} are, from the take's clip. Keys that you set or moved stay",
        default=1.0,
        min=0.0,
        max=2.0,
        precision=2,
        options=set(),
        update=_strengthened,
    )


def _lock(name: str, what: str) -> Any:
    return BoolProperty(
        name=f"Lock {name}",
        description=f"Leave {what} alone: no reroll and no strength rewrites them, and the next take of the "
        "same voice gets a copy",
        options=set(),
    )


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
    pose_rest: FloatVectorProperty(size=16, options={"HIDDEN"})
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
    strength_brows: _strength("Brows", "brows, lids, cheeks and nose")
    strength_blink: _strength("Blinks", "blinks")
    strength_gaze: _strength("Gaze", "where the eyes look")
    strength_breath: _strength("Breath", "breathing")
    keyed_strengths: FloatVectorProperty(size=4, default=(1.0,) * 4, options={"HIDDEN"})
    lock_mouth: _lock("Mouth", "jaw, lips and tongue")
    lock_brows: _lock("Brows", "brows, cheeks and nose")
    lock_blinks: _lock("Blinks", "the closing of the lids")
    lock_gaze: _lock("Gaze", "where the eyes look")
    lock_head: _lock("Head", "the head's motion")


class VividTalkHead(bpy.types.PropertyGroup):
    """What makes a mesh object a head."""

    face_id: StringProperty(options={"HIDDEN"})
    face_path: StringProperty(
        name="Face file",
        description="The file the head was made from; empty for the built-in head",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH | {"HIDDEN"},
    )
    portrait_path: StringProperty(
        description="The portrait that the face file was made from; empty for other heads",
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


class VividTalkVideo(bpy.types.PropertyGroup):
    """Settings of the next talking video, and what is known of the last."""

    portrait: StringProperty(
        name="Portrait",
        description="Picture of a face: photo, painting or drawing",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )
    size: EnumProperty(
        name="Size",
        description="Pixels of the square about the face that is rendered; the rest of the picture stays",
        items=(
            ("256", "256", "Quick, for looking at motion"),
            ("512", "512", "For most pictures"),
            ("1024", "1024", "For large faces; four times as slow as 512"),
        ),
        default="512",
    )
    renderer: EnumProperty(
        name="Renderer",
        description="How frames are made",
        items=(("WARP", "Warp", "Moves the picture with the head's mesh; needs no model"),),
        default="WARP",
    )
    motion: EnumProperty(
        name="Motion",
        description="What becomes of the portrait's own expression and pose",
        items=(
            ("RELATIVE", "Relative", "The take's motion is added to them"),
            ("ABSOLUTE", "Absolute", "The take's motion replaces them"),
        ),
        default="RELATIVE",
    )
    job: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="The running job; undo takes it away")
    notes: StringProperty(options={"HIDDEN"}, description="What the backend said of the last video")
    result: StringProperty(
        name="Movie",
        description="The last movie",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH | {"HIDDEN"},
    )


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
    video: PointerProperty(type=VividTalkVideo)
    reroll: EnumProperty(
        name="Reroll",
        description="What gets another variation",
        items=REROLL_ITEMS,
        default={"HEAD", "GAZE"},
        options={"ENUM_FLAG"},
    )
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


_CLASSES = (
    VividTalkStyle,
    VividTalkHeadControls,
    VividTalkControls,
    VividTalkTake,
    VividTalkHead,
    VividTalkVideo,
    VividTalkScene,
)


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
