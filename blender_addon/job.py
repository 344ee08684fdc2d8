"""One animate job: what came of it, what is keyed, how it ended. It knows data-blocks by name or number."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from .link import Cancelled, Chunk, Done, Event, Failed, Lost, Progress
from .protocol.clip import ClipInfo, read_info, write_clip
from .protocol.errors import CancelledError, VividTalkError
from .received import ReceivedMotion
from .scene import curves, files, sequencer, takes
from .scene.sequencer import VoiceLine

_REFRESH_SECONDS = 0.5


@dataclass(frozen=True)
class Notice:
    """A message for the user: `level` is INFO, WARNING or ERROR."""

    level: str
    text: str

    @property
    def sentence(self) -> str:
        """The text with a capital."""
        return self.text[:1].upper() + self.text[1:]


@dataclass(frozen=True)
class SavedClip:
    """A clip on disk, and the text that the .blend holds of it."""

    path: Path
    text: str


class TakeRemovedError(VividTalkError):
    """Undo or the user removed the take that a job was keying."""


@dataclass
class AnimateJob:
    """A running job. Data-blocks are known by name or number only: undo may replace or remove them."""

    id: str
    line: VoiceLine
    fps: float
    seed: int
    face_id: str
    scene_uid: int
    head: str
    take: str
    take_name: str
    keying: curves.Keying = curves.EVERY_FRAME
    motion: ReceivedMotion = field(default_factory=ReceivedMotion)
    lips: int = 0
    marks: list[int] = field(init=False)
    remark: str = ""
    phase: str = "Starting"
    fraction: float = 0.0
    ended: bool = False
    error: VividTalkError | None = None
    info: ClipInfo | None = None
    saved: Future[SavedClip] | None = None
    refresh_at: float = 0.0

    def __post_init__(self) -> None:
        self.marks = [0] * len(curves.channels(self.lips))

    def end(self, error: VividTalkError | None = None) -> None:
        """Nothing more will come; the first reason counts."""
        if not self.ended:
            self.ended, self.error = True, error

    def concerns(self, event: Event) -> bool:
        """True when `event` is about this job."""
        return self.id in event.jobs if isinstance(event, Lost) else getattr(event, "job", None) == self.id

    def apply(self, event: Event) -> None:
        """Take in an event of this job; motion that makes no sense ends it."""
        if self.ended:
            return
        try:
            match event:
                case Progress():
                    waiting = f"Waiting for {event.ahead} other job(s)" if event.ahead else ""
                    self.phase, self.fraction = waiting or event.phase, event.fraction
                case Chunk():
                    self.motion.append(event.start, event.arrays)
                case Done():
                    self.remark = str(event.result.get("remark", ""))
                    self.info = read_info("the backend's answer", event.result.get("info", {}))
                    self.end()
                case Failed() | Lost():
                    self.end(event.error)
                case Cancelled():
                    self.end(CancelledError("cancelled"))
        except VividTalkError as error:
            self.end(error)

    def key(self, take: Any, deadline: float) -> bool:
        """Key what came, until `time.perf_counter()` is `deadline`; True when all of it is keyed."""
        if take.action is None:
            return True
        motion = curves.Motion(self.motion.values(self.lips), self.line.first_frame, self.ended)
        found = curves.find_curves(take.action, self.lips)[: motion.values.shape[1]]
        keyed = curves.write_due(found, motion, self.keying, deadline, self.marks)
        complete = keyed == self.motion.frames
        if self.ended and not complete:
            self.phase, self.fraction = "Keying", keyed / self.motion.frames
        if keyed and ((self.ended and complete) or time.monotonic() >= self.refresh_at):
            self.refresh_at = time.monotonic() + _REFRESH_SECONDS
            self._show(take, keyed)
        return complete

    def _show(self, take: Any, frames: int) -> None:
        """Let playback see the new keys, over a range that holds them."""
        take.frames = frames
        take.action.update_tag()
        scene = next((found for found in bpy.data.scenes if found.session_uid == self.scene_uid), None)
        if scene is not None:
            first = self.line.first_frame
            sequencer.prepare_playback(scene, first, first + frames - 1)

    def write(self, path: Path) -> SavedClip:
        """Write what came as a clip to `path`, whose folder is made; runs outside the main thread."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, self.motion.clip(self.info or self._own_info()))
        return SavedClip(path, files.clip_text(path))

    def _own_info(self) -> ClipInfo:
        """A header for a part of the motion, when the backend sent none."""
        return ClipInfo(
            fps=self.fps,
            audio_path=self.line.path,
            audio_offset=self.line.start,
            audio_duration=self.motion.frames / self.fps * self.line.speed,
            audio_speed=self.line.speed,
            face_id=self.face_id,
            seed=self.seed,
        )

    def notice(self, remark: str = "") -> Notice:
        """How it ended, in one line; `remark` is appended."""
        frames, name = self.motion.frames, f"take {self.take_name}"
        kept = f"{frames} frames are kept" if frames else "nothing came"
        reduced = f", reduced to keys within {self.keying.error:g}" if self.keying.reduced else ""
        tail = "".join(f"; {each}" for each in (self.remark, remark) if each)
        match self.error:
            case None:
                level = "WARNING" if tail else "INFO"
                return Notice(
                    level, f"{name}: {frames} frames{reduced}. This clip has no head motion yet{tail}"
                )
            case CancelledError():
                return Notice("INFO", f"{name}: cancelled, {kept}{tail}")
            case TakeRemovedError():
                return Notice("WARNING", f"{self.error.what}, so its job was stopped{tail}")
            case error:
                return Notice("ERROR", f"{error} ({name}: {kept}{tail})")


def remove_empty(head: Any, take: Any) -> None:
    """Remove a take for which nothing came."""
    index = next(i for i, other in enumerate(head.vividtalk.takes) if other.uid == take.uid)
    takes.delete_take(head, index)


def attach(saved: Future[SavedClip], take: Any) -> str:
    """Let `take` (None when it was removed) refer to the saved clip; a remark for the user, or ""."""
    try:
        clip = saved.result()
        if take is None:
            return f"its motion is in {clip.path}"
        files.attach_clip(take, clip.path, clip.text)
        return ""
    except (OSError, VividTalkError) as error:
        return f"its clip could not be saved: {error}"
