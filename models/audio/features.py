"""Where the features of a sound come from: one interface for every audio encoder.

Feature j of a source with `per_frame` features per frame of 1 / 50 s belongs to the time
j / (50 * per_frame) seconds, whatever the encoder's own stride and receptive field are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from blender_addon.protocol.tensorfile import Array

from .level import FEATURE_LOW, FEATURE_SCALE, normalise, running_level
from .mel import HOP, MELS, WINDOW, log_mel, power_spectrum
from .stream import FEATURE_LOOK_AHEAD, FeatureStream, frames_to_cover

MEL, TRANSFORMERS = "mel", "transformers"


@dataclass(frozen=True)
class FeatureConfig:
    """Which encoder a network listens through; stored in its checkpoint.

    Attributes:
        kind: "mel" or "transformers".
        name: of a transformers model, a folder or a hub id; empty for log-mel.
        layer: which hidden state of a transformers model, as in its `hidden_states`; -1 is the last.
    """

    kind: str = MEL
    name: str = ""
    layer: int = -1

    def __post_init__(self) -> None:
        if self.kind not in (MEL, TRANSFORMERS):
            raise ValueError(f"features are {MEL!r} or {TRANSFORMERS!r}, not {self.kind!r}")
        if (self.kind == TRANSFORMERS) != bool(self.name):
            raise ValueError(
                f"{TRANSFORMERS!r} features need the name of a model, {MEL!r} features have none"
            )


class Listener(Protocol):
    """One sound in progress."""

    def push(self, samples: Array) -> Array:
        """[n] f32 samples at 16 kHz -> [m, width] f32 features that became certain."""

    def finish(self) -> Array:
        """The remaining features, past the sound's end; a whole number of frames in all."""


class FeatureSource(Protocol):
    """An encoder that can hear any number of sounds.

    Attributes:
        width: of a feature.
        per_frame: features per frame of 1 / 50 s.
        look_ahead: seconds of sound after a feature's time that it depends on.
        silence: [width] f32, the feature of digital silence.
    """

    @property
    def width(self) -> int: ...
    @property
    def per_frame(self) -> int: ...
    @property
    def look_ahead(self) -> float: ...
    @property
    def silence(self) -> Array: ...

    def stream(self) -> Listener:
        """A new sound."""

    def whole(self, samples: Tensor) -> Tensor:
        """[B, n] samples of whole sounds -> [B, T, width], what a stream of each says in all."""


class LogMel:
    """Levelled log-mel bands at 100 per second: two per frame."""

    width = MELS
    per_frame = 2
    look_ahead = FEATURE_LOOK_AHEAD
    silence: Array = np.full(MELS, FEATURE_LOW / FEATURE_SCALE, np.float32)

    def stream(self) -> FeatureStream:
        """A new sound."""
        return FeatureStream()

    @torch.inference_mode()
    def whole(self, samples: Tensor) -> Tensor:
        """[B, n] samples -> [B, T, MELS]."""
        total = self.per_frame * frames_to_cover(samples.shape[1])
        before = WINDOW // 2
        after = WINDOW + (total - 1) * HOP - before - samples.shape[1]
        bands = log_mel(power_spectrum(torch.nn.functional.pad(samples, (before, after)))).numpy()
        return torch.from_numpy(normalise(bands, running_level(bands.mean(-1).astype(np.float64))))


def feature_source(config: FeatureConfig, device: torch.device | None = None) -> FeatureSource:
    """The encoder that `config` names; a pretrained one runs on `device`, by default the CPU.

    Raises:
        MissingExtraError: the packages for a pretrained encoder are not installed.
        ModelError: the encoder is not where it should be, or is of a kind that cannot be used.
    """
    if config.kind == MEL:
        return LogMel()
    from .encoder import load_encoder  # heavy, and its package is optional

    return load_encoder(config.name, config.layer, device or torch.device("cpu"))
