"""What the jobs `render` and `still` are asked, what they tell frame by frame, and what they answer.

Both sides use these classes, so that docs/protocol.md has one meaning. A frame's picture is kept as the file
`<key>.png` in the cache's folder, where the key names everything that the frame depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .bodies import body_json, read_body
from .errors import ProtocolError
from .tensorfile import Array

RENDER_JOB, STILL_JOB, FIT_JOB = "render", "still", "fit"
KEY_BYTES = 16  # of a SHA-256; two of 10^9 frames are the same by chance once in 10^20 (our choice)
LONGEST = (
    2048  # pixels: above, a movie is slow to write and to play, and shows no more of the face; our choice
)
PART_BYTES = 1 << 20  # of a file that is sent in chunks; our choice
CACHE_BYTES = 8 << 30  # 10 minutes of 512 x 512 at 25 fps are about 5 GB; our choice


@dataclass(frozen=True)
class RenderParams:
    """A talking video of the motion that comes as arrays; also what of it concerns one still.

    Paths are those of the backend's machine; where the two share no disk, files come as arrays instead.

    Attributes:
        fps: frames per second of motion and movie.
        portrait_path: the picture; or the input array `portrait`, [n] u8, the file's bytes.
        fit_path: the face file that `vividtalk face fit` made of this picture; or the array `fit`, [n] u8.
            Without either the picture is fitted first.
        face_id: the face that `lip` is meant for.
        relative: add the motion to the portrait's own expression and pose, instead of replacing them.
        size: pixels of the square about the face that is rendered: 256, 512 or another multiple of 64.
        longest: a picture with a longer side than this, in pixels, is reduced first; 0 for never.
        renderer: `warp`.
        choose: which face of several, the largest is 1; 0 takes the largest and says so in a note.
        cache: folder of the frames, made if it is missing; "" for one of the backend's own.
        cache_bytes: how large that folder may be after the job.
        output_path: the .mp4 (of a still: .png) to write; "" for none.
        send: send the movie, or the still, in chunks instead.
        audio_path: the movie's sound, or the array `samples` [n] or [n, channels]; "" for a silent movie.
        sample_rate: hertz of `samples`.
        start: where in the sound frame 0 is, seconds; below 0 there is silence first.
        speed: how fast the sound plays.
    """

    fps: float
    portrait_path: str = ""
    fit_path: str = ""
    face_id: str = ""
    relative: bool = True
    size: int = 512
    longest: int = LONGEST
    renderer: str = "warp"
    choose: int = 0
    cache: str = ""
    cache_bytes: int = CACHE_BYTES
    output_path: str = ""
    send: bool = False
    audio_path: str = ""
    sample_rate: int = 0
    start: float = 0.0
    speed: float = 1.0


@dataclass(frozen=True)
class FrameNotice:
    """A frame of the take is there. `rendered` is false when the cache had it already."""

    frame: int
    key: str
    rendered: bool


@dataclass(frozen=True)
class RenderResult:
    """How a `render` or `still` job ended.

    Attributes:
        frames, rendered: how many were asked for, and how many of them the cache did not have.
        width, height: pixels of the movie or still.
        box: left, top, width, height of what was rendered, pixels of the movie or still.
        cache: the folder of the frames.
        path: the movie or still that was written; "" when there is none or it was sent.
        notes: lines for the user: a small face, turned further than the renderer can, and so on.
        seconds: how long it took.
    """

    frames: int
    rendered: int
    width: int
    height: int
    box: list[Any]
    cache: str = ""
    path: str = ""
    notes: list[Any] = field(default_factory=list)
    seconds: float = 0.0


def params_json(params: RenderParams) -> dict[str, Any]:
    """`params` as a submit message carries them."""
    return body_json(params)


def read_params(raw: Mapping[str, Any]) -> RenderParams:
    """Raises `ProtocolError` when a field is missing or of a wrong type."""
    return read_body(RenderParams, raw)


def result_json(result: RenderResult) -> dict[str, Any]:
    """`result` as a done message carries it."""
    return body_json(result)


def read_result(raw: Mapping[str, Any]) -> RenderResult:
    """Raises `ProtocolError` when a field is missing or of a wrong type."""
    return read_body(RenderResult, raw)


def notice_arrays(notices: list[FrameNotice]) -> dict[str, Array]:
    """A chunk's arrays: `frame` [n] i32, `key` [n, 16] u8, `rendered` [n] u8."""
    keys = [np.frombuffer(bytes.fromhex(notice.key), np.uint8) for notice in notices]
    return {
        "frame": np.array([notice.frame for notice in notices], np.int32),
        "key": np.stack(keys),
        "rendered": np.array([notice.rendered for notice in notices], np.uint8),
    }


def read_notices(arrays: Mapping[str, Array]) -> list[FrameNotice]:
    """The frames of a chunk, none where it carries part of a file; `ProtocolError` when damaged."""
    if "file" in arrays:
        return []
    try:
        frame, key, rendered = (arrays[name] for name in ("frame", "key", "rendered"))
    except KeyError as error:
        raise ProtocolError(f"a chunk of frames lacks {error}") from error
    if key.shape != (len(frame), KEY_BYTES) or rendered.shape != frame.shape or frame.ndim != 1:
        raise ProtocolError("a chunk of frames has arrays of different lengths")
    return [
        FrameNotice(int(number), row.tobytes().hex(), bool(fresh))
        for number, row, fresh in zip(frame, key, rendered, strict=True)
    ]


def file_part(arrays: Mapping[str, Array]) -> bytes:
    """The next bytes of the movie or still that a chunk carries; none in a chunk of frames."""
    return bytes(arrays["file"].tobytes()) if "file" in arrays else b""


def frame_file(cache: Path, key: str) -> Path:
    """Where the cache keeps a frame: the part of the picture that the renderer changes, PNG without loss."""
    return cache / key[:2] / f"{key}.png"
