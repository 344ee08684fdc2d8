"""From a voice to motion: the one path that the command line, the service and the Python API share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.media.audio import (
    SAMPLE_RATE,
    AudioSpan,
    convert_samples,
    decode_audio,
    hash_file,
    probe_audio,
)
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.clip import (
    ClipInfo,
    ModelRef,
    MotionClip,
    expression_clip,
    frame_count,
    layer_key,
)
from blender_addon.protocol.controls import ExpressionControls, controls_to_json
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.expression import ExpressionChunk, ExpressionModel

from .faces import TalkingFace

FIRST_BATCH = 2 * SAMPLE_RATE  # samples; our choice: a little more than the model's look-ahead
LARGEST_BATCH = 16 * SAMPLE_RATE


@dataclass(frozen=True)
class Samples:
    """A sound in memory: [n] or [n, channels] f32 and its rate in Hz."""

    values: Array
    sample_rate: int


@dataclass(frozen=True)
class AnimateRequest:
    """What to animate. `audio` is a file or samples; `span` the part of it; fps is the clip's frame rate.

    `controls` say how; times in them count from the clip's start. Without a `face` there are no lip offsets.
    """

    audio: Path | Samples
    fps: float = 25.0
    span: AudioSpan = field(default_factory=AudioSpan)
    seed: int = 0
    controls: ExpressionControls = field(default_factory=ExpressionControls)
    face: TalkingFace | None = None

    def __post_init__(self) -> None:
        if not 1.0 <= self.fps <= 240.0:
            raise InputError(f"{self.fps:g} frames per second is out of range", "Give 1 to 240")


@dataclass(frozen=True)
class MotionChunk:
    """Motion from frame `start` on: weights [f, 52], contact [f, 2], lip coefficients [f, K].

    `layers` maps layer names, the same in all chunks, to the weights [f, 52] that the sum is made of.
    """

    start: int
    weights: Array
    contact: Array
    lip: Array
    layers: Mapping[str, Array]

    def tensors(self) -> dict[str, Array]:
        """The chunk's arrays by the names that they have in a clip file."""
        layers = {layer_key(name): part for name, part in self.layers.items()}
        return {"weights": self.weights, "contact": self.contact, "lip": self.lip, **layers}


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


def stream_motion(request: AnimateRequest, model: ExpressionModel) -> Iterator[MotionChunk]:
    """Yield chunks in order as they are computed. Memory does not grow with the sound's length.

    Raises:
        InputError, MediaError: the sound cannot be used.
    """
    lips = request.face.lips if request.face else None
    held = 0.0
    for chunk in _expression(request, model):
        if not len(chunk.weights):
            continue
        lip = np.zeros((len(chunk.weights), 0), np.float32)
        if lips is not None:
            sticky = sticky_contact(chunk.contact[:, 0], request.fps, held)
            lip, held = solve_coefficients(lips, chunk.weights, chunk.contact, sticky.held), sticky.last
        yield MotionChunk(chunk.start, chunk.weights, chunk.contact, lip, _layers(request, chunk))


def _layers(request: AnimateRequest, chunk: ExpressionChunk) -> dict[str, Array]:
    """The chunk's layers; without emotions that one is left out, since it would be all 0."""
    wanted = request.controls.emotions
    return {name: part for name, part in chunk.layers.items() if name != "emotion" or wanted}


def _expression(request: AnimateRequest, model: ExpressionModel) -> Iterator[ExpressionChunk]:
    geometry = request.face.geometry if request.face else None
    stream = model.stream(request.fps, controls=request.controls, seed=request.seed, geometry=geometry)
    for batch in _batches(_blocks(request)):
        yield stream.push(batch)
    yield stream.finish()


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
    model: ExpressionModel,
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
        models=(ModelRef(model.model_id, model.licence),),
    )


def _covered_seconds(request: AnimateRequest, frames: int) -> float:
    whole = frames / request.fps * request.span.speed
    return whole if request.span.duration is None else min(whole, request.span.duration)


def animate(request: AnimateRequest, model: ExpressionModel) -> MotionClip:
    """Animate a whole sound at once.

    Returns:
        A clip whose head pose and gaze are empty: no model for them exists yet.

    Raises:
        InputError, MediaError: the sound cannot be used.
    """
    return assemble_clip(request, model, list(stream_motion(request, model)))


def assemble_clip(request: AnimateRequest, model: ExpressionModel, chunks: list[MotionChunk]) -> MotionClip:
    """Join all chunks of a request into its clip."""
    weights = np.concatenate([c.weights for c in chunks])
    contact = np.concatenate([c.contact for c in chunks])
    lip = np.concatenate([c.lip for c in chunks])
    layers = {name: np.concatenate([c.layers[name] for c in chunks]) for name in chunks[0].layers}
    return expression_clip(clip_info(request, model, len(weights)), weights, contact, lip, layers)
