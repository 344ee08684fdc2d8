"""Portraits that speak, drawn: the jobs `render`, `still` and `fit` of the scripted backend.

A frame is a grey whose level tells jawOpen. The portrait's name chooses the script: `stall` stops after 25
frames and waits for a cancel, `die` ends the process there, `faceless` is refused, `small` is rendered with a
note. What was asked is noted in the runtime folder: the parameters and the motion.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from backend.service import JobContext
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.render import (
    FrameNotice,
    RenderResult,
    frame_file,
    notice_arrays,
    read_params,
    result_json,
)
from blender_addon.protocol.tensorfile import Array
from models.face.load import DEFAULT_HEAD

_SIDE, _CHUNK, _STOP = 64, 5, 25

_NOTE = "the face is only 90 pixels wide: expect a soft mouth"


def _note_down(name: str, params: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    folder = Path(os.environ["XDG_RUNTIME_DIR"])
    (folder / f"{name}.json").write_text(json.dumps(dict(params)))
    np.savez(folder / f"{name}.npz", **arrays)


def grey(jaw: float) -> int:
    """The level of a frame, whose steps survive encoding."""
    return round(40 + 160 * float(np.clip(jaw, 0, 1)))


def _frames(script: str, arrays: Mapping[str, Array], cache: Path, job: JobContext) -> int:
    """Fill the cache; how many frames it did not have."""
    count, fresh = len(arrays["weights"]), 0
    for start in range(0, count, _CHUNK):
        notices = []
        for frame in range(start, min(start + _CHUNK, count)):
            rows = [arrays[name][frame].tobytes() for name in sorted(arrays) if len(arrays[name])]
            key = hashlib.sha256(b"".join(rows)).hexdigest()[:32]
            path = frame_file(cache, key)
            known = path.is_file()
            if not known:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"drawn")
                fresh += 1
            notices.append(FrameNotice(frame, key, not known))
        job.raise_if_cancelled()
        job.chunk(start, notice_arrays(notices))
        job.progress("Rendering", (start + len(notices)) / count)
        while script == "stall" and start + _CHUNK >= _STOP:
            job.raise_if_cancelled()
            time.sleep(0.02)
        if script == "die" and start + _CHUNK >= _STOP:
            time.sleep(0.3)
            os._exit(9)
    return fresh


def _write_movie(path: Path, fps: float, levels: list[int]) -> None:
    rate = Fraction(fps).limit_denominator(1001)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=rate)
        stream.width = stream.height = _SIDE
        stream.pix_fmt = "yuv420p"
        for level in levels:
            picture = np.full((_SIDE, _SIDE, 3), level, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


def render(params: Mapping[str, Any], arrays: Mapping[str, Array], job: JobContext) -> Mapping[str, Any]:
    """Draw the movie."""
    _note_down("render", params, arrays)
    asked, script = read_params(params), Path(params["portrait_path"]).stem
    if script == "faceless":
        raise InputError("no face was found in faceless.png", "Choose a picture of a face")
    fresh = _frames(script, arrays, Path(asked.cache), job)
    levels = [grey(row[ARKIT_INDEX["jawOpen"]]) for row in arrays["weights"]]
    _write_movie(Path(asked.output_path), asked.fps, levels)
    notes = [_NOTE] if script == "small" else []
    result = RenderResult(
        len(levels), fresh, _SIDE, _SIDE, [0, 0, _SIDE, _SIDE], asked.cache, asked.output_path, notes
    )
    return result_json(result)


def still(params: Mapping[str, Any], arrays: Mapping[str, Array], _job: JobContext) -> Mapping[str, Any]:
    """Draw a frame."""
    _note_down("still", params, arrays)
    asked = read_params(params)
    level = grey(arrays["weights"][0, ARKIT_INDEX["jawOpen"]])
    frame = av.VideoFrame.from_ndarray(np.full((_SIDE, _SIDE, 3), level, np.uint8), format="rgb24")
    Path(asked.output_path).parent.mkdir(parents=True, exist_ok=True)
    frame.to_image().save(asked.output_path)
    return result_json(RenderResult(1, 1, _SIDE, _SIDE, [0, 0, _SIDE, _SIDE], "", asked.output_path))


def fit(params: Mapping[str, Any], arrays: Mapping[str, Array], _job: JobContext) -> Mapping[str, Any]:
    """The built-in head, whoever it is."""
    _note_down("fit", params, arrays)
    path = Path(params["output_path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DEFAULT_HEAD, path)
    return {"path": str(path), "notes": []}
