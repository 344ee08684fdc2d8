"""Operators about how a voice is spoken: a style from a reference."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="valid-type,misc"

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import bpy
import numpy as np
from bpy.props import BoolProperty, StringProperty

from . import runtime
from .job_operator import JobOperator
from .operators import chosen_head, may_start
from .preferences import backend_preference
from .protocol.arkit import ARKIT_NAMES
from .protocol.clip import ClipInfo, read_clip, spoken_weights
from .protocol.errors import InputError
from .protocol.handoff import find_command
from .protocol.tensorfile import Array
from .scene import compat, files, takes
from .scene.evaluated import spoken_motion
from .style_job import StyleJob


def start_style(context: Any, weights: Array, info: ClipInfo, sound: Path, source: str) -> None:
    """Ask for the style of the motion `weights` [n, 52], which `info` says how `sound` goes with."""
    if not info.audio_path or not sound.is_file():
        raise InputError(f"the sound of {source} is not at {sound}", "A style is told from motion and sound")
    session = runtime.session()
    command = find_command(backend_preference(context))
    session.connect(command)
    params = {
        "audio_path": str(sound),
        "fps": info.fps,
        "start": info.audio_offset,
        "duration": info.audio_duration or None,
        "speed": info.audio_speed,
    }
    job = session.submit("style", params, {"weights": weights})
    session.begin(StyleJob(id=job, source=source, scene_uid=context.scene.session_uid))


class StyleFromTake(JobOperator, bpy.types.Operator):
    """Speak as the active take does, as it is now: sets the sliders above"""

    bl_idname = "vividtalk.style_from_take"
    bl_label = "From Take"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only with a take."""
        return may_start(cls, context, needs_take=True)

    def start(self, context: Any) -> None:
        """Ask for the style of the take's curves."""
        head = chosen_head(context)
        take = takes.active_take(head)
        clip, motion = files.take_clip(take), spoken_motion(head, take)
        frames = np.arange(clip.frames) + take.start_frame - motion.first
        values = motion.values[np.clip(frames, 0, len(motion.values) - 1), : len(ARKIT_NAMES)]
        weights = np.clip(values, 0.0, 1.0).astype(np.float32)
        sound = Path(bpy.path.abspath(take.sound_path))
        start_style(context, weights, clip.info, sound, f"take {take.name}")


class StyleFromClip(JobOperator, bpy.types.Operator):
    """Speak as a motion clip does, whose sound is where it says: sets the sliders above"""

    bl_idname = "vividtalk.style_from_clip"
    bl_label = "From Clip"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    filepath: StringProperty(name="Clip", subtype="FILE_PATH", options=compat.RELATIVE_PATH | {"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.safetensors", options={"HIDDEN"})
    browsed: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only while no job runs."""
        return may_start(cls, context, needs_take=False)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask for the file."""
        if self.filepath:
            return super().invoke(context, event)
        self.browsed = True
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Start the job: after the file browser a timer goes on with it."""
        return super().invoke(context, None) if self.browsed else super().execute(context)

    def start(self, context: Any) -> None:
        """Ask for the style of the file."""
        path = Path(bpy.path.abspath(self.filepath))
        clip = read_clip(path)
        start_style(context, spoken_weights(clip), clip.info, path.parent / clip.info.audio_path, path.name)


_CLASSES = (StyleFromTake, StyleFromClip)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
