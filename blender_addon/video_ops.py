"""Operators about portraits: a talking video of a take, a still of one frame, a head that looks like it."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="misc"

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import bpy

from . import runtime
from .head_ops import take_line
from .job_operator import JobOperator, no_job_runs
from .operators import chosen_head, may_edit, may_start
from .preferences import backend_preference
from .protocol.errors import InputError, OutputError
from .protocol.handoff import find_command
from .protocol.render import FIT_JOB, RENDER_JOB, STILL_JOB, RenderParams, params_json
from .scene import compat, files, movies, sampling, sequencer, takes
from .scene.evaluated import keyed_frames
from .scene.movies import MoviePlace
from .scene.sequencer import VoiceLine
from .video_job import FitJob, StillJob, VideoJob


def portrait_path(context: Any) -> Path:
    """The portrait that the panel names, absolute. Raises `InputError` without one."""
    named = context.scene.vividtalk.video.portrait
    path = Path(bpy.path.abspath(named))
    if not named or not path.is_file():
        raise InputError(
            f"the portrait {named!r} does not exist", "Choose a picture in the panel Talking Video"
        )
    return path.resolve()


def start_video(context: Any) -> None:
    """Start to render the chosen head's active take as a talking video. Raises `VividTalkError`."""
    head, session, scene = chosen_head(context), runtime.session(), context.scene
    take, portrait, cut = takes.active_take(head), portrait_path(context), compat.sequencer_scene(context)
    sequencer.check_same_rate(scene, cut)
    motion = sampling.played_frames(head, take, keyed_frames(head, take))
    frames = range(motion.first, motion.first + len(motion.weights))
    heard, missing = _voice(cut, take, frames)
    folder = _made_folder()
    name = f"{take.name}-{portrait.stem}"
    path = movies.next_version(folder, name)
    params = replace(
        _params(context, head, portrait, folder), output_path=str(path), **_sound(heard, motion.first, scene)
    )
    session.connect(find_command(backend_preference(context)))
    place = MoviePlace(cut.session_uid, f"{take.uid} {portrait.name}", name, motion.first, missing)
    running = VideoJob(
        id=session.submit(RENDER_JOB, params_json(params), motion.arrays),
        scene_uid=scene.session_uid,
        name=f"the video {path.name}",
        place=place,
        path=path,
        left_out=motion.left_out,
    )
    running.mark()
    session.begin(running)


def start_still(context: Any) -> None:
    """Start to render what the chosen head shows now. Raises `VividTalkError`."""
    head, session, scene = chosen_head(context), runtime.session(), context.scene
    portrait = portrait_path(context)
    graph = context.evaluated_depsgraph_get()
    motion = sampling.seen_now(head, takes.active_take(head), graph, scene.frame_current)
    folder = _made_folder()
    path = folder / "still.png"
    params = replace(_params(context, head, portrait, folder), output_path=str(path))
    session.connect(find_command(backend_preference(context)))
    running = StillJob(
        id=session.submit(STILL_JOB, params_json(params), motion.arrays),
        scene_uid=scene.session_uid,
        name="the still",
        path=path,
    )
    running.mark()
    session.begin(running)


def start_fit(context: Any) -> None:
    """Start to fit a head to the portrait. Raises `VividTalkError`."""
    session, portrait = runtime.session(), portrait_path(context)
    path = _made_folder() / f"{portrait.stem}-{uuid.uuid4().hex[:8]}.safetensors"
    session.connect(find_command(backend_preference(context)))
    params = {"portrait_path": str(portrait), "output_path": str(path)}
    running = FitJob(
        id=session.submit(FIT_JOB, params),
        scene_uid=context.scene.session_uid,
        name=f"the head of {portrait.name}",
        portrait=portrait,
        path=path,
    )
    running.mark()
    session.begin(running)


def _made_folder() -> Path:
    """Where this .blend keeps its files. Raises `OutputError` when it cannot be made."""
    folder = files.own_folder(runtime.session().folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {error.strerror or error}") from error
    return folder


def _params(context: Any, head: Any, portrait: Path, folder: Path) -> RenderParams:
    video = context.scene.vividtalk.video
    return RenderParams(
        fps=sequencer.scene_fps(context.scene),
        portrait_path=str(portrait),
        fit_path=_known_fit(head, portrait),
        face_id=head.vividtalk.face_id,
        relative=video.motion == "RELATIVE",
        size=int(video.size),
        renderer=video.renderer.lower(),
        cache=str(folder / files.FRAMES),
    )


def _known_fit(head: Any, portrait: Path) -> str:
    """The face file of `head` if it was made of this portrait, which has not changed since; else ""."""
    known = head.vividtalk.portrait_path
    if not known or Path(bpy.path.abspath(known)).resolve() != portrait:
        return ""
    fit = Path(bpy.path.abspath(head.vividtalk.face_path))
    return str(fit) if fit.is_file() and fit.stat().st_mtime >= portrait.stat().st_mtime else ""


def _voice(scene: Any, take: Any, frames: range) -> tuple[VoiceLine | None, VoiceLine | None]:
    """What is heard during `frames` of a take, and the same where no strip of `scene` plays it yet."""
    path = bpy.path.abspath(take.sound_path)
    if not take.sound_path or not Path(path).is_file():
        return None, None
    strip = sequencer.voice_strip(scene, path, frames)
    if strip is not None:
        return sequencer.strip_line(scene, strip), None
    line = take_line(take, files.take_clip(take))
    return line, line if line.speed == 1.0 else None


def _sound(line: VoiceLine | None, first: int, scene: Any) -> dict[str, Any]:
    """The movie's sound: `line`, which starts at its own frame, from frame `first` on."""
    if line is None:
        return {}
    ahead = (first - line.first_frame) / sequencer.scene_fps(scene) * line.speed
    return {"audio_path": line.path, "start": line.start + ahead, "speed": line.speed}


def _may_use_portrait(operator: Any, context: Any) -> bool:
    """For the poll of an operator that needs a portrait: it says why not."""
    if not context.scene.vividtalk.video.portrait:
        operator.poll_message_set("Choose a portrait in the panel Talking Video")
        return False
    return no_job_runs(operator) and may_edit(operator)


class RenderVideo(JobOperator, bpy.types.Operator):
    """Let the portrait speak as the take does, edits included, and show the movie in the sequencer.

    Only frames that changed since the last time are rendered
    """

    bl_idname = "vividtalk.render_video"
    bl_label = "Render Talking Video"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only with a take and a portrait."""
        return may_start(cls, context, needs_take=True) and _may_use_portrait(cls, context)

    def start(self, context: Any) -> None:
        """Start to render."""
        start_video(context)


class RenderStill(JobOperator, bpy.types.Operator):
    """Show the portrait as the head is now, in the Image Editor"""

    bl_idname = "vividtalk.render_still"
    bl_label = "Still"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only with a head and a portrait."""
        if chosen_head(context) is None:
            cls.poll_message_set("Choose a head, or create one")
            return False
        return _may_use_portrait(cls, context)

    def start(self, context: Any) -> None:
        """Start to render."""
        start_still(context)


class HeadFromPortrait(JobOperator, bpy.types.Operator):
    """Add a head that looks like the person in the portrait, with the portrait as its skin"""

    bl_idname = "vividtalk.head_from_portrait"
    bl_label = "Head from Portrait"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only with a portrait, outside of edit modes."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the edit mode first")
            return False
        return _may_use_portrait(cls, context)

    def start(self, context: Any) -> None:
        """Start to fit."""
        start_fit(context)


class PortraitFromStrip(bpy.types.Operator):
    """Take the picture of the sequencer's active image strip for the portrait"""

    bl_idname = "vividtalk.portrait_from_strip"
    bl_label = "Portrait from Strip"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only with an active image strip."""
        strip = compat.active_strip(compat.sequencer_scene(context))
        if strip is None or strip.type != "IMAGE":
            cls.poll_message_set("Select an image strip in the sequencer")
            return False
        return may_edit(cls)

    def execute(self, context: Any) -> set[str]:
        """Take its first picture."""
        strip = compat.active_strip(compat.sequencer_scene(context))
        path = Path(bpy.path.abspath(strip.directory)) / strip.elements[0].filename
        context.scene.vividtalk.video.portrait = sequencer.relative_path(str(path))
        return {"FINISHED"}


_CLASSES = (RenderVideo, RenderStill, HeadFromPortrait, PortraitFromStrip)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
