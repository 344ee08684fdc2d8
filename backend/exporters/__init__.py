"""Writing a clip for other programs; the kind is chosen by the file's ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.faces import clip_for_face
from backend.media.audio import probe_audio
from backend.media.clip_sound import find_audio
from blender_addon.maps import load_map
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import refuse_overwriting

from .table import export_csv, export_json

SHORTER_BY = 0.5  # seconds that a sound may be shorter than its clip (our choice): encoders cut ends


def export_file(
    clip: MotionClip,
    clip_path: Path,
    out: Path,
    *,
    audio: Path | None = None,
    silent: bool = False,
    face_path: Path | None = None,
    map_name: str | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> None:
    """Export `clip` to `out`: .csv, .json, .blend or .mp4.

    Args:
        clip: what to export.
        clip_path: the file that it is stored in; its sound is found from there.
        out: where to write, atomically.
        audio: the sound; where the clip says by default.
        silent: leave the sound out of .mp4 and .blend.
        face_path: a face file; the built-in head by default.
        map_name: a preset or a JSON file through which .csv names its columns.
        on_frame: called after each rendered frame.

    Raises:
        VividTalkError: see its children for what can fail.
    """
    for source in (clip_path, face_path, audio):
        refuse_overwriting(out, source)
    match out.suffix.lower():
        case ".csv":
            export_csv(clip, out, None if map_name is None else load_map(map_name))
        case ".json":
            export_json(clip, out)
        case ".mp4":
            from models.face import load_head

            from .preview import export_preview

            sound = None if silent else _sound(clip, clip_path, audio, out)
            export_preview(clip_for_face(clip, face_path), load_head(face_path), sound, out, on_frame)
        case ".blend":
            from .blend import export_blend

            sound = None if silent else _sound(clip, clip_path, audio, out)
            export_blend(clip_for_face(clip, face_path), face_path, sound, out)
        case ending:
            raise InputError(f"{out} has the unknown ending {ending!r}", "Use .csv, .json, .mp4 or .blend")


def _sound(clip: MotionClip, clip_path: Path, audio: Path | None, out: Path) -> Path:
    if audio is None:
        found = find_audio(clip.info, clip_path)
        refuse_overwriting(out, found)
        return found
    duration = probe_audio(audio).duration
    needed = clip.info.audio_offset + clip.duration * clip.info.audio_speed
    if duration is not None and duration < needed - SHORTER_BY:
        raise InputError(
            f"{audio} lasts {duration:.2f} s, the clip goes on to {needed:.2f} s", "Give the clip's own sound"
        )
    return audio
