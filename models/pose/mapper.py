"""From what is heard to codes: a causal transformer, p(k_t | k_<t, sound, style, pose before the first step).

A token is a step. It attends to its own last `past` steps only, nearer ones counting more, so that memory is
bounded and every step of a long sound is like every other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from blender_addon.protocol.clip import POSE_CODE_STRIDE
from blender_addon.protocol.controls import POSE_STYLE_NAMES

from .hearing import HEARD
from .network import POSE_SIZE
from .quantiser import CODES

FRAMES_BEFORE, FRAMES_AFTER = 13, 7  # heard frames around a step's own four; our choice
_HEARD_FRAMES = FRAMES_BEFORE + POSE_CODE_STRIDE + FRAMES_AFTER


@dataclass(frozen=True)
class MapperConfig:
    """Shape of the network; stored in the checkpoint.

    Attributes:
        channels, layers, heads: of the transformer.
        past: steps that a step attends to, itself among them.
        width, levels: of the codebook.
        dropout: while training.
    """

    channels: int = 96
    layers: int = 3
    heads: int = 4
    past: int = 32
    width: int = 64
    levels: int = 2
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if min(self.channels, self.layers, self.heads, self.past, self.width, self.levels) < 1:
            raise ValueError(f"sizes start at 1, got {self}")
        if self.channels % self.heads:
            raise ValueError(f"{self.channels} channels cannot be shared by {self.heads} heads")


@dataclass(frozen=True)
class Conditions:
    """What steps depend on besides the codes before them.

    Attributes:
        sound: [B, T, HEARD * frames] what is heard around each step (`around_steps`).
        hears: [B] bool: whether the sound is known at all.
        style: [B, len(POSE_STYLE_NAMES)].
        start: [B, 6] pose before the first step over the codebook's scale.
    """

    sound: Tensor
    hears: Tensor
    style: Tensor
    start: Tensor


class MapperLayer(nn.Module):
    """Attention to the last steps, then a perceptron; both residual."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        width, self.heads, self.past = config.channels, config.heads, config.past
        self.before_past, self.before_thought = nn.LayerNorm(width), nn.LayerNorm(width)
        self.gather, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.dropout = nn.Dropout(config.dropout)
        slope = 2.0 ** -torch.arange(1.0, self.heads + 1)[:, None]  # some heads look closer than others
        self.recency = nn.Parameter(-slope * torch.arange(config.past - 1.0, -1.0, -1.0))  # [H, past]

    def forward(self, x: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Steps [B, T, C] after those whose keys and values are `known` -> [B, T, C], all keys and values.

        `known` and what is returned: [2, B, H, p, C / H], of at most `past` - 1 steps.
        """
        new = self.gather(self.before_past(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, pair = new[0], new[1:]
        if known is not None:
            pair = torch.cat([known, pair], dim=3)
        bias = self._bias(x.shape[1], pair.shape[3]).to(query.dtype)
        mixed = functional.scaled_dot_product_attention(query, pair[0], pair[1], attn_mask=bias)
        x = x + self.dropout(self.mix(mixed.transpose(1, 2).flatten(2)))
        x = x + self.dropout(self.narrow(functional.gelu(self.widen(self.before_thought(x)))))
        return x, pair[:, :, :, max(0, pair.shape[3] - self.past + 1) :]

    def _bias(self, steps: int, known: int) -> Tensor:
        """[H, steps, known] what distance does to attention, minus infinity outside the last `past` steps."""
        if steps == 1:
            return self.recency[:, None, self.past - known :]
        place = torch.arange(known, device=self.recency.device)
        index = place - place[known - steps :, None] + self.past - 1
        inside = (index >= 0) & (index < self.past)
        return self.recency[:, index.clamp(0, self.past - 1)].masked_fill(~inside, float("-inf"))


class MapperNetwork(nn.Module):
    """[B, T] steps to logits of their codes. `vectors` are the codebook's, frozen."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        width, levels = config.channels, config.levels
        self.config = config
        self.hear = nn.Sequential(
            nn.Linear(HEARD * _HEARD_FRAMES, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.unheard = nn.Parameter(torch.zeros(width))
        self.manner = nn.Linear(len(POSE_STYLE_NAMES), width)
        self.begin = nn.Linear(POSE_SIZE, width)
        self.recall = nn.Linear(config.width, width)
        self.layers = nn.ModuleList(MapperLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.refine = nn.ModuleList(nn.Embedding(CODES, width) for _ in range(levels - 1))
        self.think = nn.ModuleList(nn.Linear(width, width) for _ in range(levels))
        self.choose = nn.ModuleList(nn.Linear(width, CODES) for _ in range(levels))

    def forward(self, codes: Tensor, vectors: Tensor, conditions: Conditions) -> Tensor:
        """Logits [B, T, L, CODES] of `codes` [B, T, L], each step given the true ones before it.

        `vectors` [B, T, D] are what the codebook has for `codes`.
        """
        given = self.conditioned(conditions)  # [B, T, C]
        first = self.begin(conditions.start)[:, None]
        x = given + torch.cat([first, self.recall(vectors[:, :-1])], dim=1)
        for layer in self.layers:
            x, _ = layer(x)
        return torch.stack([self.logits(x, codes[..., :level]) for level in range(self.config.levels)], dim=2)

    def conditioned(self, conditions: Conditions) -> Tensor:
        """[B, T, C] sound and style."""
        heard = self.hear(conditions.sound)
        heard = torch.where(conditions.hears[:, None, None], heard, self.unheard)
        result: Tensor = heard + self.manner(conditions.style)[:, None]
        return result

    def logits(self, steps: Tensor, before: Tensor) -> Tensor:
        """[..., C] last layer, [..., l] codes of the step's levels before l -> [..., CODES] of level l."""
        x, level = self.norm(steps), before.shape[-1]
        for number in range(level):
            x = x + self.refine[number](before[..., number])
        result: Tensor = self.choose[level](functional.gelu(self.think[level](x)))
        return result


def around_steps(heard: Tensor, steps: int) -> Tensor:
    """[B, F, HEARD] frames, the first `FRAMES_BEFORE` of them before step 0 -> [B, steps, HEARD * frames]."""
    needed = _HEARD_FRAMES + POSE_CODE_STRIDE * (steps - 1)
    windows = heard[:, :needed].unfold(1, _HEARD_FRAMES, POSE_CODE_STRIDE)  # [B, steps, HEARD, frames]
    return windows.flatten(2)
