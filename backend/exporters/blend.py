"""A .blend that stands alone: a lit head with the clip's keys and the packed sound, ready to play."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import tempfile
from pathlib import Path

from backend.media.extract import extract_sound, has_pictures
from backend.processes import OUR_PYTHON, install_hint
from blender_addon.protocol.clip import MotionClip, write_clip
from blender_addon.protocol.errors import (
    ERRORS_BY_CODE,
    BackendError,
    InputError,
    MissingExtraError,
    VividTalkError,
)
from blender_addon.protocol.tensorfile import atomic_path
from models.face import DEFAULT_HEAD

_SECONDS = 120.0
_SECONDS_PER_FRAME = 0.01


def export_blend(clip: MotionClip, face_path: Path | None, audio: Path | None, out: Path) -> None:
    """Write `clip` on a head, with the sound `audio` if there is one, as the .blend `out`.

    The head is that of `face_path`, the built-in one by default. Blender runs in a process of its own with a
    time limit; `out` is replaced only when it is complete.

    Raises:
        MissingExtraError: the `bpy` module is not installed.
        InputError: the clip plays its sound faster or slower, and `audio` is wanted.
        OutputError: `out` cannot be written.
        BackendError: Blender failed or took too long.
    """
    if audio is not None and clip.info.audio_speed != 1.0:
        raise InputError(
            f"the clip plays its sound at {clip.info.audio_speed:g} times its speed, which {out.name} cannot",
            "Export it with --silent, or animate the sound at that speed",
        )
    if importlib.util.find_spec("bpy") is None:
        raise MissingExtraError(f"writing {out.name} needs Blender's Python module", install_hint("blender"))
    with tempfile.TemporaryDirectory(prefix="vividtalk-") as folder, atomic_path(out) as temporary:
        clip_path, order_path = Path(folder) / "clip.safetensors", Path(folder) / "order.json"
        write_clip(clip_path, clip)
        order = {
            "clip": str(clip_path),
            "face": str((face_path or DEFAULT_HEAD).resolve()),
            "face_path": str(face_path.resolve()) if face_path else "",
            "audio": str(_sound_to_pack(audio, Path(folder)).resolve()) if audio else "",
            "out": str(temporary.resolve()),
            "name": str(out),
        }
        order_path.write_text(json.dumps(order), encoding="utf-8")
        _run_blender(order_path, Path(folder), out, _SECONDS + _SECONDS_PER_FRAME * clip.frames)


def _sound_to_pack(audio: Path, folder: Path) -> Path:
    """`audio`, or its sound alone when it is a video, whose pictures need not be in the .blend."""
    if not has_pictures(audio):
        return audio
    sound = folder / f"{audio.stem}.flac"
    extract_sound(audio, sound)
    return sound


def _run_blender(order_path: Path, settings: Path, out: Path, limit: float) -> None:
    """Run the script with settings of its own, so that the user's Blender is left alone."""
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(settings)}
    command = [*OUR_PYTHON, "-m", "backend.exporters.blend_script", str(order_path)]
    try:
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"Blender did not write {out} within {limit:.0f} s") from error
    if run.returncode != 0:
        raise _failure(run, out)


def _failure(run: subprocess.CompletedProcess[str], out: Path) -> VividTalkError:
    """The expected error that the script named, else what Blender said last."""
    for line in reversed(run.stdout.splitlines()):
        if line.startswith('{"code"'):
            named = json.loads(line)
            return ERRORS_BY_CODE[named["code"]](named["what"], named["hint"])
    said = (run.stderr.strip() or run.stdout.strip() or "nothing").splitlines()[-1]
    return BackendError(f"Blender failed while writing {out} (exit {run.returncode}): {said}")
