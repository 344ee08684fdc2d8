"""The session of this Blender, its timer and its handlers: made at registration, gone after it."""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from .job import Job, Notice, UndoneError
from .scene import files, lips
from .session import Session

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.02
_TICKS_PER_REDRAW = 10
_DRAWN_AREAS = {"SEQUENCE_EDITOR", "DOPESHEET_EDITOR", "GRAPH_EDITOR"}

_sessions: list[Session] = []  # one while the add-on is enabled
_gatherings: list[files.Gathering] = []  # one while a file is being written
_ticks = 0


def session() -> Session:
    """The session of this Blender."""
    return _sessions[0]


def start_timer() -> None:
    """Tick from Blender's event loop until the job has ended."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0)


def _tick() -> float | None:
    global _ticks
    _ticks += 1
    current = session()
    job = current.job
    try:
        current.tick()
    except Exception:
        _log.exception("the job was stopped by an error in VividTalk")
        current.give_up()
    if current.job is not None:
        if _ticks % _TICKS_PER_REDRAW == 0:
            redraw()
        return _TICK_SECONDS
    if job is not None:
        _conclude(job, current.notice)
    return None


def _conclude(job: Job, notice: Notice | None) -> None:
    """Push undo at the end of a job, and say how it ended.

    A job that was undone changed nothing, and a push would take the user's redo away.
    """
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        if not isinstance(job.error, UndoneError):
            bpy.ops.ed.undo_push(message=f"VividTalk: {job.title}")
        if notice is not None:
            bpy.ops.vividtalk.notify("INVOKE_DEFAULT", level=notice.level, text=notice.sentence)
    redraw()


def redraw() -> None:
    """Redraw what shows progress or keys; of the 3D viewport only the sidebar, which is cheap."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in _DRAWN_AREAS:
                area.tag_redraw()
            elif area.type == "VIEW_3D":
                for region in (r for r in area.regions if r.type == "UI"):
                    region.tag_redraw()


@persistent
def _before_load(*_arguments: Any) -> None:
    session().detach()


@persistent
def _before_save(target: str, *_arguments: Any) -> None:
    if target:
        gathering = files.gather_clips(Path(target))
        _gatherings[:] = [gathering]
        for problem in gathering.problems:
            session().notice = Notice("WARNING", problem)


@persistent
def _after_save(*_arguments: Any) -> None:
    _settle(saved=True)


@persistent
def _after_failed_save(*_arguments: Any) -> None:
    _settle(saved=False)


def _settle(saved: bool) -> None:
    if not _gatherings:
        return
    gathering = _gatherings.pop()
    files.settle_clips(gathering, saved)
    if saved and session().job is None and Path(bpy.data.filepath) == gathering.target:
        files.move_frames(gathering, session().folder)


def register() -> None:
    """Make the session and add the handlers."""
    folder = Path(bpy.utils.extension_path_user(__package__, path="clips"))
    _sessions.append(Session(folder))
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.save_pre.append(_before_save)
    bpy.app.handlers.save_post.append(_after_save)
    bpy.app.handlers.save_post_fail.append(_after_failed_save)


def unregister() -> None:
    """Stop the job, the timer and the threads, and remove the handlers."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    bpy.app.handlers.save_post_fail.remove(_after_failed_save)
    bpy.app.handlers.save_post.remove(_after_save)
    bpy.app.handlers.save_pre.remove(_before_save)
    bpy.app.handlers.load_pre.remove(_before_load)
    _sessions.pop().close()
    lips.forget()
