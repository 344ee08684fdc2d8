"""Jobs that fill a take with motion, and the one that makes a new take of it."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from .job import Desk, Job, Notice, UndoneError
from .link import Chunk
from .protocol.clip import ClipInfo, MotionClip, read_info, write_clip
from .protocol.controls import ExpressionControls, controls_to_json
from .protocol.errors import CancelledError, VividTalkError
from .received import ReceivedMotion
from .scene import curves, files, sequencer, takes
from .scene.head_keys import HeadTrack
from .scene.head_pose import pose_target
from .scene.layers import HEAD, channel_groups
from .scene.rekey import tag
from .scene.sequencer import VoiceLine

_REFRESH_SECONDS = 0.5


@dataclass(frozen=True)
class SavedClip:
    """A clip on disk, and the text that the .blend holds of it."""

    path: Path
    text: str


@dataclass(kw_only=True)
class TakeJob(Job):
    """A job whose motion is for one take."""

    line: VoiceLine
    fps: float
    head: str
    take: str
    take_name: str
    motion: ReceivedMotion = field(default_factory=ReceivedMotion)
    info: ClipInfo | None = None
    saved: Future[SavedClip] | None = None

    @property
    def title(self) -> str:
        """The take's name."""
        return self.take_name

    def take_in(self, chunk: Chunk) -> None:
        """Append motion."""
        self.motion.append(chunk.start, chunk.arrays)

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Keep the clip's header."""
        self.info = read_info("the backend's answer", result.get("info", {}))

    def step(self, desk: Desk, deadline: float) -> bool:
        """Key what came; when all is keyed, finish. The take is looked up anew each time."""
        head, take = takes.find_take(self.head, self.take) or (None, None)
        if take is None and not self.ended:
            desk.cancel()
            self.end(UndoneError(f"the take {self.take_name!r} was removed"))
        self.head = head.name if head is not None else self.head  # found at once next time, if it was renamed
        if (take is not None and not self.key(head, take, deadline)) or not self.ended:
            return False
        return self.finish(desk, head, take)

    @abstractmethod
    def key(self, head: Any, take: Any, deadline: float) -> bool:
        """Key what came, until `time.perf_counter()` is `deadline`; True when all of it is keyed."""

    @abstractmethod
    def finish(self, desk: Desk, head: Any, take: Any) -> bool:
        """After the last key; `head` and `take` are None when they were removed. True when all is done."""

    @abstractmethod
    def clip(self) -> MotionClip:
        """The take's clip as it is to be stored; for any thread."""

    def store(self, desk: Desk, take: Any) -> str | None:
        """Save the clip in the background, and let `take` refer to it; a remark, None while it goes on."""
        if self.saved is None:
            self.phase = "Saving"
            self.save(desk)
            return None
        return attach(self.saved, take) if self.saved.done() else None

    def save(self, desk: Desk) -> Path:
        """Write the clip in the background; its path."""
        path = files.new_clip_path(self.take_name, self.take, desk.folder)
        self.saved = desk.writer.submit(_write, path, self.clip())
        return path

    def rescue(self, desk: Desk) -> str:
        """Save the motion that came."""
        if not self.motion.frames or self.saved is not None:
            return ""
        return f"; its motion is in {self.save(desk)}"


def _write(path: Path, clip: MotionClip) -> SavedClip:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, clip)
    return SavedClip(path, files.clip_text(path))


@dataclass(kw_only=True)
class AnimateJob(TakeJob):
    """A new take, keyed as its motion comes."""

    seed: int
    controls: ExpressionControls
    face_id: str
    scene_uid: int
    keying: curves.Keying = curves.EVERY_FRAME
    lips: int = 0
    locked: frozenset[str] = frozenset()
    marks: list[int] = field(init=False)
    head_track: HeadTrack = field(default_factory=HeadTrack)
    remark: str = ""
    refresh_at: float = 0.0

    def __post_init__(self) -> None:
        self.marks = [0] * len(curves.channels(self.lips))

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Keep the header and what the backend remarks."""
        self.remark = str(result.get("remark", ""))
        super().conclude(result)

    def key(self, head: Any, take: Any, deadline: float) -> bool:
        """Append the keys that are due."""
        if take.action is None:
            return True
        motion = curves.Motion(self.motion.values(self.lips), self.line.first_frame, self.ended)
        found = [
            None if group in self.locked else curve
            for group, curve in zip(
                channel_groups(self.lips), curves.find_curves(take.action, self.lips), strict=True
            )
        ][: motion.values.shape[1]]
        keyed = curves.write_due(found, motion, self.keying, deadline, self.marks)
        keyed = min(keyed, self._key_head(head, take, deadline))
        complete = keyed == self.motion.frames
        if self.ended and not complete:
            marks = [*self.marks[: len(found)], *self.head_track.marks]
            self.phase, self.fraction = "Keying", sum(marks) / len(marks) / self.motion.frames
        if keyed and ((self.ended and complete) or time.monotonic() >= self.refresh_at):
            self.refresh_at = time.monotonic() + _REFRESH_SECONDS
            self._show(take, keyed)
        return complete

    def _key_head(self, head: Any, take: Any, deadline: float) -> int:
        """Append the keys of the head pose that are due; how many frames have theirs."""
        due = len(self.motion.pose) and take.pose_action and HEAD not in self.locked
        target = pose_target(head) if due else None
        if target is None or target.owner != take.pose_owner:
            return self.motion.frames
        self.head_track.extend(target, self.motion.pose)
        motion = self.head_track.motion(target, self.line.first_frame, self.ended)
        return self.head_track.write(take, target, motion, self.keying, deadline)

    def _show(self, take: Any, frames: int) -> None:
        """Let playback see the new keys, over a range that holds them."""
        take.frames = frames
        tag(take)
        scene = next((found for found in bpy.data.scenes if found.session_uid == self.scene_uid), None)
        if scene is not None:
            first = self.line.first_frame
            sequencer.prepare_playback(scene, first, first + frames - 1)

    def finish(self, desk: Desk, head: Any, take: Any) -> bool:
        """Store the clip; a take for which nothing came is removed."""
        remark: str | None = ""
        if self.motion.frames:
            remark = self.store(desk, take)
        elif take is not None:
            takes.remove_take(head, take.uid)
        if remark is None:
            return False
        self.notice = self._ending(remark)
        return True

    def clip(self) -> MotionClip:
        """What came."""
        return self.motion.clip(self.info or self._own_info())

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
            controls=controls_to_json(self.controls),
        )

    def _ending(self, remark: str) -> Notice:
        """How it ended, in one line."""
        frames, name = self.motion.frames, f"take {self.take_name}"
        kept = f"{frames} frames are kept" if frames else "nothing came"
        reduced = f", reduced to keys within {self.keying.error:g}" if self.keying.reduced else ""
        tail = "".join(f"; {each}" for each in (self.remark, remark) if each)
        match self.error:
            case None:
                level = "WARNING" if tail else "INFO"
                still = "" if len(self.motion.pose) else "; there is no head motion in it"
                return Notice(level, f"{name}: {frames} frames{reduced}{still}{tail}")
            case CancelledError():
                return Notice("INFO", f"{name}: cancelled, {kept}{tail}")
            case UndoneError():
                return Notice("WARNING", f"{self.error.what}, so its job was stopped{tail}")
            case error:
                return Notice("ERROR", f"{error} ({name}: {kept}{tail})")


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
