"""Movies of talking portraits: versioned files, their strips, and sound where a line has none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..protocol.errors import InputError
from . import compat, sequencer
from .sequencer import VoiceLine

_MARK, _FIRST = "vividtalk_video", "vividtalk_first"  # custom properties of a strip
STILL = "VividTalk Still"


@dataclass(frozen=True)
class MoviePlace:
    """Where a movie goes on the timeline.

    Attributes:
        scene_uid: session uid of the scene whose sequencer shows it.
        mark: what its strips are known by: the take and the portrait.
        name: of a new strip, and of the files before their version.
        first: scene frame of the movie's first.
        line: the voice, where no strip plays it yet.
    """

    scene_uid: int
    mark: str
    name: str
    first: int
    line: VoiceLine | None = None


def next_version(folder: Path, name: str) -> Path:
    """The path of the next version of the movie `name`: NAME.v001.mp4 and so on."""
    readable = re.sub(r"[^\w-]+", "_", name)
    pattern = re.compile(re.escape(readable) + r"\.v(\d+)\.mp4")
    present = (pattern.fullmatch(path.name) for path in folder.glob(f"{readable}.v*.mp4"))
    number = 1 + max((int(found[1]) for found in present if found), default=0)
    return folder / f"{readable}.v{number:03d}.mp4"


def movie_strips(scene: Any, mark: str) -> list[Any]:
    """The movie strips of `scene` that are known by `mark`: pieces of one that was cut are several."""
    return [s for s in compat.all_strips(scene) if s.type == "MOVIE" and s.get(_MARK) == mark]


def all_movie_strips() -> list[Any]:
    """The strips of all talking videos in this .blend."""
    found = (strip for scene in bpy.data.scenes for strip in compat.all_strips(scene))
    return [strip for strip in found if strip.type == "MOVIE" and strip.get(_MARK)]


def show_movie(context: Any, place: MoviePlace, path: Path) -> None:
    """Let the sequencer show the movie at `path`: in the strips of its last version, else in a new one.

    Trims, cuts, effects and the place on the timeline stay; a strip that was not trimmed shows all of a movie
    that has another length. The scene's range is extended when a strip is new.

    Raises:
        InputError: the scene is gone, or Blender cannot read the movie.
    """
    scene = next((found for found in bpy.data.scenes if found.session_uid == place.scene_uid), None)
    if scene is None:
        raise InputError(f"the scene of the movie {path} is gone", "Add the movie to a sequencer by hand")
    present = movie_strips(scene, place.mark)
    for strip in present:
        _repoint(strip, place.first, path)
    if not present:
        strip = _new_strip(scene, place, path)
        last = int(strip.frame_final_end) - 1
        sequencer.prepare_playback(scene, place.first, last)
        compat.show_in_sequencer(context, scene)
    if place.line is not None and bpy.app.build_options.audaspace:
        sequencer.add_line(scene, place.line)


def _new_strip(scene: Any, place: MoviePlace, path: Path) -> Any:
    strips = compat.strips(scene)
    channel = sequencer.free_channel(strips)
    try:
        strip = strips.new_movie(place.name, str(path), channel, place.first, fit_method="FIT")
    except RuntimeError as error:
        raise InputError(f"Blender cannot add the movie {path}: {str(error).strip()}") from error
    strip.filepath = sequencer.relative_path(str(path))
    strip[_MARK], strip[_FIRST] = place.mark, place.first
    return strip


def _repoint(strip: Any, first: int, path: Path) -> None:
    """Show another version: its content stays in time with the take, trimmed ends where they are."""
    before, after = strip.frame_offset_start, strip.frame_offset_end
    later = first - int(strip.get(_FIRST, first))
    strip.filepath = sequencer.relative_path(str(path))
    strip.frame_offset_start = before
    if not after:
        strip.frame_offset_end = 0
    if later:
        strip.frame_start += later
        strip.frame_offset_start = max(0, before - later) if before else 0
        strip.frame_offset_end += later if after else 0
        strip[_FIRST] = first


def show_still(path: Path) -> bool:
    """Load `path` as the image *VividTalk Still*, or load it again; False where no Image Editor is open."""
    image = bpy.data.images.get(STILL)
    if image is None:
        image = bpy.data.images.load(str(path))
        image.name = STILL
    else:
        image.filepath = str(path)
        image.reload()
    image.filepath = sequencer.relative_path(str(path))
    windows = bpy.context.window_manager.windows
    areas = [area for window in windows for area in window.screen.areas if area.type == "IMAGE_EDITOR"]
    shown = [area for area in areas if area.spaces.active.image in (None, image)] or areas[:1]
    for area in shown:
        area.spaces.active.image = image
        area.tag_redraw()
    return bool(shown)
