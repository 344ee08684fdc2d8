"""Batches of scenes: features as the product hears them, and the articulation that goes with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from blender_addon.protocol.tensorfile import Array
from models.audio.level import normalise, running_level
from models.audio.mel import HOP, WINDOW, log_mel, power_spectrum
from models.expression.network import FRAME_RATE

from .articulation import articulate, class_at, contacts
from .augment import WARPS, augment, mask_bands
from .scenes import Pool, SceneMix, make_scene

Generator = np.random.Generator


@dataclass(frozen=True)
class BatchConfig:
    """Scenes per batch, their length in frames at 50 per second, and what they are made of."""

    scenes: int = 10
    frames: int = 256
    mix: SceneMix = field(default_factory=SceneMix)


@dataclass(frozen=True)
class Batch:
    """Attributes:
    features: [B, 2F, MELS].
    curves: [B, F, 12] 0-1.
    contacts: [B, F, 2] 0-1.
    phones: [B, F] i64 class.
    """

    features: Tensor
    curves: Tensor
    contacts: Tensor
    phones: Tensor


def make_batch(pool: Pool, config: BatchConfig, rng: Generator) -> Batch:
    """Random scenes, each recorded by a random microphone in a random room."""
    times = np.arange(config.frames) / FRAME_RATE
    scenes = [make_scene(pool, config.frames / FRAME_RATE, config.mix, rng) for _ in range(config.scenes)]
    heard = [hear(torch.from_numpy(scene.samples), rng) for scene in scenes]
    features = torch.from_numpy(with_level(torch.stack(heard)))
    return Batch(
        features=torch.stack([mask_bands(one, rng) for one in features]),
        curves=torch.from_numpy(np.stack([articulate(scene.phones, times) for scene in scenes])),
        contacts=torch.from_numpy(np.stack([contacts(scene.phones, times) for scene in scenes])),
        phones=torch.from_numpy(np.stack([class_at(scene.phones, times) for scene in scenes])),
    )


def hear(samples: Tensor, rng: Generator) -> Tensor:
    """[n] samples -> [T, MELS] log-mel bands of the augmented sound."""
    padded = torch.nn.functional.pad(samples, (WINDOW // 2, WINDOW // 2 - HOP))
    power = augment(power_spectrum(padded), rng)
    return log_mel(power.float(), WARPS[int(rng.integers(len(WARPS)))])


def with_level(bands: Tensor) -> Array:
    """[B, T, MELS] log-mel bands -> [B, T, MELS] features, as a stream would make them."""
    values = bands.numpy()
    return normalise(values, running_level(values.mean(-1).astype(np.float64)))
