"""How well motion comes back from codes: what is left of its variance, spectrum and largest nods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import welch
from torch import Tensor

from blender_addon.protocol.tensorfile import Array
from models.pose.network import POSE_RATE, PoseCodec
from models.pose.quantiser import CODES

from .data import PoseBank

SPECTRUM_HZ = 6.0  # up to where spectra are compared
AXES = ("pitch", "roll", "yaw", "shift_x", "shift_y", "shift_z")  # columns of a pose
_SEGMENT = 128  # frames of a spectrum's segments
_NOD_SHARE = 0.02  # the largest of all nods that are looked at
_NOD_REACH = 12  # frames to each side over which a nod's depth is measured


@dataclass(frozen=True)
class Reconstruction:
    """Measured on held-out motion, codes through the whole scene.

    Attributes:
        r2: [6] share of variance that comes back.
        spectrum: [6] the largest distance of the power spectra up to 6 Hz, decibels.
        nods: mean depth of the largest nods over that of the true ones.
        used: [L] share of a level's codes that are used; perplexity: [L] of them.
    """

    r2: Array
    spectrum: Array
    nods: float
    used: Array
    perplexity: Array

    @property
    def score(self) -> float:
        """The worst axis' R², less a hundredth for each decibel that its spectrum is off on average."""
        return float(self.r2.min() - 0.01 * self.spectrum.mean())

    def summary(self) -> dict[str, float]:
        """The numbers by name."""
        named = {f"r2_{axis}": float(value) for axis, value in zip(AXES, self.r2, strict=True)}
        worst = {"spectrum_db": float(self.spectrum.max()), "nods": self.nods}
        for level, (used, perplexity) in enumerate(zip(self.used, self.perplexity, strict=True)):
            worst |= {f"used_{level}": float(used), f"perplexity_{level}": float(perplexity)}
        return named | worst


@torch.no_grad()
def measure(codec: PoseCodec, bank: PoseBank) -> Reconstruction:
    """Send every motion of `bank` through `codec`, as codes."""
    true, back, codes = [], [], []
    for poses in _motions(bank):
        again, quantised = codec(poses.to(codec.scale.device))
        true.append(poses[0].numpy())
        back.append(again[0].cpu().numpy())
        codes.append(quantised.codes[0].cpu().numpy())
    counts = [np.bincount(level, minlength=CODES) for level in np.concatenate(codes).T]
    shares = np.array(counts) / np.sum(counts, axis=1, keepdims=True)
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(1)
    return Reconstruction(
        r2=explained(true, back),
        spectrum=np.abs(spectral_distance(true, back)).max(0),
        nods=nod_depths(true, back),
        used=(shares > 0).mean(1),
        perplexity=np.exp(entropy),
    )


def _motions(bank: PoseBank) -> Iterator[Tensor]:
    for scene in bank.scenes:
        for poses in scene.poses:
            yield torch.from_numpy(np.array(poses))[None]


def explained(true: list[Array], back: list[Array]) -> Array:
    """[6] R² over all motions [F, 6] about the mean of all."""
    joined, again = np.concatenate(true).astype(np.float64), np.concatenate(back)
    return np.asarray(1.0 - np.square(joined - again).mean(0) / joined.var(0))


def spectral_distance(true: list[Array], back: list[Array]) -> Array:
    """[bins, 6] decibels by which the mean power spectrum is above the true one, up to 6 Hz."""
    spectra = []
    for motions in (true, back):
        powers = [welch(one, POSE_RATE, nperseg=min(_SEGMENT, len(one)), axis=0) for one in motions]
        spectra.append(np.mean([power[powers[0][0] <= SPECTRUM_HZ] for _, power in powers], axis=0))
    return np.asarray(10.0 * np.log10(spectra[1] / spectra[0])[1:])


def nod_depths(true: list[Array], back: list[Array]) -> float:
    """Depth of the deepest true nods where they came back, over their own: mean over them.

    A nod's depth is the range of pitch within half a second of its fastest moment.
    """
    depths, again = [], []
    for one, other in zip(true, back, strict=True):
        windows, same = (
            np.lib.stride_tricks.sliding_window_view(m[:, 0], 2 * _NOD_REACH) for m in (one, other)
        )
        depths.append(np.ptp(windows, axis=1)[::_NOD_REACH])
        again.append(np.ptp(same, axis=1)[::_NOD_REACH])
    all_true, all_back = np.concatenate(depths), np.concatenate(again)
    largest = np.argsort(all_true)[-max(1, int(_NOD_SHARE * len(all_true))) :]
    return float(all_back[largest].mean() / all_true[largest].mean())


def log_power(motion: Tensor, size: int) -> Tensor:
    """[B, F, 6] -> [bins, 6] log of the batch's mean power in windows of `size` frames, 0 to 6 Hz."""
    window = torch.hann_window(size, device=motion.device)
    frames = motion.unfold(1, size, size // 2) * window  # [B, n, 6, size]
    spectrum = torch.fft.rfft(frames.float(), dim=-1)
    power = (spectrum.real.square() + spectrum.imag.square()).mean((0, 1))  # [6, bins]
    last = int(SPECTRUM_HZ / POSE_RATE * size)
    return torch.log(power[:, 1 : last + 1].T + 1e-9)
