"""The autoregressive variant: every branch draws a frame from its own past, the sound and the style.

The encoder is the parallel network's. Lips, the rest of the face, lip offsets and contacts are drawn by four
branches, each a causal transformer decoder: self-attention over its own last `past` frames (positions repeat
every `period`, nearer frames count more), attention to the sound of `audio` frames on each side, perceptron.
All four have the same shape and are computed side by side: K, a first axis of every tensor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from blender_addon.lips.offsets import CANONICAL_OFFSETS
from blender_addon.protocol.arkit import LIP_SHAPES, OTHER_SHAPES

from ..audio.features import FeatureConfig
from .network import (
    CONTACTS,
    STYLE_SIZE,
    ExpressionConfig,
    Heard,
    NetworkOutput,
    SpeechEncoder,
    with_closure,
)
from .noise import NOISE_CHANNELS

# Branches, K in this order: outputs, what an output is before training, and how its past is scaled.
BRANCHES: dict[str, tuple[int, float, float]] = {
    "lip": (len(LIP_SHAPES), -3.0, 1.0),
    "other": (len(OTHER_SHAPES), -3.0, 1.0),
    "offsets": (CANONICAL_OFFSETS, 0.0, 0.01),
    "contacts": (CONTACTS, -3.0, 1.0),
}
_OTHER = list(BRANCHES).index("other")


@dataclass(frozen=True)
class AutoregressiveConfig:
    """Shape of the network; stored in the checkpoint.

    Attributes:
        encoder: the speech encoder's shape and the width and heads of the decoder.
        layers: of each branch.
        past: own frames that a frame looks back to.
        audio: frames of sound that it sees to each side, beyond what the encoder sees.
        period: frames after which positions repeat.
    """

    encoder: ExpressionConfig
    layers: int = 2
    past: int = 50
    audio: int = 5
    period: int = 50

    def __post_init__(self) -> None:
        if min(self.layers, self.past, self.audio + 1, self.period) < 1:
            raise ValueError(f"layers, past and period start at 1 and audio at 0, got {self}")

    @property
    def classes(self) -> tuple[str, ...]:
        return self.encoder.classes

    @property
    def features(self) -> FeatureConfig:
        return self.encoder.features

    @property
    def feature_width(self) -> int:
        return self.encoder.feature_width

    @property
    def features_per_frame(self) -> int:
        return self.encoder.features_per_frame

    @property
    def context(self) -> int:
        """Frames at 50 fps whose sound an output depends on, to each side."""
        blocks = sum(dilation * (kernel // 2) for kernel, dilation in self.encoder.trunk)
        return self.encoder.stem_context + blocks + self.audio


@dataclass(frozen=True)
class Past:
    """What was drawn for frames before: [B, F, outputs] of each branch; contacts are probabilities."""

    lip: Tensor
    other: Tensor
    offsets: Tensor
    contacts: Tensor


def past_of(drawn: NetworkOutput) -> Past:
    """What `drawn` is for later frames."""
    return Past(drawn.lip, drawn.other, drawn.offsets, drawn.contacts.sigmoid())


class SideBySide(nn.Module):
    """A linear layer per branch: [K, ..., inputs] -> [K, ..., outputs]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(len(BRANCHES), inputs, outputs) / math.sqrt(3 * inputs))
        self.bias = nn.Parameter(torch.zeros(len(BRANCHES), 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.baddbmm(self.bias.to(x.dtype), x.flatten(1, -2), self.weight.to(x.dtype))
        return rows.view(*x.shape[:-1], -1)


class Norms(nn.Module):
    """A layer norm per branch: [K, B, F, D]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(len(BRANCHES), 1, 1, width))
        self.shift = nn.Parameter(torch.zeros(len(BRANCHES), 1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:]) * self.scale + self.shift


class DecoderLayer(nn.Module):
    """One layer of all branches, for whole scenes (`forward`) or the next frame of each (`step`)."""

    def __init__(self, config: AutoregressiveConfig) -> None:
        super().__init__()
        width, self.heads = config.encoder.channels, config.encoder.heads
        self.before_own, self.before_sound, self.before_thought = (Norms(width) for _ in range(3))
        self.gather, self.mix = SideBySide(width, 3 * width), SideBySide(width, width)
        self.ask, self.hear = SideBySide(width, width), SideBySide(width, 2 * width)
        self.take = SideBySide(width, width)
        self.widen, self.narrow = SideBySide(width, 2 * width), SideBySide(2 * width, width)
        slope = 2.0 ** -torch.arange(1.0, self.heads + 1)[:, None]  # some heads look closer than others
        # What distance does to attention [H, distances]: back in time up to the frame itself, and around it.
        self.recency = nn.Parameter(-slope * torch.arange(config.past - 1.0, -1.0, -1.0))
        self.nearness = nn.Parameter(-slope * torch.arange(-config.audio, config.audio + 1.0).abs())

    def forward(self, x: Tensor, heard: Tensor) -> Tensor:
        """[K, B, F, D] tokens, [B, F, D] sound -> [K, B, F, D]."""
        query, *own = self._heads(self.gather(self.before_own(x)))
        recent = _band(self.recency, x.shape[2], self.recency.shape[1] - 1)
        near = _band(self.nearness, x.shape[2], self.nearness.shape[1] // 2)
        return self._draw(x, query, own, recent, self.sound(heard), near)

    def step(
        self, x: Tensor, before: list[Tensor], sound: list[Tensor], missing: int
    ) -> tuple[Tensor, list[Tensor]]:
        """The next frame of every scene.

        Args:
            x: [K, B, 1, D] its tokens.
            before: keys and values [K, B, H, p, D / H] of the frames before.
            sound: keys and values of the sound around it.
            missing: frames that `sound` lacks before it, because the scene begins there.

        Returns:
            [K, B, 1, D], and the keys and values that the frame after it looks back to.
        """
        query, *new = self._heads(self.gather(self.before_own(x)))
        own = [torch.cat([old, one], dim=3) for old, one in zip(before, new, strict=True)]
        recent = self.recency[:, None, -own[0].shape[3] :]
        near = self.nearness[:, None, missing : missing + sound[0].shape[3]]
        oldest = max(0, own[0].shape[3] - self.recency.shape[1] + 1)
        return self._draw(x, query, own, recent, sound, near), [one[:, :, :, oldest:] for one in own]

    def sound(self, heard: Tensor) -> list[Tensor]:
        """[B, n, D] sound -> its keys and values [K, B, H, n, D / H]."""
        return self._heads(self.hear(heard.expand(len(BRANCHES), *heard.shape)))

    def _draw(
        self, x: Tensor, query: Tensor, own: list[Tensor], recent: Tensor, sound: list[Tensor], near: Tensor
    ) -> Tensor:
        x = x + self.mix(_attended(query, own, recent))
        [question] = self._heads(self.ask(self.before_sound(x)))
        x = x + self.take(_attended(question, sound, near))
        result: Tensor = x + self.narrow(functional.gelu(self.widen(self.before_thought(x))))
        return result

    def _heads(self, x: Tensor) -> list[Tensor]:
        """[K, B, F, n * D] -> n times [K, B, H, F, D / H]."""
        width = self.mix.bias.shape[-1]
        parts = x.view(*x.shape[:-1], -1, self.heads, width // self.heads)  # [K, B, F, n, H, D / H]
        return list(parts.permute(3, 0, 1, 4, 2, 5))


def _attended(query: Tensor, known: list[Tensor], bias: Tensor) -> Tensor:
    """[K, B, H, F, D / H] queries, keys and values [K, B, H, n, D / H], bias [H, F, n] -> [K, B, F, D]."""
    key, value = known
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
    return mixed.transpose(2, 3).flatten(-2)


def _band(bias: Tensor, frames: int, before: int) -> Tensor:
    """[H, n] bias by distance, from `before` frames back on -> [H, F, F], minus infinity outside the band."""
    place = torch.arange(frames, device=bias.device)
    index = place[None] - place[:, None] + before
    inside = (index >= 0) & (index < bias.shape[1])
    return bias[:, index.clamp(0, bias.shape[1] - 1)].masked_fill(~inside, float("-inf"))


class AutoregressiveNetwork(nn.Module):
    """Features at the source's rate and its own past -> `NetworkOutput` at 50 fps."""

    positions: Tensor

    def __init__(self, config: AutoregressiveConfig) -> None:
        super().__init__()
        width, self.reach = config.encoder.channels, config.audio
        self.encoder = SpeechEncoder(config.encoder)
        self.style = nn.Linear(STYLE_SIZE, width)
        self.noise = nn.Linear(NOISE_CHANNELS, width)
        self.recall = nn.ModuleDict({name: nn.Linear(size, width) for name, (size, _, _) in BRANCHES.items()})
        self.layers = nn.ModuleList([DecoderLayer(config) for _ in range(config.layers)])
        self.norm = Norms(width)
        self.out = nn.ModuleDict(
            {name: _output_map(width, size, start) for name, (size, start, _) in BRANCHES.items()}
        )
        self.register_buffer("positions", _positions(config.period, width), persistent=False)

    @property
    def decoder(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def forward(self, heard: Heard, style: Tensor, noise: Tensor, past: Past) -> NetworkOutput:
        """Draw F frames, each after the frame before it in `past`, as training does.

        Args:
            heard: the encoder's frames.
            style: [B, STYLE_SIZE].
            noise: [B, F, NOISE_CHANNELS].
            past: of every frame; the last one is not used.
        """
        later = Past(*(functional.pad(part[:, :-1], (0, 0, 1, 0)) for part in vars(past).values()))
        x = self.tokens(style, noise, later, 0)
        for layer in self.decoder:
            x = layer(x, heard.frames)
        return self.drawn(x, heard.phones)

    def tokens(self, style: Tensor, noise: Tensor, past: Past, first: int) -> Tensor:
        """What frames from number `first` on start with: style [B, S], noise and the frame before each of
        them [B, F, ...] -> [K, B, F, D]."""
        recalled = [self.recall[name](getattr(past, name) * BRANCHES[name][2]) for name in BRANCHES]
        recalled[_OTHER] = recalled[_OTHER] + self.noise(noise)
        place = torch.arange(first, first + noise.shape[1], device=noise.device) % len(self.positions)
        known: Tensor = self.style(style)[:, None] + self.positions[place]
        return torch.stack(recalled) + known

    def drawn(self, x: Tensor, phones: Tensor) -> NetworkOutput:
        """[K, B, F, D] tokens after the last layer, [B, F, C] -> what they say."""
        shaped = dict(zip(BRANCHES, self.norm(x), strict=True))
        lip, other, offsets, contacts = (self.out[name](shaped[name]) for name in BRANCHES)
        return NetworkOutput(
            with_closure(lip.sigmoid(), contacts), other.sigmoid(), offsets, contacts, phones
        )


class Rollout:
    """Scenes in progress that the network draws frame by frame, each from what it drew before."""

    def __init__(self, network: AutoregressiveNetwork, style: Tensor) -> None:
        """`style` [B, STYLE_SIZE]."""
        self._network = network
        self._style = style
        self._past = Past(*(style.new_zeros(len(style), 1, size) for size, _, _ in BRANCHES.values()))
        width, heads = network.style.out_features, network.decoder[0].heads
        nothing = style.new_zeros(len(BRANCHES), len(style), heads, 0, width // heads)
        self._memory = [[nothing, nothing] for _ in network.decoder]
        self._count = 0

    @torch.inference_mode()
    def draw(self, heard: Heard, noise: Tensor) -> NetworkOutput:
        """The next frames.

        Args:
            heard: of these frames, of as many before them as the network's `reach`, or all there are, and of
                as many after them.
            noise: [B, F, NOISE_CHANNELS] of these frames.
        """
        before = min(self._network.reach, self._count)
        sounds = [layer.sound(heard.frames) for layer in self._network.decoder]
        frames = [self._next(sounds, noise[:, i : i + 1], before + i) for i in range(noise.shape[1])]
        phones = heard.phones[:, before : before + noise.shape[1]]
        lip, other, offsets, contacts = (
            torch.cat([getattr(f, name) for f in frames], 1) for name in BRANCHES
        )
        return NetworkOutput(lip, other, offsets, contacts, phones)

    def _next(self, sounds: list[list[Tensor]], noise: Tensor, place: int) -> NetworkOutput:
        """One frame, the one at `place` in `sounds`."""
        x = self._network.tokens(self._style, noise, self._past, self._count)
        reach = self._network.reach
        first = max(0, place - reach)
        for number, layer in enumerate(self._network.decoder):
            near = [part[:, :, :, first : place + reach + 1] for part in sounds[number]]
            x, self._memory[number] = layer.step(x, self._memory[number], near, reach - (place - first))
        drawn = self._network.drawn(x, noise)
        self._past = past_of(drawn)
        self._count += 1
        return drawn


def _output_map(inputs: int, outputs: int, start: float) -> nn.Linear:
    """Training starts from no motion."""
    linear = nn.Linear(inputs, outputs)
    nn.init.zeros_(linear.weight)
    nn.init.constant_(linear.bias, start)
    return linear


def _positions(period: int, width: int) -> Tensor:
    """[period, D] sines and cosines of a frame's place in its period (Vaswani et al. 2017)."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angle = torch.arange(period)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
