"""Operators: they gather arguments, call a function that takes plain data, and report."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="valid-type,misc"

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import StringProperty

from . import runtime
from .controls import read_controls
from .job_operator import JobOperator, no_job_runs
from .preferences import backend_preference
from .protocol.errors import VividTalkError
from .protocol.face import read_face
from .protocol.handoff import find_command
from .scene import compat, demo, heads, lip_keys, lips, sequencer, takes
from .scene.curves import EVERY_FRAME, REDUCED, Keying, default_keying
from .scene.sequencer import VoiceLine
from .session import Manner

_ASSETS = Path(__file__).parent / "assets"
_DEMO_FPS = 25.0


def chosen_head(context: Any) -> Any:
    """The head of the panel, else the active object if it is one, else None."""
    for candidate in (context.scene.vividtalk.head, context.active_object):
        if heads.is_head(candidate) and candidate.users_scene:  # the panel's pointer outlives a deleted head
            return candidate
    return None


def chosen_line(context: Any) -> VoiceLine:
    """The voice that the panel names. Raises `InputError` when it cannot be used."""
    settings = context.scene.vividtalk
    scene = compat.sequencer_scene(context)
    sequencer.check_same_rate(context.scene, scene)
    if settings.source == "FILE":
        return sequencer.file_line(settings.sound_path, settings.start_frame)
    return sequencer.strip_line(scene, compat.active_strip(scene))


def start_job(context: Any) -> None:
    """Start to animate the chosen head from the chosen voice. Raises `VividTalkError`."""
    scene, settings, session = context.scene, context.scene.vividtalk, runtime.session()
    command = find_command(backend_preference(context))
    head, line = chosen_head(context), chosen_line(context)
    session.connect(command)
    seconds, added = line.duration / line.speed if line.duration is not None else 0.0, None
    if settings.source == "FILE" and bpy.app.build_options.audaspace:
        present = sequencer.find_strip(compat.sequencer_scene(context), line)
        strip = sequencer.add_sound(context, line)
        seconds = strip.frame_final_duration / sequencer.scene_fps(scene)
        added = strip if present is None else None
    try:
        keying = _chosen_keying(settings.keys, seconds)
        session.start(scene, head, line, Manner(settings.seed, read_controls(settings.controls), keying))
    except VividTalkError:
        if added is not None:
            sequencer.remove_sound(context, added)
        raise
    settings.head = head


def may_edit(operator: Any) -> bool:
    """For the poll of an operator that edits: not while a render runs, and it says so."""
    if compat.rendering():
        operator.poll_message_set("A render is running")
        return False
    return True


def may_start(operator: Any, context: Any, needs_take: bool) -> bool:
    """For the poll of an operator that starts a job: it says why not."""
    head = chosen_head(context)
    if needs_take and (head is None or takes.active_take(head) is None):
        operator.poll_message_set("Choose a head with a take")
        return False
    return no_job_runs(operator) and may_edit(operator)


def _chosen_keying(choice: str, seconds: float) -> Keying:
    """The panel's choice of keys for a voice of so many seconds; 0 when nobody knows."""
    if choice == "AUTO":
        return default_keying(seconds)
    return REDUCED if choice == "REDUCED" else EVERY_FRAME


class CreateHead(bpy.types.Operator):
    """Add a head that can talk. To use a face file of your own, name it in the panel of this operation"""

    bl_idname = "vividtalk.create_head"
    bl_label = "Create Head"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    face_path: StringProperty(
        name="Face file",
        description="A face file; empty for the built-in head",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Not while a render runs."""
        return may_edit(cls)

    def execute(self, context: Any) -> set[str]:
        """Create the head and choose it."""
        try:
            head = _create_head(context, self.face_path)
            head.vividtalk.armature.location = context.scene.cursor.location
            context.scene.vividtalk.head = head
        except VividTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def _create_head(context: Any, face_path: str = "") -> Any:
    head = heads.create_head(context, read_face(lips.face_file(face_path)))
    head.vividtalk.face_path = face_path
    return head


class Animate(JobOperator, bpy.types.Operator):
    """Animate the head from the voice, as a new take. Keys appear while the rest is still being computed"""

    bl_idname = "vividtalk.animate"
    bl_label = "Animate"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Say why not."""
        if not (no_job_runs(cls) and may_edit(cls)):
            return False
        head = chosen_head(context)
        if head is None:
            cls.poll_message_set("Choose a head, or create one")
            return False
        if head.library or head.data.library:
            cls.poll_message_set("The head is linked from another file: make it and its mesh local")
            return False
        return True

    def start(self, context: Any) -> None:
        """Start to animate."""
        start_job(context)


class Cancel(bpy.types.Operator):
    """Stop the running job; the keys that came are kept"""

    bl_idname = "vividtalk.cancel"
    bl_label = "Cancel"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Only while a job runs."""
        if runtime.session().job is None:
            cls.poll_message_set("No job is running")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        """Ask the backend to stop."""
        runtime.session().cancel()
        return {"FINISHED"}


class DeleteTake(bpy.types.Operator):
    """Delete the take and its Action; its clip file stays on disk"""

    bl_idname = "vividtalk.delete_take"
    bl_label = "Delete Take"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only with a take to delete."""
        head = chosen_head(context)
        if head is None or takes.active_take(head) is None:
            cls.poll_message_set("Choose a head with a take")
            return False
        return may_edit(cls)

    def execute(self, context: Any) -> set[str]:
        """Delete the active take."""
        head = chosen_head(context)
        takes.delete_take(head, head.vividtalk.active_take)
        return {"FINISHED"}


class RefreshLips(bpy.types.Operator):
    """Solve the lip contact of the take again where its shapes were edited; other keys stay as they are"""

    bl_idname = "vividtalk.refresh_lips"
    bl_label = "Refresh Lips"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only with a finished take on a head that has lip keys."""
        head = chosen_head(context)
        if head is None or takes.active_take(head) is None:
            cls.poll_message_set("Choose a head with a take")
        elif not lip_keys.lip_count(head):
            cls.poll_message_set("This head's face file has no lip keys")
        else:
            return no_job_runs(cls) and may_edit(cls)
        return False

    def execute(self, context: Any) -> set[str]:
        """Refresh the active take."""
        head = chosen_head(context)
        try:
            changed = lips.refresh_lips(head, takes.active_take(head), sequencer.scene_fps(context.scene))
        except VividTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Lips solved again on {changed} frames" if changed else "The lips fit already")
        return {"FINISHED"}


class CreateDemoScene(bpy.types.Operator):
    """Add a scene with a lit head, a camera, and a voice line that is ready to animate"""

    bl_idname = "vividtalk.create_demo_scene"
    bl_label = "Create Demo Scene"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Not while a render runs."""
        return may_edit(cls)

    def execute(self, context: Any) -> set[str]:
        """Build the scene and show it."""
        scene = bpy.data.scenes.new("VividTalk Demo")
        context.window.scene = scene
        compat.show_in_sequencer(context, scene, instead=True)
        demo.set_frame_rate(scene, _DEMO_FPS)
        scene.frame_start = scene.frame_end = 1
        try:
            head = _create_head(context)
        except VividTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        demo.light_and_frame(scene, head)
        demo.look_through_camera([context.window.screen])
        scene.vividtalk.head = head
        scene.vividtalk.sound_path = str(_ASSETS / "demo_voice.flac")
        return {"FINISHED"}


class Notify(bpy.types.Operator):
    """Report a message as operators do: from a timer there is no other way to Blender's own reports"""

    bl_idname = "vividtalk.notify"
    bl_label = "VividTalk"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    level: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    text: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Wait for an event: only then are reports shown."""
        self._timer = context.window_manager.event_timer_add(0.01, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Report and end."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        self.report({self.level}, self.text)
        return {"FINISHED"}


class Dismiss(bpy.types.Operator):
    """Hide this message"""

    bl_idname = "vividtalk.dismiss"
    bl_label = "Dismiss"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, _context: Any) -> set[str]:
        """Forget the last notice."""
        runtime.session().notice = None
        return {"FINISHED"}


_CLASSES = (
    CreateHead,
    Animate,
    Cancel,
    DeleteTake,
    RefreshLips,
    CreateDemoScene,
    Notify,
    Dismiss,
)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
