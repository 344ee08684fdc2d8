"""Sound strips: which part of a sound they play, when, and how fast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..protocol.errors import InputError
from . import compat


@dataclass(frozen=True)
class VoiceLine:
    """A part of a sound as it lies on the timeline.

    Attributes:
        path: the sound file, absolute.
        first_frame: scene frame at which the part is heard first.
        start: where the part begins in the sound, seconds.
        duration: its length in the sound's own time, seconds; None for all that follows.
        speed: how fast it plays; 2 is twice as fast.
    """

    path: str
    first_frame: int
    start: float = 0.0
    duration: float | None = None
    speed: float = 1.0


def scene_fps(scene: Any) -> float:
    """Frames per second: 24000/1001 for Blender's 23.976."""
    return float(scene.render.fps / scene.render.fps_base)


def check_same_rate(scene: Any, cut: Any) -> None:
    """Raise `InputError` unless `scene` and `cut`, the sequencer's, have the same frame rate."""
    if abs(scene_fps(cut) - scene_fps(scene)) > 1e-6:
        raise InputError(
            f"the sequencer's scene {cut.name!r} has another frame rate than {scene.name!r}",
            "Give both the same",
        )


def file_line(path: str, first_frame: int) -> VoiceLine:
    """The whole sound file at `path`, beginning at `first_frame`. Raises `InputError` without a file."""
    absolute = bpy.path.abspath(path)
    if not path or not Path(absolute).is_file():
        raise InputError(f"the sound {path!r} does not exist", "Choose a sound file")
    return VoiceLine(absolute, first_frame)


def strip_line(scene: Any, strip: Any) -> VoiceLine:
    """What a sound strip of `scene` plays: its trim, offset and speed are honoured.

    Raises:
        InputError: it is no sound strip, its file is missing, or its speed varies.
    """
    if strip is None or strip.type != "SOUND" or strip.sound is None:
        raise InputError("the active strip is not a sound", "Select a sound strip in the sequencer")
    path = bpy.path.abspath(strip.sound.filepath, library=strip.sound.library)
    if not Path(path).is_file():
        raise InputError(f"the strip's sound {path} does not exist", "Unpack it or choose its file again")
    fps = scene_fps(scene)
    speed = strip_speed(scene, strip, path)
    delay = getattr(strip, "sound_offset", 0.0)
    skipped = (strip.frame_final_start - strip.frame_start) * speed + strip.animation_offset_start
    start = skipped / fps - delay
    wait = max(0, math.ceil(-start * fps / speed - 1e-6))  # frames of silence before the sound begins
    frames = strip.frame_final_duration - wait
    if frames < 1:
        raise InputError(f"the strip {strip.name!r} plays nothing of its sound", "Check its trim and offset")
    return VoiceLine(
        path=path,
        first_frame=strip.frame_final_start + wait,
        start=max(0.0, start + wait * speed / fps),
        duration=frames * speed / fps,
        speed=speed,
    )


def strip_speed(scene: Any, strip: Any, path: str) -> float:
    """How fast a strip plays, from its retimed length: Blender maps the first and last frames of the sound.

    Raises:
        InputError: it has more than two retiming keys, so that its speed varies.
    """
    keys = compat.retiming_key_count(strip)
    if keys == 0:
        return 1.0
    if keys is not None and keys > 2:
        raise InputError(f"the speed of strip {strip.name!r} varies", "Use one speed for a voice line")
    held = strip.animation_offset_start + strip.animation_offset_end  # frames that a hard split took off
    natural = _natural_frames(scene, path) - held
    if abs(natural - strip.frame_duration) <= 1 or strip.frame_duration < 2:
        return 1.0
    return float((natural - 1) / (strip.frame_duration - 1))


def _natural_frames(scene: Any, path: str) -> int:
    """Frames that the sound at `path` has in `scene` when nothing retimes it, by a strip made to see."""
    strips = compat.strips(scene)
    probe = strips.new_sound("VividTalk probe", path, free_channel(strips), 1)
    sound, frames = probe.sound, int(probe.frame_duration)
    strips.remove(probe)
    if sound.users == 0:
        bpy.data.sounds.remove(sound)
    return frames


def free_channel(strips: Any) -> int:
    """The lowest channel above all of `strips`."""
    return 1 + max((int(strip.channel) for strip in strips), default=0)


def find_strip(scene: Any, line: VoiceLine) -> Any:
    """The sound strip of `scene` that begins at the line's first frame with the line's file, or None."""
    if scene.sequence_editor is None:
        return None
    wanted = Path(line.path).resolve()
    sounds = (strip for strip in compat.strips(scene) if strip.type == "SOUND" and strip.sound)
    here = (strip for strip in sounds if strip.frame_final_start == line.first_frame)
    return next((s for s in here if Path(bpy.path.abspath(s.sound.filepath)).resolve() == wanted), None)


def voice_strip(scene: Any, path: str, frames: range) -> Any:
    """The first sound strip of `scene` that plays the file `path` on some of `frames`, or None."""
    wanted = Path(path).resolve()
    sounds = [strip for strip in compat.all_strips(scene) if strip.type == "SOUND" and strip.sound]
    sounds.sort(key=lambda strip: strip.frame_final_start)
    for strip in sounds:
        overlaps = strip.frame_final_start < frames.stop and strip.frame_final_end > frames.start
        if overlaps and Path(bpy.path.abspath(strip.sound.filepath)).resolve() == wanted:
            return strip
    return None


def add_sound(context: Any, line: VoiceLine) -> Any:
    """The strip that plays `line` in the sequencer's scene: the one that is there, else a new one.

    Raises:
        InputError: Blender cannot read the sound, or was built without its sound library.
    """
    scene = compat.sequencer_scene(context)
    present = find_strip(scene, line)
    if present is not None:
        return present
    strip = add_line(scene, line)
    compat.show_in_sequencer(context, scene)
    return strip


def add_line(scene: Any, line: VoiceLine) -> Any:
    """A new strip on a free channel of `scene` that plays `line`. Raises `InputError` as `add_sound` does."""
    strips = compat.strips(scene)
    try:
        strip = strips.new_sound(Path(line.path).stem, line.path, free_channel(strips), line.first_frame)
    except RuntimeError as error:
        raise InputError(f"Blender cannot add the sound {line.path}: {str(error).strip()}") from error
    _trim(strip, line, scene_fps(scene))
    strip.sound.filepath = relative_path(line.path)
    strip.show_waveform = True
    return strip


def remove_sound(context: Any, strip: Any) -> None:
    """Take back what `add_sound` added."""
    sound = strip.sound
    compat.strips(compat.sequencer_scene(context)).remove(strip)
    if sound.users == 0:
        bpy.data.sounds.remove(sound)


def _trim(strip: Any, line: VoiceLine, fps: float) -> None:
    skipped = round(line.start * fps)
    strip.frame_start = line.first_frame - skipped
    strip.frame_offset_start = skipped
    if line.duration is not None:
        left = strip.frame_duration - skipped - math.ceil(line.duration * fps)
        strip.frame_offset_end = max(0, left)


def relative_path(path: str) -> str:
    """`path` relative to the saved .blend; unchanged without one, or on another drive."""
    if not bpy.data.filepath:
        return path
    try:
        return str(bpy.path.relpath(path))
    except ValueError:
        return path


def prepare_playback(scene: Any, first: int, last: int) -> None:
    """Play in step with the sound, over a range that holds `first` to `last`; it is never shortened."""
    scene.sync_mode = "AUDIO_SYNC"
    scene.frame_start = min(scene.frame_start, max(0, first))
    scene.frame_end = max(scene.frame_end, last)
