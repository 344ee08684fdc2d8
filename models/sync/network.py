"""Two encoders, of a sound and of a mouth, into one space where what happens together is alike."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..audio.mel import MELS
from .measures import MEASURES

RATE = 50  # embeddings per second; log-mel features come at twice that
_KERNEL = 5


@dataclass(frozen=True)
class SyncConfig:
    """Shape of the network; stored in the checkpoint.

    With 4 layers after each stem an embedding sees 0.2 s of sound and of motion to either side.
    """

    audio_channels: int = 96
    motion_channels: int = 64
    audio_layers: int = 4
    motion_layers: int = 4
    width: int = 128

    def __post_init__(self) -> None:
        if min(self.audio_layers, self.motion_layers) < 1:
            raise ValueError(f"an encoder needs a layer: {self}")


class Layer(nn.Module):
    """Convolution along time and a norm over channels; residual. [B, F, C]."""

    def __init__(self, channels: int, dropout: float = 0.05) -> None:
        super().__init__()
        self.mix = nn.Conv1d(channels, channels, _KERNEL, padding=_KERNEL // 2)
        self.norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mix(x.transpose(1, 2)).transpose(1, 2)
        result: Tensor = x + self.dropout(functional.gelu(self.norm(mixed)))
        return result


class SyncNetwork(nn.Module):
    """Log-mel features at 100 per second and mouth measures at 50 per second -> unit vectors at 50."""

    def __init__(self, config: SyncConfig) -> None:
        super().__init__()
        audio, motion, half = config.audio_channels, config.motion_channels, _KERNEL // 2
        self.listen = nn.Conv1d(MELS, audio, _KERNEL, padding=half)
        self.halve = nn.Conv1d(audio, audio, _KERNEL, stride=2, padding=half)
        self.audio = nn.Sequential(*(Layer(audio) for _ in range(config.audio_layers)))
        self.watch = nn.Conv1d(2 * len(MEASURES), motion, _KERNEL, padding=half)
        self.motion = nn.Sequential(*(Layer(motion) for _ in range(config.motion_layers)))
        self.audio_out = nn.Linear(audio, config.width)
        self.motion_out = nn.Linear(motion, config.width)
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def embed_audio(self, features: Tensor) -> Tensor:
        """[B, 2F, MELS] -> [B, F, D]; vector i is centred on feature frame 2i."""
        heard = functional.gelu(self.listen(features.transpose(1, 2)))
        frames = functional.gelu(self.halve(heard)).transpose(1, 2)
        return functional.normalize(self.audio_out(self.audio(frames)), dim=-1)

    def embed_motion(self, measures: Tensor, known: Tensor) -> Tensor:
        """[B, F, 5] standardised measures, [B, 5] 1 where a measure is known -> [B, F, D]."""
        mask = known[:, None].expand_as(measures)
        seen = torch.cat([measures * mask, mask], dim=-1)
        frames = functional.gelu(self.watch(seen.transpose(1, 2))).transpose(1, 2)
        return functional.normalize(self.motion_out(self.motion(frames)), dim=-1)
