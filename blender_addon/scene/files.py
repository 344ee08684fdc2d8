"""Where the motion clips of takes are kept: beside the .blend, and inside it when they are small."""

from __future__ import annotations

import base64
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..protocol.clip import MotionClip, read_clip
from ..protocol.errors import InputError

FOLDER = "vividtalk"
EMBED_LIMIT_BYTES = 5_000_000


def new_clip_path(name: str, uid: str, user_folder: Path) -> Path:
    """Where the clip of take `name` goes: `vividtalk/` beside the saved .blend, else `user_folder`."""
    blend = bpy.data.filepath
    folder = Path(blend).parent / FOLDER if blend else user_folder
    readable = re.sub(r"[^\w.-]+", "_", name)
    return folder / f"{readable}-{uid[:8]}.safetensors"


def attach_clip(take: Any, path: Path, text: str) -> None:
    """Let `take` refer to the clip at `path`, and hold its `text`, which `clip_text` made."""
    beside = bpy.data.filepath and path.parent == Path(bpy.data.filepath).parent / FOLDER
    take.clip_path = f"//{FOLDER}/{path.name}" if beside else str(path)
    take.clip_data = text


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
    """What saving to `target` changed in the takes.

    Attributes:
        before: takes with their former clip_path and sound_path.
        unsaved: clips of a file that had no name, to be removed when it has become `target`.
        problems: one line per clip that could not be brought.
    """

    target: Path
    before: list[tuple[Any, str, str]] = field(default_factory=list)
    unsaved: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def gather_clips(target: Path) -> Gathering:
    """Copy the clips of all takes into `vividtalk/` beside `target`, the .blend about to be written.

    The paths of the takes' sounds become relative, as Blender does with those of strips.
    """
    gathering = Gathering(target)
    for take in _takes_with_files():
        gathering.before.append((take, take.clip_path, take.sound_path))
        take.sound_path = _relative(take.sound_path, target.parent)
        source = Path(bpy.path.abspath(take.clip_path))
        goal = target.parent / FOLDER / source.name
        if source == goal or not source.is_file():
            continue
        try:
            goal.parent.mkdir(exist_ok=True)
            shutil.copy2(source, goal)
            take.clip_path = f"//{FOLDER}/{goal.name}"
            if not bpy.data.filepath:
                gathering.unsaved.append(source)
        except OSError as error:
            gathering.problems.append(f"the clip {source} stays where it is: {error.strerror or error}")
    return gathering


def settle_clips(gathering: Gathering, saved: bool) -> None:
    """After the save: a copy, or a save that failed, leaves the open file's takes as they were."""
    if saved and Path(bpy.data.filepath) == gathering.target:
        for path in gathering.unsaved:
            path.unlink(missing_ok=True)
        return
    for take, clip_path, sound_path in gathering.before:
        take.clip_path, take.sound_path = clip_path, sound_path


def _relative(path: str, folder: Path) -> str:
    try:
        return str(bpy.path.relpath(bpy.path.abspath(path), start=str(folder)))
    except ValueError:  # another drive
        return path


def _takes_with_files() -> Iterator[Any]:
    for candidate in bpy.data.objects:
        yield from (take for take in candidate.vividtalk.takes if take.clip_path)
