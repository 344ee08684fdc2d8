"""The speech-to-articulation network: log-mel features in, curves, contacts and phone classes out.

Every layer sees a bounded neighbourhood of a frame and nothing else (no statistics over time), so a window
with enough context gives the same frames as the whole sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..audio.mel import MELS
from .curves import CURVES

FRAME_RATE = 50  # frames per second; features come at twice that
FEATURES_PER_FRAME = 2
CONTACTS = 2  # bilabial, labiodental
SILENCE_CLASS = "sil"
_JAW, _CLOSE = CURVES.index("jawOpen"), CURVES.index("mouthClose")
_STEM_KERNEL = 5
_STEM_CONTEXT = 2  # frames at 50 fps that the two stem convolutions reach to each side


@dataclass(frozen=True)
class ExpressionConfig:
    """Shape of the network; stored in the checkpoint.

    `trunk` and `tail` are (kernel, dilation) of the blocks before and after the phone classes.
    """

    classes: tuple[str, ...]
    channels: int = 128
    trunk: tuple[tuple[int, int], ...] = ((5, 1), (5, 1), (5, 2), (5, 2), (5, 1), (5, 2), (5, 2), (5, 1))
    tail: tuple[tuple[int, int], ...] = ((9, 1), (5, 1))
    output_kernel: int = 3
    dropout: float = 0.1

    def __post_init__(self) -> None:
        kernels = [kernel for kernel, _ in self.trunk + self.tail] + [self.output_kernel]
        if any(kernel % 2 == 0 for kernel in kernels):
            raise ValueError(f"kernels must be odd to stay centred, got {kernels}")
        if SILENCE_CLASS not in self.classes:
            raise ValueError(f"the phone classes lack {SILENCE_CLASS!r}")

    @property
    def context(self) -> int:
        """Frames at 50 fps that an output depends on, to each side."""
        blocks = sum(dilation * (kernel // 2) for kernel, dilation in self.trunk + self.tail)
        return _STEM_CONTEXT + blocks + self.output_kernel // 2


@dataclass(frozen=True)
class Articulation:
    """What the network says about each frame.

    Attributes:
        curves: [B, F, 12] in 0-1, `CURVES` order.
        contacts: [B, F, 2] logits of bilabial and labiodental contact.
        phones: [B, F, C] logits of the phone classes.
    """

    curves: Tensor
    contacts: Tensor
    phones: Tensor


class Block(nn.Module):
    """Depthwise convolution along time, then a two-layer perceptron per frame; residual. [B, F, D]."""

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.taps = nn.Parameter(torch.randn(kernel, channels) / kernel**0.5)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, 2 * channels)
        self.narrow = nn.Linear(2 * channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        reach = self.dilation * (len(self.taps) // 2)
        padded = functional.pad(x, (0, 0, reach, reach))
        mixed = torch.zeros_like(x)
        for k, tap in enumerate(self.taps.to(x.dtype)):
            mixed = mixed + padded[:, k * self.dilation : k * self.dilation + x.shape[1]] * tap
        update = self.narrow(functional.gelu(self.widen(self.norm(mixed))))
        heard: Tensor = self.dropout(x.new_ones(len(x), 1, x.shape[2]))  # channels, for the whole scene
        result: Tensor = x + update * heard
        return result


class ExpressionNetwork(nn.Module):
    """Features at 100 fps -> `Articulation` at 50 fps; output frame i is centred on feature frame 2i."""

    def __init__(self, config: ExpressionConfig) -> None:
        super().__init__()
        width, half = config.channels, _STEM_KERNEL // 2
        self.listen = nn.Conv1d(MELS, width, _STEM_KERNEL, padding=half)
        self.halve = nn.Conv1d(width, width, _STEM_KERNEL, stride=FEATURES_PER_FRAME, padding=half)
        self.trunk = nn.Sequential(*(Block(width, k, d, config.dropout) for k, d in config.trunk))
        self.phones = nn.Linear(width, len(config.classes))
        self.recall = nn.Linear(len(config.classes), width)
        self.tail = nn.Sequential(*(Block(width, k, d, config.dropout) for k, d in config.tail))
        kernel = config.output_kernel
        self.curves = nn.Conv1d(width, len(CURVES) - 1, kernel, padding=kernel // 2)
        self.contacts = nn.Conv1d(width, CONTACTS, kernel, padding=kernel // 2)

    def forward(self, features: Tensor) -> Articulation:
        """[B, 2F, MELS] -> [B, F, ...]."""
        heard = functional.gelu(self.listen(features.transpose(1, 2)))
        frames = functional.gelu(self.halve(heard)).transpose(1, 2)  # [B, F, D]
        frames = self.trunk(frames)
        phones = self.phones(frames)
        frames = frames + self.recall(phones.softmax(-1))
        shaped = self.tail(frames).transpose(1, 2)  # [B, D, F]
        contacts = self.contacts(shaped).transpose(1, 2)
        curves = self.curves(shaped).sigmoid().transpose(1, 2)
        return Articulation(_with_closure(curves, contacts), contacts, phones)


def _with_closure(curves: Tensor, contacts: Tensor) -> Tensor:
    """Insert mouthClose: the share of jawOpen that bilabial contact takes back. -> [B, F, 12]."""
    closed = curves[..., _JAW, None] * contacts[..., :1].sigmoid()
    return torch.cat([curves[..., :_CLOSE], closed, curves[..., _CLOSE:]], dim=-1)
