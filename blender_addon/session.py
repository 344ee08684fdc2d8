"""What runs for one Blender: the connection, the job, and the tick that moves both.

Blender's main thread never waits: the client's thread owns the socket, a timer calls `Session.tick`.
Without a user interface `Session.run` calls the same tick in a loop.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bpy

from .interrupt import keyboard_interrupts
from .job import AnimateJob, Notice, TakeRemovedError, attach, remove_empty
from .link import BackendClient, Lost, Supervisor
from .protocol.errors import BackendError
from .protocol.handoff import default_handoff_path
from .scene import compat, files, lips, sequencer, takes
from .scene.curves import Keying
from .scene.lip_keys import lip_count
from .scene.sequencer import VoiceLine

_KEYING_SECONDS = 0.006  # of a tick's 8 ms; the rest is for receiving
_POLL_LIMIT = 16
_LOOP_PAUSE_SECONDS = 0.005
_REASON_SECONDS = 0.1


class Session:
    """What runs for one Blender: a connection, at most one job, the last notice."""

    def __init__(self, user_folder: Path) -> None:
        self.job: AnimateJob | None = None
        self.notice: Notice | None = None
        self._user_folder = user_folder
        self._client: BackendClient | None = None
        self._supervisor: tuple[tuple[str, ...], Supervisor] | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vividtalk-clip")

    @property
    def connected(self) -> bool:
        """True while a connection is open or being opened."""
        return self._client is not None and not self._client.lost

    def start(self, scene: Any, head: Any, line: VoiceLine, seed: int, keying: Keying) -> None:
        """Make a take on `head` and ask the backend to fill it; `connect` comes first.

        The motion is sampled at the frame rate of `scene`, whose range will hold it.

        Raises:
            VividTalkError: the job cannot be sent; then nothing has changed.
        """
        if self._client is None:
            raise BackendError("there is no connection to a backend", "Start the job again")
        fps, face_id = sequencer.scene_fps(scene), head.vividtalk.face_id
        params = {
            "audio_path": line.path,
            "fps": fps,
            "start": line.start,
            "duration": line.duration,
            "speed": line.speed,
            "seed": seed,
            "face_id": face_id,
            "face_path": bpy.path.abspath(head.vividtalk.face_path),
        }
        job = self._submit(self._client, params)
        take = takes.new_take(head, Path(line.path).stem, seed)
        take.start_frame, take.sound_path = line.first_frame, sequencer.relative_path(line.path)
        self.notice = None
        self.job = AnimateJob(
            job,
            line,
            fps,
            seed,
            face_id,
            scene.session_uid,
            head.name,
            take.uid,
            take.name,
            keying,
            lips=lip_count(head),
        )
        if self.job.lips:
            self._writer.submit(lips.prepare, lips.face_file(head.vividtalk.face_path))

    def _submit(self, client: BackendClient, params: Mapping[str, Any]) -> str:
        """Queue the job; raises what ended the connection, when it is over."""
        try:
            return client.submit("animate", params)
        except BackendError as error:
            events = client.poll(_POLL_LIMIT, _REASON_SECONDS)
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
            self.notice = Notice("WARNING", f"The job for {self.job.take_name!r} was stopped with its file")
            self.job = None

    def give_up(self) -> None:
        """Drop the job after an error of our own; what came is still written."""
        job, remark = self.job, ""
        if job is not None and job.motion.frames and job.saved is None:
            remark = f"; its motion is in {self._save(job)}"
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
        head, take = takes.find_take(job.head, job.take) or (None, None)
        if take is None and not job.ended:
            self.cancel()
            job.end(TakeRemovedError(f"the take {job.take_name!r} was removed"))
        job.head = head.name if head is not None else job.head  # found at once next time, if it was renamed
        if (take is None or job.key(take, deadline)) and job.ended:
            self._finish(job, head, take)

    def _receive(self) -> None:
        if self._client is None:
            return
        for event in self._client.poll(_POLL_LIMIT):
            if isinstance(event, Lost):
                self._disconnect()
            if self.job is not None and self.job.concerns(event):
                self.job.apply(event)

    def _finish(self, job: AnimateJob, head: Any, take: Any) -> None:
        """Write the clip in the background, then let the take refer to it and say how it ended."""
        if job.motion.frames == 0:
            if take is not None:
                remove_empty(head, take)
            self.job, self.notice = None, job.notice()
        elif job.saved is None:
            job.phase = "Saving"
            self._save(job)
        elif job.saved.done():
            self.job, self.notice = None, job.notice(attach(job.saved, take))

    def _save(self, job: AnimateJob) -> Path:
        """Write the clip in the background; its path."""
        path = files.new_clip_path(job.take_name, job.take, self._user_folder)
        job.saved = self._writer.submit(job.write, path)
        return path
