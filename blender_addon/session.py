"""What runs for one Blender: the connection, the job, and the tick that moves both.

Blender's main thread never waits: the client's thread owns the socket, a timer calls `Session.tick`.
Without a user interface `Session.run` calls the same tick in a loop.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from .controls import write_controls
from .interrupt import keyboard_interrupts
from .job import Desk, Job, Notice
from .link import BackendClient, Lost, Supervisor
from .protocol.controls import ExpressionControls, controls_to_json
from .protocol.errors import BackendError
from .protocol.handoff import default_handoff_path
from .protocol.tensorfile import Array
from .scene import compat, lips, sequencer, takes
from .scene.curves import EVERY_FRAME, Keying
from .scene.head_pose import pose_target
from .scene.layers import locked_groups
from .scene.lip_keys import lip_count
from .scene.sequencer import VoiceLine
from .take_job import AnimateJob

_KEYING_SECONDS = 0.006  # of a tick's 8 ms; the rest is for receiving
_POLL_LIMIT = 16
_LOOP_PAUSE_SECONDS = 0.005
_REASON_SECONDS = 0.1


@dataclass(frozen=True)
class Manner:
    """How a voice is to become motion: the seed, the controls, and how it is keyed."""

    seed: int = 0
    controls: ExpressionControls = field(default_factory=ExpressionControls)
    keying: Keying = EVERY_FRAME


class Session:
    """What runs for one Blender: a connection, at most one job, the last notice."""

    def __init__(self, user_folder: Path) -> None:
        self.job: Job | None = None
        self.notice: Notice | None = None
        self._client: BackendClient | None = None
        self._supervisor: tuple[tuple[str, ...], Supervisor] | None = None
        self._writer = ThreadPoolExecutor(max_workers=2, thread_name_prefix="vividtalk-clip")
        self._desk = Desk(user_folder, self._writer, self.cancel)

    @property
    def folder(self) -> Path:
        """Where files of an unsaved .blend go."""
        return self._desk.folder

    @property
    def connected(self) -> bool:
        """True while a connection is open or being opened."""
        return self._client is not None and not self._client.lost

    def start(self, scene: Any, head: Any, line: VoiceLine, manner: Manner) -> None:
        """Make a take on `head` and ask the backend to fill it; `connect` comes first.

        The motion is sampled at the frame rate of `scene`, whose range will hold it.

        Raises:
            VividTalkError: the job cannot be sent; then nothing has changed.
        """
        fps, face_id = sequencer.scene_fps(scene), head.vividtalk.face_id
        pose_target(head)
        job = self.submit("animate", animate_params(head, line, fps, manner))
        locked = takes.locked_take(head, line.path, line.first_frame)
        emotions = takes.emotions_to_keep(head, line.path, line.first_frame)
        take = takes.new_take(head, Path(line.path).stem, manner.seed)
        takes.keep_emotions(emotions, take)
        if locked:
            takes.keep_locked(head, locked, take)
        take.start_frame, take.sound_path = line.first_frame, sequencer.relative_path(line.path)
        write_controls(take.controls, manner.controls)
        running = AnimateJob(
            id=job,
            line=line,
            fps=fps,
            head=head.name,
            take=take.uid,
            take_name=take.name,
            seed=manner.seed,
            controls=manner.controls,
            face_id=face_id,
            scene_uid=scene.session_uid,
            keying=manner.keying,
            lips=lip_count(head),
            locked=locked_groups(take),
        )
        if running.lips:
            self._writer.submit(lips.prepare, lips.face_file(head.vividtalk.face_path))
        self.begin(running)

    def begin(self, job: Job) -> None:
        """Go on with `job`, which `submit` has sent."""
        self.job, self.notice = job, None

    def submit(self, kind: str, params: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> str:
        """Queue a job; its id. Raises what ended the connection, when it is over."""
        if self._client is None:
            raise BackendError("there is no connection to a backend", "Start the job again")
        try:
            return self._client.submit(kind, params, arrays)
        except BackendError as error:
            events = self._client.poll(_POLL_LIMIT, _REASON_SECONDS)
            raise next((event.error for event in events if isinstance(event, Lost)), error) from error

    def connect(self, command: tuple[str, ...]) -> None:
        """Have a connection to a backend, which `command` starts if none runs. Returns at once."""
        known = self._supervisor is not None and self._supervisor[0] == command
        if known and self.connected:
            return
        self._disconnect()
        if self._supervisor is None or not known:
            self._supervisor = (command, Supervisor(command, default_handoff_path()))
        self._client = BackendClient(self._supervisor[1])

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def cancel(self) -> None:
        """Ask the backend to stop the job; what came is kept."""
        if self.job is not None and self._client is not None and not self.job.ended:
            self.job.phase = "Cancelling"
            self._client.cancel(self.job.id)

    def detach(self) -> None:
        """Drop the job at once: another file is about to replace its data-blocks."""
        if self.job is not None:
            self.cancel()
            self.notice = Notice("WARNING", f"The job for {self.job.title!r} was stopped with its file")
            self.job = None

    def give_up(self) -> None:
        """Drop the job after an error of our own; what came is still written."""
        remark = "" if self.job is None else self.job.rescue(self._desk)
        self.detach()
        text = f"The job was stopped by an error in VividTalk; see the console{remark}"
        self.notice = Notice("ERROR", text)

    def close(self) -> None:
        """Drop the job, say goodbye to the backend, end all threads."""
        self.detach()
        self._disconnect()
        self._writer.shutdown()

    def run(self, limit: float) -> None:
        """Tick until the job has ended, for at most `limit` seconds; Ctrl-C cancels it."""
        deadline = time.monotonic() + limit
        with keyboard_interrupts():
            while self.job is not None:
                try:
                    self.tick()
                    time.sleep(_LOOP_PAUSE_SECONDS)
                    if time.monotonic() > deadline:
                        deadline += limit
                        self.cancel()
                except KeyboardInterrupt:
                    self.cancel()

    def tick(self) -> None:
        """Receive and key for some milliseconds. Edits nothing while a render runs."""
        deadline = time.perf_counter() + _KEYING_SECONDS
        self._receive()
        job = self.job
        if job is None or compat.rendering():
            return
        if job.step(self._desk, deadline):
            self.job, self.notice = None, job.notice

    def _receive(self) -> None:
        if self._client is None:
            return
        for event in self._client.poll(_POLL_LIMIT):
            if isinstance(event, Lost):
                self._disconnect()
            if self.job is not None and self.job.concerns(event):
                self.job.apply(event)


def animate_params(head: Any, line: VoiceLine, fps: float, manner: Manner) -> dict[str, Any]:
    """Parameters of the job `animate`, which docs/protocol.md describes."""
    return {
        "audio_path": line.path,
        "fps": fps,
        "start": line.start,
        "duration": line.duration,
        "speed": line.speed,
        "seed": manner.seed,
        "controls": controls_to_json(manner.controls),
        "face_id": head.vividtalk.face_id,
        "face_path": bpy.path.abspath(head.vividtalk.face_path),
    }
