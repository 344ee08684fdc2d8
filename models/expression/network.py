"""The speech-to-expression network: features in; lip and other weights, lip offsets, contacts and phones out.

An encoder hears the sound; four branches draw from what it heard and from how the person speaks. Every layer
sees a bounded neighbourhood of a frame and nothing else (no statistics over time), so a window with enough
context gives the same frames as the whole sound. Only plain operators: convolution, matrix product, GELU,
layer norm, softmax, sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from blender_addon.lips.offsets import CANONICAL_OFFSETS
from blender_addon.protocol.arkit import ARKIT_INDEX, LIP_SHAPES, OTHER_SHAPES
from blender_addon.protocol.controls import STYLE_NAMES

from ..audio.features import FeatureConfig
from ..audio.mel import MELS
from .noise import NOISE_CHANNELS

FRAME_RATE = 50  # frames per second
CONTACTS = 2  # bilabial, labiodental
GEOMETRY = 4  # numbers that describe a face's mouth, `style.geometry_descriptor`
STYLE_SIZE = len(STYLE_NAMES) + GEOMETRY
SILENCE_CLASS = "sil"
_JAW, _CLOSE = (LIP_SHAPES.index(ARKIT_INDEX[name]) for name in ("jawOpen", "mouthClose"))
_STEM_KERNEL = 5
_BLOCK = 32  # frames whose attention is computed at once
_NEVER = -1e4  # logit of a frame that is not looked at; its share underflows to 0
_RESTING = -3.0  # logit of a weight before training


@dataclass(frozen=True)
class ExpressionConfig:
    """Shape of the network; stored in the checkpoint.

    `trunk` and `tail` are (kernel, dilation) of the blocks before and after the phone classes; branches see
    `reach` frames to each side; features come `features_per_frame` times as often as frames.
    """

    classes: tuple[str, ...]
    channels: int = 128
    trunk: tuple[tuple[int, int], ...] = (
        *((5, 1), (5, 1), (5, 2), (5, 2), (5, 1), (5, 2), (5, 2), (5, 1)),
        *((5, 1), (5, 1), (5, 1), (5, 1), (5, 1), (5, 1)),
    )
    tail: tuple[tuple[int, int], ...] = ((9, 1), (5, 1))
    reach: int = 12
    heads: int = 4
    dropout: float = 0.1
    feature_width: int = MELS
    features_per_frame: int = 2
    features: FeatureConfig = field(default_factory=FeatureConfig)

    def __post_init__(self) -> None:
        if any(kernel % 2 == 0 for kernel, _ in self.trunk + self.tail):
            raise ValueError(f"kernels must be odd to stay centred, got {self.trunk + self.tail}")
        if SILENCE_CLASS not in self.classes:
            raise ValueError(f"the phone classes lack {SILENCE_CLASS!r}")
        if self.channels % self.heads:
            raise ValueError(f"{self.channels} channels cannot be shared by {self.heads} heads")

    @property
    def context(self) -> int:
        """Frames at 50 fps that an output depends on, to each side."""
        blocks = sum(dilation * (kernel // 2) for kernel, dilation in self.trunk + self.tail)
        return self.stem_context + blocks + self.reach

    @property
    def stem_context(self) -> int:
        """Frames that the two convolutions of the stem reach to each side."""
        features = (1 + self.features_per_frame) * (_STEM_KERNEL // 2)
        return -(-features // self.features_per_frame)


@dataclass(frozen=True)
class Heard:
    """What the encoder makes of a sound: frames [B, F, D] and logits of the phone classes [B, F, C]."""

    frames: Tensor
    phones: Tensor


@dataclass(frozen=True)
class NetworkOutput:
    """What the network says about each frame.

    Attributes:
        lip: [B, F, 29] in 0-1, `LIP_SHAPES` order.
        other: [B, F, 23] in 0-1, `OTHER_SHAPES` order.
        offsets: [B, F, CANONICAL_OFFSETS] lip offsets in canonical coordinates, thousandths of mouth widths.
        contacts: [B, F, 2] logits of bilabial and labiodental contact.
        phones: [B, F, C] logits of the phone classes.
    """

    lip: Tensor
    other: Tensor
    offsets: Tensor
    contacts: Tensor
    phones: Tensor


class ConvolutionBlock(nn.Module):
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


class AttentionBlock(nn.Module):
    """Attention to the `reach` frames on each side, by content and distance, then a perceptron. [B, F, D]."""

    def __init__(self, config: ExpressionConfig) -> None:
        super().__init__()
        width, self.reach, self.heads = config.channels, config.reach, config.heads
        self.before = nn.LayerNorm(width)
        self.gather = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)
        slope = 2.0 ** -torch.arange(1.0, self.heads + 1)  # some heads look closer than others
        self.nearness = nn.Parameter(-slope[:, None] * torch.arange(-self.reach, self.reach + 1).abs())

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mix(self._attended(self.before(x)))
        result: Tensor = x + self.narrow(functional.gelu(self.widen(self.between(x))))
        return result

    def _attended(self, x: Tensor) -> Tensor:
        """Blocks of queries look at their own and neighbouring keys only, so cost grows with F, not F * F."""
        batch, frames, width = x.shape
        blocks = -(-frames // _BLOCK)
        padded = functional.pad(self.gather(x), (0, 0, self.reach, blocks * _BLOCK - frames + self.reach))
        windows = padded.unfold(1, _BLOCK + 2 * self.reach, _BLOCK)  # [B, N, 3 D, K]
        parts = torch.unflatten(windows, 2, (3, self.heads, width // self.heads)).movedim(2, 0)
        query, key, value = (part.transpose(-1, -2) for part in parts)  # [B, N, H, K, D / H]
        mixed = functional.scaled_dot_product_attention(
            query[..., self.reach : -self.reach, :], key, value, attn_mask=self._bias(frames).to(x.dtype)
        )
        return mixed.transpose(2, 3).reshape(batch, blocks * _BLOCK, width)[:, :frames]

    def _bias(self, frames: int) -> Tensor:
        """[N, H, _BLOCK, K]: how willingly a frame looks at another; not beyond the reach or the sound."""
        place = torch.arange(_BLOCK + 2 * self.reach, device=self.nearness.device) - self.reach
        away = place[None] - torch.arange(_BLOCK, device=place.device)[:, None]
        bias = self.nearness[:, (away + self.reach).clamp(0, 2 * self.reach)]
        bias = bias.masked_fill(away.abs() > self.reach, _NEVER)
        first = torch.arange(-(-frames // _BLOCK), device=place.device)[:, None] * _BLOCK
        outside = (first + place < 0) | (first + place >= frames)  # [N, K]
        return bias.masked_fill(outside[:, None, None], _NEVER)


class Branch(nn.Module):
    """Draws one kind of output from the shared frames: [B, F, D] -> [B, F, outputs].

    The output map starts at zero, so that training starts from no motion.
    """

    def __init__(self, config: ExpressionConfig, outputs: int, start: float = 0.0) -> None:
        super().__init__()
        self.attend = AttentionBlock(config)
        self.norm = nn.LayerNorm(config.channels)
        self.out = nn.Linear(config.channels, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.constant_(self.out.bias, start)

    def forward(self, frames: Tensor) -> Tensor:
        drawn: Tensor = self.out(self.norm(self.attend(frames)))
        return drawn


class SpeechEncoder(nn.Module):
    """Features -> frames at 50 fps; output frame i is centred on feature `features_per_frame` * i."""

    def __init__(self, config: ExpressionConfig) -> None:
        super().__init__()
        width, half = config.channels, _STEM_KERNEL // 2
        self.listen = nn.Conv1d(config.feature_width, width, _STEM_KERNEL, padding=half)
        self.thin = nn.Conv1d(width, width, _STEM_KERNEL, stride=config.features_per_frame, padding=half)
        self.trunk = nn.Sequential(*(ConvolutionBlock(width, k, d, config.dropout) for k, d in config.trunk))
        self.phones = nn.Linear(width, len(config.classes))
        self.recall = nn.Linear(len(config.classes), width)

    def forward(self, features: Tensor) -> Heard:
        """[B, features_per_frame * F, feature_width] -> F frames."""
        heard = functional.gelu(self.listen(features.transpose(1, 2)))
        frames = self.trunk(functional.gelu(self.thin(heard)).transpose(1, 2))  # [B, F, D]
        phones = self.phones(frames)
        return Heard(frames + self.recall(phones.softmax(-1)), phones)


class ExpressionNetwork(nn.Module):
    """Features at the source's rate -> `NetworkOutput` at 50 fps."""

    def __init__(self, config: ExpressionConfig) -> None:
        super().__init__()
        width = config.channels
        self.encoder = SpeechEncoder(config)
        self.style = nn.Linear(STYLE_SIZE, width)
        self.tail = nn.Sequential(*(ConvolutionBlock(width, k, d, config.dropout) for k, d in config.tail))
        self.noise = nn.Linear(NOISE_CHANNELS, width)
        self.lip = Branch(config, len(LIP_SHAPES), _RESTING)
        self.other = Branch(config, len(OTHER_SHAPES), _RESTING)
        self.offsets = Branch(config, CANONICAL_OFFSETS)
        self.contacts = Branch(config, CONTACTS, _RESTING)

    def forward(self, features: Tensor, style: Tensor, noise: Tensor) -> NetworkOutput:
        """Draw F frames.

        Args:
            features: [B, features_per_frame * F, feature_width].
            style: [B, STYLE_SIZE] `MotionStyle.vector` and `geometry_descriptor` side by side.
            noise: [B, F, NOISE_CHANNELS] `noise_track`.
        """
        heard = self.encoder(features)
        shared = self.tail(heard.frames + self.style(style)[:, None])
        contacts = self.contacts(shared)
        return NetworkOutput(
            lip=with_closure(self.lip(shared).sigmoid(), contacts),
            other=self.other(shared + self.noise(noise)).sigmoid(),
            offsets=self.offsets(shared),
            contacts=contacts,
            phones=heard.phones,
        )


def with_closure(lip: Tensor, contacts: Tensor) -> Tensor:
    """[B, F, 29] lip weights whose mouthClose is the share of jawOpen that bilabial contact takes back."""
    closed = lip[..., _JAW, None] * contacts[..., :1].sigmoid()
    return torch.cat([lip[..., :_CLOSE], closed, lip[..., _CLOSE + 1 :]], dim=-1)
