"""The head's pose from a voice: 16 kHz speech in, poses at any frame rate out, a take for each seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_addon.protocol.clip import POSE_CODE_STRIDE, ModelRef, frame_count
from blender_addon.protocol.controls import PoseStyle
from blender_addon.protocol.errors import ModelError
from blender_addon.protocol.tensorfile import Array

from ..audio.mel import SAMPLE_RATE
from .checkpoint import (
    CodebookCheckpoint,
    MapperCheckpoint,
    Sampling,
    digest,
    read_codebook,
    read_mapper,
)
from .hearing import ACTIVITY, HEARD_LATE, Hearing
from .mapper import FRAMES_AFTER
from .network import LATER_CODES, POSE_RATE, POSE_SIZE, DecoderStream
from .quantiser import packed
from .sampling import SAMPLING_LOOK_AHEAD, SmoothSampler
from .stepping import CodeChooser, Mode, StepNetwork

ASSETS = Path(__file__).parent.parent / "assets"
DEFAULT_CODEBOOK, DEFAULT_MAPPER = ASSETS / "pose-codebook.safetensors", ASSETS / "pose-mapper.safetensors"
_USUAL = PoseStyle()
# A frame needs the cubic's next frames, those the codes of `LATER_CODES` steps after theirs, a step its last
# heard frame and that one the sound after it; a step's frames are `POSE_CODE_STRIDE`.
_FRAMES_LATE = SAMPLING_LOOK_AHEAD + POSE_CODE_STRIDE * (LATER_CODES + 1) - 1 + FRAMES_AFTER
LOOK_AHEAD = _FRAMES_LATE / POSE_RATE + HEARD_LATE / SAMPLE_RATE + 1.0 / POSE_RATE


@dataclass(frozen=True)
class PoseChunk:
    """Consecutive frames of a head.

    Attributes:
        start: index of the first frame.
        pose: [f, 6] f32 rotation vector (radians) and translation (metres) relative to rest.
        activity: [f] f32 0-1: somebody speaks.
        first_code: index of the first code.
        codes: [t] i32, code i is about the 0.16 s from second 0.16 i on; the first level's choice plus 256
            times the second's.
    """

    start: int
    pose: Array
    activity: Array
    first_code: int
    codes: Array


class PoseModel:
    """Codebook and mapper; makes any number of independent streams.

    Attributes:
        models: ids and licences of the weights.
        sample_rate: what streams expect, hertz.
        look_ahead: seconds; frame i of a stream comes out once sound up to i / fps + look_ahead has been
            pushed, or at `finish`, and no later sound changes it.
    """

    sample_rate = SAMPLE_RATE
    look_ahead = LOOK_AHEAD

    def __init__(
        self, codebook: CodebookCheckpoint, mapper: MapperCheckpoint, device: torch.device | None = None
    ) -> None:
        """Raises `ModelError` when `mapper` was trained with another codebook."""
        if mapper.codebook != digest(codebook.codec):
            what = f"{mapper.identity.id} was trained with another codebook than {codebook.identity.id}"
            raise ModelError(what, "Give the two that belong together")
        self.device = device or torch.device("cpu")
        self.codec = codebook.codec.to(self.device)
        self.steps = StepNetwork(mapper.network, codebook.codec)
        self.sampling = mapper.sampling
        self.models = tuple(ModelRef(one.identity.id, one.identity.licence) for one in (codebook, mapper))

    @classmethod
    def load(cls, codebook: Path | None = None, mapper: Path | None = None, device: str = "cpu") -> PoseModel:
        """The model in these files, by default the shipped ones.

        Raises:
            ModelError: weights are missing, damaged, of another kind or do not belong together, or `device`
                does not exist.
        """
        parts = read_codebook(codebook or DEFAULT_CODEBOOK), read_mapper(mapper or DEFAULT_MAPPER)
        try:
            return cls(*parts, torch.device(device))
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"the pose model cannot run on {device!r}: {reason}", "Use cpu") from error

    def stream(
        self,
        fps: float,
        seed: int = 0,
        style: PoseStyle = _USUAL,
        guidance: float = 1.0,
        sampling: Sampling | None = None,
    ) -> PoseStream:
        """A new sound at `fps` frames per second.

        Args:
            seed: another one is another take.
            style: the manner of moving.
            guidance: how closely the head follows the voice, as a multiple of what the weights are tuned for.
            sampling: how codes are chosen, instead of as the weights say.
        """
        chosen = sampling or self.sampling
        return PoseStream(self, fps, Mode(seed, style, guidance * chosen.guidance, chosen))


class PoseStream:
    """One sound in progress: push samples as they come, then finish. Memory does not grow with the sound."""

    def __init__(self, model: PoseModel, fps: float, mode: Mode) -> None:
        self._fps = fps
        self._hearing = Hearing()
        self._chooser = CodeChooser(model.steps, mode)
        self._decoder = DecoderStream(model.codec)
        self._activity = np.zeros(0)  # heard, of frames whose pose is still to come
        self._sampler = SmoothSampler(fps, POSE_SIZE + 1)
        self._heard = 0
        self._codes = 0

    def push(self, samples: Array) -> PoseChunk:
        """[n] f32 mono samples at 16 kHz -> the frames that became certain, possibly none."""
        self._heard += len(samples)
        return self._advance(samples)

    def finish(self) -> PoseChunk:
        """The remaining frames, as if silence followed.

        All chunks together have `frame_count(seconds pushed, fps)` frames and a code for every 0.16 s begun.
        """
        seconds = self._heard / SAMPLE_RATE
        frames = frame_count(seconds, self._fps)
        codes = -(-frame_count(seconds, POSE_RATE) // POSE_CODE_STRIDE)
        silence = np.zeros(round((LOOK_AHEAD + 1.0 / self._fps) * SAMPLE_RATE), np.float32)
        rest = self._advance(silence)
        keep, known = frames - rest.start, codes - rest.first_code
        return PoseChunk(
            rest.start, rest.pose[:keep], rest.activity[:keep], rest.first_code, rest.codes[:known]
        )

    def _advance(self, samples: Array) -> PoseChunk:
        heard = self._hearing.push(samples)
        codes = torch.from_numpy(self._chooser.push(heard))
        poses = self._decoder.push(codes).numpy()
        activity = np.concatenate([self._activity, heard[:, ACTIVITY]])
        self._activity = activity[len(poses) :]
        rows = np.concatenate([poses, activity[: len(poses), None]], axis=1)
        start, first_code = self._sampler.emitted, self._codes
        sampled = self._sampler.push(rows)
        self._codes += len(codes)
        speaks = np.clip(sampled[:, POSE_SIZE], 0.0, 1.0)
        numbers = packed(codes).numpy().astype(np.int32)
        return PoseChunk(start, sampled[:, :POSE_SIZE], speaks, first_code, numbers)
