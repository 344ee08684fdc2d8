"""The mapper at run time: one step after the other in NumPy, where PyTorch would spend its time on calls.

Every step has the same shapes however the sound arrives, so that its rounding is the same too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import erf
from torch import nn

from blender_addon.protocol.clip import POSE_CODE_STRIDE
from blender_addon.protocol.controls import PoseStyle
from blender_addon.protocol.tensorfile import Array

from .checkpoint import Sampling
from .choosing import choose, stream_key, uniform
from .hearing import ACTIVITY, HEARD, SILENT
from .mapper import FRAMES_AFTER, FRAMES_BEFORE, MapperConfig, MapperNetwork, around_steps
from .network import POSE_SIZE, PoseCodec

_WINDOW = FRAMES_BEFORE + POSE_CODE_STRIDE + FRAMES_AFTER
_NEAR = slice(FRAMES_BEFORE - 2, FRAMES_BEFORE + POSE_CODE_STRIDE + 2)  # a step's frames and two to each side
_EPSILON = np.float32(1e-5)  # as in `torch.nn.LayerNorm`
_SQRT_2 = np.float32(2.0**0.5)


@dataclass(frozen=True)
class Mode:
    """How a stream chooses: see `PoseModel.stream`; `weight` is that of the logits that know the sound."""

    seed: int
    style: PoseStyle
    weight: float
    sampling: Sampling


class StepNetwork:
    """The weights of a `MapperNetwork` and of its codebook, as NumPy has them."""

    def __init__(self, network: MapperNetwork, codec: PoseCodec) -> None:
        self.config: MapperConfig = network.config
        self.codes = codec.quantiser.codes.detach().cpu().numpy()  # [L, K, D]
        weights = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
        for name, module in network.named_modules():
            if isinstance(module, nn.Linear):
                weights[f"{name}.weight"] = np.ascontiguousarray(weights[f"{name}.weight"].T)
        self._weights: Mapping[str, Array] = weights

    def linear(self, name: str, x: Array) -> Array:
        """[..., inputs] -> [..., outputs]."""
        result: Array = x @ self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return result

    def norm(self, name: str, x: Array) -> Array:
        """[B, C], each row with mean 0 and deviation 1, then scaled and shifted."""
        centred = x - np.add.reduce(x, axis=1, keepdims=True) / np.float32(x.shape[1])
        power = np.einsum("bc,bc->b", centred, centred)[:, None] / np.float32(x.shape[1])
        scaled = centred * (self._weights[f"{name}.weight"] / np.sqrt(power + _EPSILON))
        result: Array = scaled + self._weights[f"{name}.bias"]
        return result

    def conditioned(self, sound: Array, hears: Sequence[bool], style: Array) -> Array:
        """[HEARD * frames] around a step, [S] style -> [B, C]; row b knows the sound if `hears[b]`."""
        heard = self.linear("hear.2", gelu(self.linear("hear.0", sound)))
        rows = np.stack([heard if one else self._weights["unheard"] for one in hears])
        return np.asarray(rows + self.linear("manner", style))

    def layer(self, number: int, x: Array, past: Past) -> Array:
        """[B, C] a step after those of `past` -> [B, C]; `past` then has this one, too."""
        name, heads = f"layers.{number}", self.config.heads
        gathered = self.linear(f"{name}.gather", self.norm(f"{name}.before_past", x))
        query, key, value = gathered.reshape(len(x), 3, heads, -1).transpose(1, 0, 2, 3)  # [B, H, C / H]
        keys, values = past.with_next(key, value)
        scores = (keys @ query[..., None])[..., 0] / np.float32(query.shape[-1] ** 0.5)  # [B, H, p]
        recency = self._weights[f"{name}.recency"]  # [H, past]
        scores = scores + recency[:, recency.shape[1] - scores.shape[2] :]
        share = np.exp(scores - np.maximum.reduce(scores, axis=2, keepdims=True))
        share /= np.add.reduce(share, axis=2, keepdims=True)
        mixed = (share[:, :, None] @ values).reshape(len(x), -1)
        x = x + self.linear(f"{name}.mix", mixed)
        thought = gelu(self.linear(f"{name}.widen", self.norm(f"{name}.before_thought", x)))
        return np.asarray(x + self.linear(f"{name}.narrow", thought))

    def logits(self, last: Array, before: Sequence[int]) -> Array:
        """[B, C] last layer's, normed, and the codes of the levels before -> [B, K] of the next level."""
        for level, code in enumerate(before):
            last = last + self._weights[f"refine.{level}.weight"][code]
        return self.linear(f"choose.{len(before)}", gelu(self.linear(f"think.{len(before)}", last)))


class Past:
    """Keys and values of the last steps of a layer."""

    def __init__(self, steps: int, shape: tuple[int, int, int]) -> None:
        """`steps`: how many are kept; `shape`: B, H and C / H."""
        batch, heads, width = shape
        self._pairs = np.zeros((2, batch, heads, 4 * steps, width), np.float32)
        self._steps, self._end = steps, 0

    def with_next(self, key: Array, value: Array) -> tuple[Array, Array]:
        """The next step's [B, H, C / H] -> those of the last steps with it, each [B, H, p, C / H]."""
        if self._end == self._pairs.shape[3]:
            kept = self._steps - 1
            self._pairs[:, :, :, :kept] = self._pairs[:, :, :, self._end - kept :]
            self._end = kept
        self._pairs[0, :, :, self._end], self._pairs[1, :, :, self._end] = key, value
        self._end += 1
        first = max(0, self._end - self._steps)
        return self._pairs[0, :, :, first : self._end], self._pairs[1, :, :, first : self._end]


class CodeChooser:
    """What is heard at 25 frames per second in, codes out, one step after the other."""

    def __init__(self, network: StepNetwork, mode: Mode) -> None:
        config = network.config
        self._network, self._mode = network, mode
        self._hears = (True,) if mode.weight == 1.0 else (True, False)
        self._style = mode.style.vector()
        self._key = stream_key(mode.seed)
        self._frames = np.tile(SILENT, (FRAMES_BEFORE, 1))  # from the next step's window on
        shape = (len(self._hears), config.heads, config.channels // config.heads)
        self._past = [Past(config.past, shape) for _ in range(config.layers)]
        self._before = network.linear("begin", np.zeros(POSE_SIZE, np.float32))  # it begins at rest
        self._step = 0

    def push(self, heard: Array) -> Array:
        """[n, HEARD] -> [t, L] i64 the codes that became certain."""
        self._frames = np.concatenate([self._frames, heard])
        steps = max(0, (len(self._frames) - _WINDOW) // POSE_CODE_STRIDE + 1)
        if not steps:
            return np.zeros((0, self._network.config.levels), np.int64)
        sounds = around_steps(torch.from_numpy(self._frames)[None], steps)[0].numpy()
        codes = [self._choose(sound) for sound in sounds]
        self._frames = self._frames[steps * POSE_CODE_STRIDE :].copy()
        return np.array(codes, np.int64)

    def _choose(self, sound: Array) -> list[int]:
        """[HEARD * frames] around the next step -> its code at each level."""
        network, sampling = self._network, self._mode.sampling
        x = network.conditioned(sound, self._hears, self._style) + self._before
        for number, past in enumerate(self._past):
            x = network.layer(number, x, past)
        temperature = _temperature(sampling, sound)
        last, codes = network.norm("norm", x), list[int]()
        for level in range(network.config.levels):
            logits = self._guided(network.logits(last, codes))
            chance = uniform(self._key, self._step, level)
            codes.append(choose(logits, temperature, sampling.top, chance))
        vector = np.add.reduce(network.codes[range(len(codes)), codes], axis=0)
        self._before = network.linear("recall", vector)
        self._step += 1
        return codes

    def _guided(self, logits: Array) -> Array:
        """[B, K] -> [K]."""
        if len(logits) == 1:
            return np.asarray(logits[0])
        return np.asarray(logits[1] + np.float32(self._mode.weight) * (logits[0] - logits[1]))


def _temperature(sampling: Sampling, sound: Array) -> float:
    """For a step, from the [HEARD * frames] around it: the lowest where nobody speaks near it."""
    activity = sound.reshape(HEARD, -1)[ACTIVITY, _NEAR]
    speaks = float(np.clip(activity.max(), 0.0, 1.0))
    return sampling.temperature * (sampling.resting + (1.0 - sampling.resting) * speaks)


def gelu(x: Array) -> Array:
    """x times the normal distribution's share below x."""
    result: Array = x * (np.float32(0.5) * (np.float32(1.0) + erf(x / _SQRT_2)))
    return result
