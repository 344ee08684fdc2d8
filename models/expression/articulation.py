"""The network on a sound that arrives in pieces: overlapping windows, the same frames for every chunking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from blender_addon.protocol.tensorfile import Array

from ..audio.level import FEATURE_LOW, FEATURE_SCALE
from ..audio.mel import MELS
from ..audio.stream import FEATURE_LOOK_AHEAD, FeatureStream
from .checkpoint import Checkpoint
from .curves import CURVES
from .network import CONTACTS, FEATURES_PER_FRAME, FRAME_RATE, SILENCE_CLASS

_SMALLEST_WINDOW = 5  # frames worth running the network for
_LARGEST_WINDOW = 1500  # frames; bounds memory
_SILENT_FEATURE = FEATURE_LOW / FEATURE_SCALE


@dataclass(frozen=True)
class ArticulationFrames:
    """What the network says about F frames at 50 per second.

    Attributes:
        curves: [F, 12] f32 in 0-1, `CURVES` order.
        contacts: [F, 2] f32 probability of bilabial and labiodental contact.
        silence: [F] f32 probability that nobody speaks.
    """

    curves: Array
    contacts: Array
    silence: Array

    def __len__(self) -> int:
        return len(self.silence)

    def __getitem__(self, part: slice) -> ArticulationFrames:
        return ArticulationFrames(self.curves[part], self.contacts[part], self.silence[part])


NO_FRAMES = ArticulationFrames(
    np.zeros((0, len(CURVES)), np.float32), np.zeros((0, CONTACTS), np.float32), np.zeros(0, np.float32)
)


def concatenated(*parts: ArticulationFrames) -> ArticulationFrames:
    """Frames of several parts, one after the other."""
    return ArticulationFrames(
        np.concatenate([part.curves for part in parts]),
        np.concatenate([part.contacts for part in parts]),
        np.concatenate([part.silence for part in parts]),
    )


def articulation_look_ahead(context: int) -> float:
    """Seconds of sound after a frame that the stream needs before the frame comes out."""
    return FEATURE_LOOK_AHEAD + (context + _SMALLEST_WINDOW + 1) / FRAME_RATE


class ArticulationStream:
    """Samples in, `ArticulationFrames` out; frame i is at i / 50 s.

    As in training, nothing is known before the sound; after it is silence.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self._network = checkpoint.network
        self._device = device
        self._context = checkpoint.config.context
        self._silence = checkpoint.config.classes.index(SILENCE_CLASS)
        self._listener = FeatureStream()
        self._features = np.zeros((0, MELS), np.float32)
        self._lead = 0  # frames before the next one that `_features` still holds, at most the context

    def push(self, samples: Array) -> ArticulationFrames:
        """[n] f32 samples at 16 kHz -> the frames that became certain."""
        self._features = np.concatenate([self._features, self._listener.push(samples)])
        return self._advance(_SMALLEST_WINDOW)

    def finish(self) -> ArticulationFrames:
        """The remaining frames; F / 50 s covers the sound."""
        silence = np.full((FEATURES_PER_FRAME * self._context, MELS), _SILENT_FEATURE, np.float32)
        self._features = np.concatenate([self._features, self._listener.finish(), silence])
        return self._advance(1)

    def _advance(self, smallest: int) -> ArticulationFrames:
        parts = [NO_FRAMES]
        while (ready := len(self._features) // FEATURES_PER_FRAME - self._lead - self._context) >= smallest:
            end = self._lead + min(ready, _LARGEST_WINDOW)
            window = self._features[: FEATURES_PER_FRAME * (end + self._context)]
            parts.append(self._run(window)[self._lead : end])
            self._lead = min(self._context, end)
            self._features = self._features[FEATURES_PER_FRAME * (end - self._lead) :]
        return concatenated(*parts)

    @torch.inference_mode()
    def _run(self, features: Array) -> ArticulationFrames:
        """[2F, MELS] -> F frames, of which those near the ends lack context."""
        drawn = self._network(torch.from_numpy(features)[None].to(self._device))
        return ArticulationFrames(
            drawn.curves[0].cpu().numpy(),
            drawn.contacts[0].sigmoid().cpu().numpy(),
            drawn.phones[0].softmax(-1)[:, self._silence].cpu().numpy(),
        )
