"""The voice-to-expression model: 16 kHz speech in, ARKit weights and lip contacts at any frame rate out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_addon.protocol.clip import frame_count
from blender_addon.protocol.errors import ModelError
from blender_addon.protocol.tensorfile import Array

from ..audio.mel import SAMPLE_RATE
from .articulation import (
    NO_FRAMES,
    ArticulationFrames,
    ArticulationStream,
    articulation_look_ahead,
    concatenated,
)
from .checkpoint import Checkpoint, read_checkpoint
from .curves import to_arkit
from .finishing import FUTURE, PAST, finish
from .network import FRAME_RATE
from .sampling import SAMPLING_LOOK_AHEAD, FrameSampler

DEFAULT_WEIGHTS = Path(__file__).parent.parent / "assets" / "expression.safetensors"


@dataclass(frozen=True)
class ExpressionChunk:
    """Consecutive frames of a face.

    Attributes:
        start: index of the first frame.
        weights: [f, 52] f32 ARKit weights 0-1; shapes that speech does not move are 0.
        contact: [f, 2] f32 bilabial and labiodental contact, 0-1.
    """

    start: int
    weights: Array
    contact: Array


class ExpressionModel:
    """Weights that hear speech; makes any number of independent streams.

    Attributes:
        model_id, licence: of the weights.
        sample_rate: what streams expect, hertz.
        look_ahead: seconds; frame i of a stream comes out once sound up to i / fps + look_ahead +
            half a frame has been pushed, or at `finish`.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self._checkpoint = checkpoint
        self._device = device
        self.model_id = checkpoint.identity.id
        self.licence = checkpoint.identity.licence
        self.look_ahead = (
            articulation_look_ahead(checkpoint.config.context) + (FUTURE + SAMPLING_LOOK_AHEAD) / FRAME_RATE
        )

    @classmethod
    def load(cls, path: Path | None = None, device: str = "cpu") -> ExpressionModel:
        """The model at `path`, by default the shipped one.

        Raises:
            ModelError: the weights are missing, damaged or of another kind, or `device` does not exist.
        """
        checkpoint = read_checkpoint(DEFAULT_WEIGHTS if path is None else Path(path))
        try:
            target = torch.device(device)
            checkpoint.network.to(target)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"the expression model cannot run on {device!r}: {reason}", "Use cpu") from error
        return cls(checkpoint, target)

    def stream(self, fps: float) -> ExpressionStream:
        """A new sound at `fps` frames per second."""
        return ExpressionStream(self.articulation(), fps)

    def articulation(self) -> ArticulationStream:
        """A new sound as the network itself hears it: 50 frames per second, nothing finished."""
        return ArticulationStream(self._checkpoint, self._device)


class ExpressionStream:
    """One sound in progress: push samples as they come, then finish. Memory does not grow with the sound."""

    def __init__(self, articulation: ArticulationStream, fps: float) -> None:
        self._articulation = articulation
        self._fps = fps
        self._sampler = FrameSampler(fps)
        self._recent = NO_FRAMES  # up to PAST finished frames, then those that wait for FUTURE
        self._finished = 0  # how many of `_recent` have been finished
        self._heard = 0

    def push(self, samples: Array) -> ExpressionChunk:
        """[n] f32 mono samples at 16 kHz -> the frames that became certain, possibly none."""
        self._heard += len(samples)
        curves, contacts = self._finish(self._articulation.push(samples), FUTURE)
        start = self._sampler.emitted
        return _chunk(start, *self._sampler.push(curves, contacts))

    def finish(self) -> ExpressionChunk:
        """The remaining frames; all chunks together have `frame_count(seconds pushed, fps)` frames."""
        curves, contacts = self._finish(self._articulation.finish(), 0)
        start = self._sampler.emitted
        some = _chunk(start, *self._sampler.push(curves, contacts))
        rest = _chunk(start, *self._sampler.finish(frame_count(self._heard / SAMPLE_RATE, self._fps)))
        return ExpressionChunk(
            start,
            np.concatenate([some.weights, rest.weights]),
            np.concatenate([some.contact, rest.contact]),
        )

    def _finish(self, new: ArticulationFrames, wait: int) -> tuple[Array, Array]:
        """Finished curves and contacts of all frames but the last `wait`."""
        frames = concatenated(self._recent, new)
        end = max(self._finished, len(frames) - wait)
        if end == self._finished:
            self._recent = frames
            return NO_FRAMES.curves, NO_FRAMES.contacts
        curves, contacts = finish(frames.curves, frames.contacts, frames.silence)
        kept = max(0, end - PAST)
        self._recent, done = frames[kept:], slice(self._finished, end)
        self._finished = end - kept
        return curves[done], contacts[done]


def _chunk(start: int, curves: Array, contacts: Array) -> ExpressionChunk:
    weights = np.clip(to_arkit(curves), 0.0, 1.0)
    return ExpressionChunk(start, weights, np.clip(contacts, 0.0, 1.0).astype(np.float32))
