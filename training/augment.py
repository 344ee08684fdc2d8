"""Other rooms, microphones and noises, applied to power spectra; other voices come from the mel warp."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.audio.mel import BINS

Generator = np.random.Generator

WARPS = (0.82, 0.88, 0.94, 1.0, 1.0, 1.06, 1.12, 1.2)
_FREQUENCY = torch.linspace(0.0, 1.0, BINS)  # share of 8 kHz


def augment(power: Tensor, rng: Generator) -> Tensor:
    """[T, BINS] power of a scene -> the same scene recorded elsewhere. All shares and ranges are ours."""
    if rng.random() < 0.35:
        power = reverberate(power, rng.uniform(0.15, 0.8), rng.uniform(0.05, 0.5))
    if rng.random() < 0.8:
        power = power * _equaliser(rng)
    if rng.random() < 0.2:
        power = power * _telephone(rng)
    if rng.random() < 0.12:
        power = power * torch.where(rng.uniform(0.55, 0.95) > _FREQUENCY, 1.0, 1e-5)
    if rng.random() < 0.85:
        power = power + _background(power, rng)
    if rng.random() < 0.3:
        power = power * _drift(len(power), rng)
    return power


def mask_bands(features: Tensor, rng: Generator) -> Tensor:
    """[T, MELS] features: sometimes blurred across bands, with some bands hidden, or with jitter."""
    if rng.random() < 0.3:
        features = blur_bands(features, rng.uniform(0.4, 1.8))
    if rng.random() < 0.5:
        first = int(rng.integers(0, 70))
        features[:, first : first + int(rng.integers(1, 10))] = -1.5
    if rng.random() < 0.25:
        jitter = rng.standard_normal(tuple(features.shape), np.float32)
        features = features + 0.1 * torch.from_numpy(jitter)
    return features


def blur_bands(features: Tensor, width: float) -> Tensor:
    """[T, MELS] features with harmonics smeared over `width` bands (standard deviation)."""
    kernel = torch.exp(-0.5 * (torch.arange(-4, 5) / width) ** 2)
    padded = functional.pad(features[:, None], (4, 4), mode="replicate")
    return functional.conv1d(padded, (kernel / kernel.sum())[None, None]).squeeze(1)


def reverberate(power: Tensor, decay: float, wet: float) -> Tensor:
    """Smear power along time as a room does that needs `decay` seconds for 30 dB."""
    frames = min(60, int(decay * 100) + 2)
    kernel = torch.exp(-6.9 * torch.arange(frames) / (decay * 100))
    kernel = (kernel / kernel.sum()).flip(0)[None, None]
    late = functional.conv1d(functional.pad(power.T[:, None], (frames - 1, 0)), kernel)
    mixed: Tensor = (1.0 - wet) * power + wet * late.squeeze(1).T
    return mixed


def _equaliser(rng: Generator) -> Tensor:
    decibels = rng.normal(0, 8) * (_FREQUENCY - 0.3)
    for _ in range(int(rng.integers(2, 6))):
        bump = torch.exp(-0.5 * ((_FREQUENCY - rng.random()) / rng.uniform(0.03, 0.3)) ** 2)
        decibels = decibels + rng.normal(0, 4.5) * bump
    return torch.as_tensor(10.0 ** (decibels / 10.0))


def _telephone(rng: Generator) -> Tensor:
    low, high = rng.uniform(60, 350) / 8000, rng.uniform(3300, 5500) / 8000
    inside = (low < _FREQUENCY) & (high > _FREQUENCY)
    return torch.where(inside, 1.0, 10.0 ** -rng.uniform(3, 6))


def _background(power: Tensor, rng: Generator) -> Tensor:
    """Coloured noise 8 to 70 dB below the loud frames."""
    level = torch.quantile(power.mean(1), 0.9)
    ratio = rng.uniform(8, 45) if rng.random() < 0.75 else rng.uniform(45, 70)
    ripple = 1.0 + 0.5 * torch.sin(2 * math.pi * rng.uniform(0.5, 3) * _FREQUENCY + rng.uniform(0, 6))
    colour = torch.exp(-rng.uniform(0, 6) * _FREQUENCY) * ripple
    noise = torch.from_numpy(rng.standard_exponential(tuple(power.shape), np.float32))
    noise = noise * (colour / colour.mean())
    if rng.random() < 0.3:
        steps = 0.3 + 1.4 * torch.from_numpy(rng.random(len(power) // 20 + 1, np.float32))
        noise = noise * steps.repeat_interleave(20)[: len(power), None]
    scaled: Tensor = noise * (level * 10.0 ** (-ratio / 10.0))
    return scaled


def _drift(frames: int, rng: Generator) -> Tensor:
    """[T, 1] slowly wandering gain."""
    walk = torch.from_numpy(np.cumsum(rng.standard_normal(frames // 50 + 2)) * 0.125).float()
    path = functional.interpolate(walk[None, None], size=frames, mode="linear", align_corners=True)
    gain: Tensor = torch.exp(path[0, 0])[:, None]
    return gain
