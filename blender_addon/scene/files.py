"""Where clips and videos of takes are kept: beside the .blend; small clips inside it too."""

from __future__ import annotations

import base64
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..protocol.clip import MotionClip, read_clip
from ..protocol.errors import InputError
from . import movies, sequencer

FOLDER = "vividtalk"
FRAMES = "frames"  # the folder of rendered frames in it
EMBED_LIMIT_BYTES = 5_000_000


def new_clip_path(name: str, uid: str, user_folder: Path) -> Path:
    """Where the clip of take `name` goes: `vividtalk/` beside the saved .blend, else `user_folder`."""
    readable = re.sub(r"[^\w.-]+", "_", name)
    return own_folder(user_folder) / f"{readable}-{uid[:8]}.safetensors"


def own_folder(user_folder: Path) -> Path:
    """`vividtalk/` beside the saved .blend, else `user_folder`; it may have to be made."""
    blend = bpy.data.filepath
    return Path(blend).parent / FOLDER if blend else user_folder


def attach_clip(take: Any, path: Path, text: str) -> None:
    """Let `take` refer to the clip at `path`, and hold its `text`, which `clip_text` made."""
    take.clip_path = stored_path(path)
    take.clip_data = text


def stored_path(path: Path) -> str:
    """How the .blend names a file: relative to itself when it is in `vividtalk/` beside it."""
    beside = bpy.data.filepath and path.parent == Path(bpy.data.filepath).parent / FOLDER
    return f"//{FOLDER}/{path.name}" if beside else str(path)


def clip_text(path: Path) -> str:
    """The clip file at `path` as base64 text, "" if it is not under 5 MB; for any thread."""
    if path.stat().st_size >= EMBED_LIMIT_BYTES:
        return ""
    return base64.b64encode(path.read_bytes()).decode("ascii")


def take_clip(take: Any) -> MotionClip:
    """The clip that `take` was made from: its file, else the one inside the .blend.

    Raises:
        InputError: the take has neither, or its clip cannot be read.
    """
    path = Path(bpy.path.abspath(take.clip_path))
    if take.clip_path and path.is_file():
        return read_clip(path)
    if not take.clip_data:
        raise InputError(f"the take {take.name!r} has no clip any more", "Animate its voice again")
    with tempfile.TemporaryDirectory(prefix="vividtalk-") as folder:
        unpacked = Path(folder) / "clip.safetensors"
        unpacked.write_bytes(base64.b64decode(take.clip_data))
        return read_clip(unpacked)


def embed_clip(take: Any, path: Path) -> None:
    """Store the clip file at `path` in the .blend, if it is under 5 MB."""
    take.clip_data = clip_text(path)


@dataclass
class Gathering:
    """What saving to `target` changed in takes and strips.

    Attributes:
        first: the open .blend had no name.
        before: what had a path, the name of that property, and the former path.
        unsaved: files of a .blend that had no name, to be removed when it has become `target`.
        problems: one line per file that could not be brought.
    """

    target: Path
    first: bool
    before: list[tuple[Any, str, str]] = field(default_factory=list)
    unsaved: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def change(self, owner: Any, name: str, path: str) -> None:
        """Give `owner` another path, and remember the one that it had."""
        self.before.append((owner, name, getattr(owner, name)))
        setattr(owner, name, path)


def gather_clips(target: Path) -> Gathering:
    """Copy all clips and talking videos into `vividtalk/` beside `target`, the .blend about to be written.

    The paths of the takes' sounds become relative, as Blender does with those of strips.
    """
    gathering = Gathering(target, first=not bpy.data.filepath)
    for take in _takes_with_files():
        gathering.change(take, "sound_path", _relative(take.sound_path, target.parent))
        _bring(gathering, take, "clip_path")
    for scene in bpy.data.scenes:
        _bring(gathering, scene.vividtalk.video, "result")
    for candidate in bpy.data.objects:
        if candidate.vividtalk.portrait_path:
            _bring(gathering, candidate.vividtalk, "face_path")
    for strip in movies.all_movie_strips():
        goal = _copied(gathering, strip.filepath)
        if goal is not None:  # Blender itself turns a strip's path into one that is relative to the target
            gathering.change(strip, "filepath", sequencer.relative_path(str(goal)))
    return gathering


def _bring(gathering: Gathering, owner: Any, name: str) -> None:
    """Copy the file at the path `name` of `owner` beside the target, and let the path say so."""
    goal = _copied(gathering, getattr(owner, name))
    if goal is not None:
        gathering.change(owner, name, f"//{FOLDER}/{goal.name}")


def _copied(gathering: Gathering, path: str) -> Path | None:
    """Where the file at `path` has been copied to; None where it stays."""
    source = Path(bpy.path.abspath(path))
    goal = gathering.target.parent / FOLDER / source.name
    if source == goal or not source.is_file():
        return None
    try:
        goal.parent.mkdir(exist_ok=True)
        if not goal.is_file() or goal.stat().st_mtime_ns != source.stat().st_mtime_ns:
            shutil.copy2(source, goal)
    except OSError as error:
        gathering.problems.append(f"the file {source} stays where it is: {error.strerror or error}")
        return None
    if gathering.first:
        gathering.unsaved.append(source)
    return goal


def settle_clips(gathering: Gathering, saved: bool) -> None:
    """After the save: a copy, or a save that failed, leaves the paths of the open file as they were."""
    if saved and Path(bpy.data.filepath) == gathering.target:
        for path in gathering.unsaved:
            path.unlink(missing_ok=True)
        return
    for owner, name, path in reversed(gathering.before):
        setattr(owner, name, path)


def move_frames(gathering: Gathering, user_folder: Path) -> None:
    """After the first save: bring the rendered frames along. On another disk they are rendered again."""
    source, goal = user_folder / FRAMES, gathering.target.parent / FOLDER / FRAMES
    if gathering.first and source.is_dir() and not goal.exists():
        with suppress(OSError):
            goal.parent.mkdir(exist_ok=True)
            source.rename(goal)


def _relative(path: str, folder: Path) -> str:
    try:
        return str(bpy.path.relpath(bpy.path.abspath(path), start=str(folder)))
    except ValueError:  # another drive
        return path


def _takes_with_files() -> Iterator[Any]:
    for candidate in bpy.data.objects:
        yield from (take for take in candidate.vividtalk.takes if take.clip_path)
