"""Jobs that end with a picture of a portrait: a talking video, a still of one frame, a head of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .job import Desk, Job, Notice, UndoneError
from .link import Chunk
from .protocol.errors import CancelledError, ProtocolError, VividTalkError
from .protocol.face import read_face
from .protocol.render import RenderResult, read_notices, read_result
from .scene import files, heads, movies
from .scene.movies import MoviePlace


@dataclass(kw_only=True)
class PictureJob(Job):
    """A job about a portrait. It changes the scene once, at its end, unless undo took its beginning back.

    Attributes:
        scene_uid: session uid of the scene whose settings know the job; undo makes them forget it.
        name: for messages.
    """

    scene_uid: int
    name: str

    @property
    def title(self) -> str:
        """What is being made."""
        return self.name

    def mark(self) -> None:
        """Let the scene know the job."""
        scene = self._scene()
        if scene is not None:
            scene.vividtalk.video.job = self.id

    def _scene(self) -> Any:
        return next((found for found in bpy.data.scenes if found.session_uid == self.scene_uid), None)

    def step(self, desk: Desk, deadline: float) -> bool:
        """Wait for the end; then show what came."""
        scene = self._scene()
        known = scene is not None and scene.vividtalk.video.job == self.id
        if not known and not self.ended:
            desk.cancel()
            self.end(UndoneError(f"{self.name} was undone"))
        if not self.ended:
            return False
        if known:
            scene.vividtalk.video.job = ""
        self.notice = self._ending(scene)
        return True

    def _ending(self, scene: Any) -> Notice:
        match self.error:
            case None:
                try:
                    with _in(scene):
                        return self.show(scene)
                except (VividTalkError, RuntimeError) as error:
                    return Notice("ERROR", str(error).strip())
            case CancelledError():
                return Notice("INFO", f"{self.name}: cancelled{self.kept()}")
            case UndoneError():
                return Notice("WARNING", f"{self.error.what}, so its job was stopped{self.kept()}")
            case error:
                return Notice("ERROR", f"{error} ({self.name}{self.kept()})")

    @abstractmethod
    def show(self, scene: Any) -> Notice:
        """Put the result into the .blend; may raise `VividTalkError`."""

    def kept(self) -> str:
        """What is left of a job that did not end well, to follow its name."""
        return ""

    def rescue(self, desk: Desk) -> str:
        """What the backend wrote is on disk already."""
        return ""


def _in(scene: Any) -> Any:
    """A context in `scene`: a timer has no window of its own."""
    windows = bpy.context.window_manager.windows
    window = next((window for window in windows if window.scene == scene), None)
    if window is not None:
        return bpy.context.temp_override(window=window)
    return bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0])


@dataclass(kw_only=True)
class RenderJob(PictureJob):
    """What `render` and `still` share: frames that are counted, notes that are kept."""

    done: int = 0
    rendered: int = 0
    result: RenderResult | None = None

    def take_in(self, chunk: Chunk) -> None:
        """Count frames."""
        notices = read_notices(chunk.arrays)
        self.done += len(notices)
        self.rendered += sum(notice.rendered for notice in notices)

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Keep the result."""
        self.result = read_result(result)

    def kept(self) -> str:
        """How many frames are in the cache."""
        return f", {self.done} frames are kept" if self.done else ""

    def noted(self, scene: Any) -> RenderResult:
        """The result; its notes and its path go to the panel."""
        if self.result is None:
            raise ProtocolError("the backend did not say how the video ended", "Update the backend")
        scene.vividtalk.video.notes = "\n".join(str(note) for note in self.result.notes)
        return self.result

    def ended_well(self, text: str) -> Notice:
        """`text`, and a hint to the notes of the panel."""
        notes = [str(note) for note in self.result.notes] if self.result else []
        return Notice("WARNING" if notes else "INFO", "; ".join((text, *notes)))


@dataclass(kw_only=True)
class VideoJob(RenderJob):
    """A movie of a take, put on the timeline."""

    place: MoviePlace
    path: Path
    left_out: tuple[str, ...] = ()

    def show(self, scene: Any) -> Notice:
        """Show the movie's strip."""
        result = self.noted(scene)
        path = Path(result.path or self.path)
        scene.vividtalk.video.result = files.stored_path(path)
        movies.show_movie(bpy.context, self.place, path)
        text = f"{path.name}: {result.rendered} of {result.frames} frames rendered"
        missing = f"; a portrait cannot show {', '.join(self.left_out)}" if self.left_out else ""
        return self.ended_well(text + missing)


@dataclass(kw_only=True)
class StillJob(RenderJob):
    """One frame, as an image."""

    path: Path

    def show(self, scene: Any) -> Notice:
        """Load the image."""
        self.noted(scene)
        shown = movies.show_still(self.path)
        where = "" if shown else f"; see the image {movies.STILL} in an Image Editor"
        return self.ended_well(f"still of frame {scene.frame_current}{where}")


@dataclass(kw_only=True)
class FitJob(PictureJob):
    """A head that looks like the person in a portrait."""

    portrait: Path
    path: Path
    notes: tuple[str, ...] = ()

    def take_in(self, chunk: Chunk) -> None:
        """There is nothing but a file in the answer."""
        raise ProtocolError(f"frames from {chunk.start} came for a fit")

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Keep the notes."""
        self.notes = tuple(str(note) for note in result.get("notes", ()))

    def show(self, scene: Any) -> Notice:
        """Add the head to the scene, where its cursor is."""
        head = heads.create_head(bpy.context, read_face(self.path), self.portrait.stem)
        head.vividtalk.face_path = files.stored_path(self.path)
        head.vividtalk.portrait_path = scene.vividtalk.video.portrait
        head.vividtalk.armature.location = scene.cursor.location
        scene.vividtalk.head = head
        text = f"head of {self.portrait.name}"
        return Notice("WARNING" if self.notes else "INFO", "; ".join((text, *self.notes)))
