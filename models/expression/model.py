"""The voice-to-expression model: 16 kHz speech in, ARKit weights and lip contacts at any frame rate out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from blender_addon.protocol.clip import frame_count
from blender_addon.protocol.controls import ExpressionControls
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
from .finishing import FINISHED, FUTURE, PAST, Finishing, finish
from .layers import compose
from .network import FRAME_RATE, GEOMETRY
from .sampling import SAMPLING_LOOK_AHEAD, FrameSampler, Sampled

PLAIN = ExpressionControls()
DEFAULT_WEIGHTS = Path(__file__).parent.parent / "assets" / "expression.safetensors"


@dataclass(frozen=True)
class ExpressionChunk:
    """Consecutive frames of a face.

    Attributes:
        start: index of the first frame.
        weights: [f, 52] f32 ARKit weights 0-1, the sum of the layers.
        contact: [f, 2] f32 bilabial and labiodental contact, 0-1.
        layers: speech, brows, emotion -> [f, 52] f32.
        offsets: [f, CANONICAL_OFFSETS] f32 lip offsets as the network draws them, canonical.
    """

    start: int
    weights: Array
    contact: Array
    layers: Mapping[str, Array]
    offsets: Array


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
        self.look_ahead = articulation_look_ahead(checkpoint) + (FUTURE + SAMPLING_LOOK_AHEAD) / FRAME_RATE

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

    def stream(
        self,
        fps: float,
        controls: ExpressionControls = PLAIN,
        seed: int = 0,
        finishing: Finishing = FINISHED,
        geometry: Array | None = None,
    ) -> ExpressionStream:
        """A new sound at `fps` frames per second.

        `geometry` is the `geometry_descriptor` of the face, the built-in head's when not given.
        """
        face = np.zeros(GEOMETRY, np.float32) if geometry is None else geometry
        style = np.concatenate([controls.style.vector(), face]).astype(np.float32)
        return ExpressionStream(self.articulation(style, seed), fps, controls, seed, finishing)

    def articulation(self, style: Array | None = None, seed: int = 0) -> ArticulationStream:
        """A new sound as the network itself hears it: 50 frames per second, nothing finished."""
        return ArticulationStream(self._checkpoint, self._device, style, seed)


class ExpressionStream:
    """One sound in progress: push samples as they come, then finish. Memory does not grow with the sound."""

    def __init__(
        self,
        articulation: ArticulationStream,
        fps: float,
        controls: ExpressionControls,
        seed: int,
        finishing: Finishing,
    ) -> None:
        self._articulation = articulation
        self._fps = fps
        self._controls, self._seed, self._steps = controls, seed, finishing
        self._sampler = FrameSampler(fps)
        self._recent = NO_FRAMES  # up to PAST finished frames, then those that wait for FUTURE
        self._finished = 0  # how many of `_recent` have been finished
        self._heard = 0

    def push(self, samples: Array) -> ExpressionChunk:
        """[n] f32 mono samples at 16 kHz -> the frames that became certain, possibly none."""
        self._heard += len(samples)
        frames = self._finish(self._articulation.push(samples), FUTURE)
        start = self._sampler.emitted
        return self._chunk(start, self._sampler.push(frames))

    def finish(self) -> ExpressionChunk:
        """The remaining frames; all chunks together have `frame_count(seconds pushed, fps)` frames."""
        frames = self._finish(self._articulation.finish(), 0)
        start = self._sampler.emitted
        some = self._sampler.push(frames)
        rest = self._sampler.finish(frame_count(self._heard / SAMPLE_RATE, self._fps))
        names = [item.name for item in fields(Sampled)]
        both = (np.concatenate([getattr(some, name), getattr(rest, name)]) for name in names)
        return self._chunk(start, Sampled(*both))

    def _finish(self, new: ArticulationFrames, wait: int) -> Sampled:
        """Finished frames, all but the last `wait`."""
        frames = concatenated(self._recent, new)
        end = max(self._finished, len(frames) - wait)
        if end == self._finished:
            self._recent = frames
            return Sampled(NO_FRAMES.weights, NO_FRAMES.contacts, NO_FRAMES.offsets)
        finished = finish(frames.weights, frames.contacts, frames.silence, self._steps)
        kept = max(0, end - PAST)
        self._recent, done = frames[kept:], slice(self._finished, end)
        self._finished = end - kept
        return Sampled(finished.weights[done], finished.contacts[done], frames.offsets[done])

    def _chunk(self, start: int, frames: Sampled) -> ExpressionChunk:
        contact = np.clip(frames.contacts, 0.0, 1.0).astype(np.float32)
        layers = compose(start, self._fps, frames.weights, contact, self._controls, self._seed)
        named = {"speech": layers.speech, "brows": layers.brows, "emotion": layers.emotion}
        return ExpressionChunk(start, layers.weights, contact, named, frames.offsets)
