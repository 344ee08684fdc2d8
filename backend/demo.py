"""The main job on shipped input: a voice line becomes a clip, a table, a .blend and a video."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from backend.console import progress
from backend.devices import load_motion_models
from backend.exporters import export_file
from backend.faces import talking_face
from backend.media.clip_sound import save_clip
from backend.pipeline import AnimateRequest, animate
from blender_addon.protocol.tensorfile import output_error

ASSETS = Path(__file__).resolve().parent.parent / "models" / "assets"
DEMO_VOICE = ASSETS / "demo_voice.flac"
KINDS = ("csv", "blend", "mp4")


def run_demo(folder: Path) -> Iterator[Path]:
    """Fill `folder` with demo.safetensors, .csv, .blend and .mp4; yield each path when it is written.

    Raises:
        VividTalkError: a step failed; what was made before it stays.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        voice = Path(shutil.copy(DEMO_VOICE, folder / DEMO_VOICE.name))
    except OSError as error:
        raise output_error(folder, error) from error
    clip_path = folder / "demo.safetensors"
    with progress("Listening to the voice", None):
        request = AnimateRequest(audio=voice, face=talking_face(None))
        clip = save_clip(clip_path, animate(request, load_motion_models("auto")))
    yield clip_path
    for kind in KINDS:
        out = clip_path.with_suffix(f".{kind}")
        with progress(f"Writing {out.name}", clip.frames if kind == "mp4" else None) as advance:
            export_file(clip, clip_path, out, on_frame=partial(advance, 1))
        yield out
