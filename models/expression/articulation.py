"""The network on a sound that arrives in pieces: overlapping windows, the same frames for every chunking."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch

from blender_addon.lips.offsets import CANONICAL_OFFSETS
from blender_addon.protocol.arkit import ARKIT_NAMES, LIP_SHAPES, OTHER_SHAPES
from blender_addon.protocol.tensorfile import Array

from .checkpoint import Checkpoint
from .drawing import Window, drawing
from .network import CONTACTS, FRAME_RATE, SILENCE_CLASS, STYLE_SIZE, NetworkOutput
from .noise import NOISE_CHANNELS, noise_track

_SMALLEST_WINDOW = 5  # frames worth running the network for
_LARGEST_WINDOW = 1500  # frames; bounds memory


@dataclass(frozen=True)
class ArticulationFrames:
    """What the network says about F frames at 50 per second.

    Attributes:
        weights: [F, 52] f32 in 0-1.
        contacts: [F, 2] f32 probability of bilabial and labiodental contact.
        silence: [F] f32 probability that nobody speaks.
        offsets: [F, CANONICAL_OFFSETS] f32 canonical lip offsets.
    """

    weights: Array
    contacts: Array
    silence: Array
    offsets: Array

    def __len__(self) -> int:
        return len(self.silence)

    def __getitem__(self, part: slice) -> ArticulationFrames:
        return ArticulationFrames(*(getattr(self, item.name)[part] for item in fields(self)))


def concatenated(*parts: ArticulationFrames) -> ArticulationFrames:
    """Frames of several parts, one after the other."""
    names = [item.name for item in fields(ArticulationFrames)]
    return ArticulationFrames(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


NO_FRAMES = ArticulationFrames(
    np.zeros((0, len(ARKIT_NAMES)), np.float32),
    np.zeros((0, CONTACTS), np.float32),
    np.zeros(0, np.float32),
    np.zeros((0, CANONICAL_OFFSETS), np.float32),
)


def frames_of(drawn: NetworkOutput, silence: int) -> ArticulationFrames:
    """The frames of the first scene of a batch; `silence` is the index of that phone class."""
    weights = np.zeros((drawn.lip.shape[1], len(ARKIT_NAMES)), np.float32)
    weights[:, LIP_SHAPES] = drawn.lip[0].cpu().numpy()
    weights[:, OTHER_SHAPES] = drawn.other[0].cpu().numpy()
    return ArticulationFrames(
        weights,
        drawn.contacts[0].sigmoid().cpu().numpy(),
        drawn.phones[0].softmax(-1)[:, silence].cpu().numpy(),
        drawn.offsets[0].cpu().numpy(),
    )


def articulation_look_ahead(checkpoint: Checkpoint) -> float:
    """Seconds of sound after a frame that the stream needs before the frame comes out."""
    return checkpoint.source.look_ahead + (checkpoint.config.context + _SMALLEST_WINDOW + 1) / FRAME_RATE


class ArticulationStream:
    """Samples in, `ArticulationFrames` out; frame i is at i / 50 s.

    As in training, nothing is known before the sound; after it is silence.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: torch.device, style: Array | None = None, seed: int = 0
    ) -> None:
        """`style` [S + G] as the network takes it, average when not given; `seed` of the other branch."""
        self._device = device
        spoken = np.zeros(STYLE_SIZE, np.float32) if style is None else style
        self._draw = drawing(checkpoint.network, torch.from_numpy(spoken)[None].to(device))
        self._seed = seed
        self._per_frame = checkpoint.config.features_per_frame
        self._first = 0  # absolute frame that `_features` starts with
        self._context = checkpoint.config.context
        self._silence = checkpoint.config.classes.index(SILENCE_CLASS)
        self._after = checkpoint.source.silence
        self._listener = checkpoint.source.stream()
        self._features = np.zeros((0, checkpoint.source.width), np.float32)
        self._lead = 0  # frames before the next one that `_features` still holds, at most the context

    def push(self, samples: Array) -> ArticulationFrames:
        """[n] f32 samples at 16 kHz -> the frames that became certain."""
        self._features = np.concatenate([self._features, self._listener.push(samples)])
        return self._advance(_SMALLEST_WINDOW)

    def finish(self) -> ArticulationFrames:
        """The remaining frames; F / 50 s covers the sound."""
        silence = np.tile(self._after, (self._per_frame * self._context, 1))
        self._features = np.concatenate([self._features, self._listener.finish(), silence])
        return self._advance(1)

    def _advance(self, smallest: int) -> ArticulationFrames:
        parts = [NO_FRAMES]
        while (ready := len(self._features) // self._per_frame - self._lead - self._context) >= smallest:
            end = self._lead + min(ready, _LARGEST_WINDOW)
            window = self._features[: self._per_frame * (end + self._context)]
            parts.append(self._run(window, end))
            self._lead = min(self._context, end)
            self._first += end - self._lead
            self._features = self._features[self._per_frame * (end - self._lead) :]
        return concatenated(*parts)

    @torch.inference_mode()
    def _run(self, features: Array, end: int) -> ArticulationFrames:
        """Features with a context on both sides -> the frames from the next one to `end`."""
        frames = len(features) // self._per_frame
        noise = noise_track(self._seed, self._first, frames, NOISE_CHANNELS)
        heard, drawn_from = (torch.from_numpy(part)[None].to(self._device) for part in (features, noise))
        return frames_of(self._draw(Window(heard, drawn_from, self._lead, end)), self._silence)
