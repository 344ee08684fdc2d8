"""From a voice to motion: the one path that the command line, the service and the Python API share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from backend.media.audio import (
    SAMPLE_RATE,
    AudioSpan,
    convert_samples,
    decode_audio,
    hash_file,
    probe_audio,
)
from blender_addon.lips.offsets import coefficients_of, handles_of
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.clip import (
    POSE_CODE_STRIDE,
    ClipInfo,
    MotionClip,
    clip_from_tensors,
    frame_count,
    join_chunks,
    layers_of,
)
from blender_addon.protocol.controls import ExpressionControls, controls_to_json
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.mixing import Layers, mixed_gaze, mixed_pose, mixed_weights
from blender_addon.protocol.tensorfile import Array

from .faces import TalkingFace
from .streams import CODE, OFFSETS, Frames, FrameStream, HeadStream, MotionModels, SpokenStream, aligned

LipOffsets = Literal["solved", "drawn"]
FIRST_BATCH = 2 * SAMPLE_RATE  # samples; our choice: a little more than the model's look-ahead
LARGEST_BATCH = 16 * SAMPLE_RATE
_SHUT = 0.5  # eyeBlink that counts as a blink in a summary


@dataclass(frozen=True)
class Samples:
    """A sound in memory: [n] or [n, channels] f32 and its rate in Hz."""

    values: Array
    sample_rate: int


@dataclass(frozen=True)
class AnimateRequest:
    """What to animate. `audio` is a file or samples; `span` the part of it; fps is the clip's frame rate.

    `controls` say how; times in them count from the clip's start. Without a `face` there are no lip offsets;
    `lips` says whether contact is solved on the face's mesh or drawn by the network, as VividTalk does.
    """

    audio: Path | Samples
    fps: float = 25.0
    span: AudioSpan = field(default_factory=AudioSpan)
    seed: int = 0
    controls: ExpressionControls = field(default_factory=ExpressionControls)
    face: TalkingFace | None = None
    lips: LipOffsets = "solved"

    def __post_init__(self) -> None:
        if not 1.0 <= self.fps <= 240.0:
            raise InputError(f"{self.fps:g} frames per second is out of range", "Give 1 to 240")


@dataclass(frozen=True)
class MotionChunk:
    """Motion from frame `start` on: arrays by their names in a clip file, the same ones in all chunks.

    All have a row for each frame, but `pose_codes`, which has one for every fourth frame of the clip: see
    `codes_of`. Without a pose model there are no `pose`, `pose_codes` and `gaze`.
    """

    start: int
    tensors: Mapping[str, Array]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.tensors["weights"])


def expected_frames(request: AnimateRequest) -> int | None:
    """Frames that the request will give, as far as the sound's header tells; None when it does not."""
    if isinstance(request.audio, Samples):
        total: float | None = len(request.audio.values) / request.audio.sample_rate
    else:
        total = probe_audio(request.audio).duration
    if total is None:
        return None
    rest = max(0.0, total - request.span.start)
    length = rest if request.span.duration is None else min(rest, request.span.duration)
    return frame_count(length / request.span.speed, request.fps)


def stream_motion(request: AnimateRequest, models: MotionModels) -> Iterator[MotionChunk]:
    """Yield chunks in order as they are computed. Memory does not grow with the sound's length.

    Raises:
        InputError, MediaError: the sound cannot be used.
    """
    start, held = 0, 0.0
    for frames in aligned(_streams(request, models), _batches(_blocks(request))):
        layers = layers_of(frames)
        weights = mixed_weights(layers, request.controls.head)
        if not len(weights):
            continue
        lip, held = _lips(request, weights, frames, held)
        spoken = {"weights": weights, "contact": frames["contact"], "lip": lip}
        head = _head(request, start, layers, frames, weights) if models.pose else {}
        named = {name: array for name, array in frames.items() if name.startswith("layer.")}
        yield MotionChunk(start, {**spoken, **head, **named})
        start += len(weights)


def _streams(request: AnimateRequest, models: MotionModels) -> list[FrameStream]:
    controls, fps, seed = request.controls, request.fps, request.seed
    geometry = request.face.geometry if request.face else None
    streams: list[FrameStream] = [SpokenStream(models.expression, fps, controls, seed, geometry)]
    if models.pose is not None:
        streams.append(HeadStream(models.pose, fps, controls.head, seed))
    return streams


def _lips(request: AnimateRequest, weights: Array, frames: Frames, held: float) -> tuple[Array, float]:
    """Lip coefficients [f, K], and how firmly sticky lips are held after them, `held` before."""
    lips = request.face.lips if request.face else None
    if lips is None:
        return np.zeros((len(weights), 0), np.float32), held
    if request.lips == "drawn":
        return coefficients_of(lips, handles_of(lips, frames[OFFSETS])), held
    sticky = sticky_contact(frames["contact"][:, 0], request.fps, held)
    return solve_coefficients(lips, weights, frames["contact"], sticky.held), sticky.last


def _head(
    request: AnimateRequest, start: int, layers: Layers, frames: Frames, weights: Array
) -> dict[str, Array]:
    """Pose, codes and gaze of the frames from `start` on."""
    codes = frames[CODE][-start % POSE_CODE_STRIDE :: POSE_CODE_STRIDE]
    pose = mixed_pose(layers, request.controls.head)
    return {"pose": pose, "pose_codes": codes, "gaze": mixed_gaze(layers, weights)}


def _batches(blocks: Iterator[Array]) -> Iterator[Array]:
    """Join small blocks: short at first for early keys, then longer, since every window overlaps the last."""
    wanted = FIRST_BATCH
    waiting: list[Array] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= wanted:
            yield np.concatenate(waiting)
            waiting = []
            wanted = min(2 * wanted, LARGEST_BATCH)
    if waiting:
        yield np.concatenate(waiting)


def _blocks(request: AnimateRequest) -> Iterator[Array]:
    if isinstance(request.audio, Samples):
        return convert_samples(request.audio.values, request.audio.sample_rate, request.span)
    return decode_audio(request.audio, request.span)


def clip_info(
    request: AnimateRequest,
    models: MotionModels,
    frames: int,
    on_block: Callable[[], None] = lambda: None,
) -> ClipInfo:
    """The header of the clip that `request` gave with `frames` frames.

    It holds the sound's hash; `on_block` is called while a long file is read for it, and may raise.
    """
    if isinstance(request.audio, Samples):
        digest = hashlib.sha256(np.ascontiguousarray(request.audio.values).tobytes()).hexdigest()
        path = ""
    else:
        digest = hash_file(request.audio, on_block)
        path = str(Path(request.audio).resolve())
    return ClipInfo(
        fps=request.fps,
        audio_path=path,
        audio_sha256=digest,
        audio_offset=request.span.start,
        audio_duration=_covered_seconds(request, frames),
        audio_speed=request.span.speed,
        face_id=request.face.id if request.face else "",
        seed=request.seed,
        controls=controls_to_json(request.controls),
        models=models.refs,
    )


def _covered_seconds(request: AnimateRequest, frames: int) -> float:
    whole = frames / request.fps * request.span.speed
    return whole if request.span.duration is None else min(whole, request.span.duration)


def animate(request: AnimateRequest, models: MotionModels) -> MotionClip:
    """Animate a whole sound at once.

    Raises:
        InputError, MediaError: the sound cannot be used.
    """
    return assemble_clip(request, models, list(stream_motion(request, models)))


def assemble_clip(request: AnimateRequest, models: MotionModels, chunks: list[MotionChunk]) -> MotionClip:
    """Join all chunks of a request into its clip."""
    tensors = join_chunks([chunk.tensors for chunk in chunks])
    return clip_from_tensors(clip_info(request, models, len(tensors["weights"])), tensors)


def summary(clip: MotionClip) -> str:
    """What the head does in `clip`, in a few words."""
    if not len(clip.pose):
        return "the head stays still"
    shut = clip.weights[:, ARKIT_INDEX["eyeBlinkLeft"]] > _SHUT
    blinks = int(shut[0]) + np.count_nonzero(shut[1:] & ~shut[:-1])
    farthest = np.degrees(np.linalg.norm(clip.pose[:, :3], axis=1).max())
    return f"the head turns up to {farthest:.0f} degrees, {blinks} blink{'s' * (blinks != 1)}"
