"""Where a clip's sound lies: stored relative to the clip, checked by its hash when used again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from backend.media.audio import hash_file
from blender_addon.protocol.clip import ClipInfo, MotionClip, write_clip
from blender_addon.protocol.errors import InputError


def save_clip(path: Path, clip: MotionClip) -> MotionClip:
    """Write `clip`, whose sound's path is absolute, with that path as seen from `path`; return it so.

    Raises:
        OutputError: the file cannot be written.
    """
    stored = replace(clip, info=replace(clip.info, audio_path=relative_audio_path(clip.info, path)))
    write_clip(path, stored)
    return stored


def relative_audio_path(info: ClipInfo, clip_path: Path) -> str:
    """`info.audio_path` as seen from the clip's folder, or unchanged where no relative path exists."""
    if not info.audio_path:
        return ""
    try:
        return Path(os.path.relpath(info.audio_path, Path(clip_path).resolve().parent)).as_posix()
    except ValueError:  # another drive on Windows
        return info.audio_path


def find_audio(info: ClipInfo, clip_path: Path) -> Path:
    """The sound that a stored clip was made from.

    Raises:
        InputError: it is not where the clip says, or it is another sound by now.
    """
    hint = "Give the sound with --audio"
    if not info.audio_path:
        raise InputError(f"{clip_path} does not name its sound", hint)
    path = Path(clip_path).resolve().parent / info.audio_path
    if not path.is_file():
        raise InputError(f"the sound of {clip_path} is not at {path}", hint)
    if info.audio_sha256 and hash_file(path) != info.audio_sha256:
        raise InputError(f"{path} has changed since {clip_path} was made", "Animate it again")
    return path
