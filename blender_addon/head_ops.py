"""Operators about head motion and the signs of life: another variation, and a target for the eyes."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="valid-type,misc"

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, ClassVar

import bpy
from bpy.props import EnumProperty

from . import runtime
from .controls import read_controls
from .job_operator import JobOperator
from .operators import chosen_head, may_edit, may_start
from .preferences import backend_preference
from .properties import REROLL_ITEMS
from .protocol.clip import MotionClip
from .protocol.errors import InputError
from .protocol.handoff import find_command
from .reroll_job import RerollJob, Span
from .scene import files, look_at, sequencer, takes
from .scene.layers import locked_groups
from .session import Manner, animate_params


def start_reroll(context: Any, parts: frozenset[str]) -> None:
    """Ask for another variation of `parts` of the active take, within the preview range if there is one."""
    head, session, settings = chosen_head(context), runtime.session(), context.scene.vividtalk
    take = takes.active_take(head)
    free = tuple(part for part in ("head", "gaze", "blinks", "brows") if part in parts - locked_groups(take))
    if not free:
        raise InputError("nothing is chosen that is not locked", "Choose what to reroll, or unlock it")
    before = files.take_clip(take)
    line, span = take_line(take, before), _chosen_span(context.scene, take, before.frames)
    command = find_command(backend_preference(context))
    session.connect(command)
    controls = read_controls(settings.controls)
    manner = Manner(take.rerolled_seed + 1, controls)
    job = session.submit("animate", animate_params(head, line, before.info.fps, manner))
    take.rerolled_seed = manner.seed
    head_note = {"style": asdict(controls.head.style), "blink_rate": controls.head.blink_rate}
    session.begin(
        RerollJob(
            id=job,
            line=line,
            fps=before.info.fps,
            head=head.name,
            take=take.uid,
            take_name=take.name,
            before=before,
            parts=free,
            span=span,
            note={"seed": manner.seed, "energy": controls.energy, "head": head_note},
        )
    )


def take_line(take: Any, clip: MotionClip) -> sequencer.VoiceLine:
    """The part of the sound that the take speaks."""
    info = clip.info
    line = sequencer.file_line(take.sound_path, take.start_frame)
    return replace(
        line, start=info.audio_offset, duration=info.audio_duration or None, speed=info.audio_speed
    )


def _chosen_span(scene: Any, take: Any, frames: int) -> Span:
    if not scene.use_preview_range:
        return Span(0, frames)
    first = max(0, scene.frame_preview_start - take.start_frame)
    stop = min(frames, scene.frame_preview_end - take.start_frame + 1)
    if first >= stop:
        raise InputError("the preview range holds no frame of the take", "Move it, or switch it off")
    return Span(first, stop)


class Reroll(JobOperator, bpy.types.Operator):
    """Give the take another variation. All else, and what you edited or locked, stays as it is"""

    bl_idname = "vividtalk.reroll"
    bl_label = "Reroll"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    parts: EnumProperty(
        name="Parts",
        description="What gets another variation; nothing chosen: what the panel says",
        items=REROLL_ITEMS,
        options={"ENUM_FLAG", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only with a finished take."""
        return may_start(cls, context, needs_take=True)

    def start(self, context: Any) -> None:
        """Ask for another variation."""
        chosen = self.parts or context.scene.vividtalk.reroll
        start_reroll(context, frozenset(name.lower() for name in chosen))


class LookAt(bpy.types.Operator):
    """Let the eyes look at the active object, if it is selected and not the head, else at a new empty"""

    bl_idname = "vividtalk.look_at"
    bl_label = "Look At"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only for a head with eye bones."""
        head = chosen_head(context)
        rig = None if head is None else head.vividtalk.armature
        if rig is None or rig.library or not look_at.eye_bones(rig):
            cls.poll_message_set("Choose a local head with eye bones")
            return False
        return may_edit(cls)

    def execute(self, context: Any) -> set[str]:
        """Take the target or make it."""
        head, active = chosen_head(context), context.active_object
        rig = head.vividtalk.armature
        usable = active is not None and active.select_get() and active not in (head, rig)
        look_at.look_at(rig, active if usable else look_at.new_target(context, rig))
        return {"FINISHED"}


class StopLooking(bpy.types.Operator):
    """Let the eyes go where their keys say, and remove the empty that was made for them"""

    bl_idname = "vividtalk.stop_looking"
    bl_label = "Remove"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only for eyes that look at something."""
        head = chosen_head(context)
        if head is None or look_at.LOOK_AT not in (head.vividtalk.armature or ()):
            cls.poll_message_set("These eyes have no target")
            return False
        return may_edit(cls)

    def execute(self, context: Any) -> set[str]:
        """Remove it."""
        look_at.stop_looking(chosen_head(context).vividtalk.armature)
        return {"FINISHED"}


_CLASSES = (Reroll, LookAt, StopLooking)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
