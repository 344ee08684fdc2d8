"""Log-mel features of 16 kHz speech at 100 frames per second.

Frame j is centred on sample j * HOP. Power spectra are kept apart from the mel bands, because training
changes the sound (noise, rooms, voices) between the two.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

SAMPLE_RATE = 16000
HOP = 160
WINDOW = 400
FFT = 512
BINS = FFT // 2 + 1
MELS = 80
_LOWEST_HZ, _HIGHEST_HZ, _WARP_LIMIT_HZ = 50.0, 7600.0, 7990.0
_POWER_FLOOR = 1e-8


def power_spectrum(samples: Tensor) -> Tensor:
    """[..., WINDOW + (n - 1) * HOP] samples -> [..., n, BINS] power of Hann-windowed frames."""
    frames = samples.unfold(-1, WINDOW, HOP)  # [..., n, WINDOW]
    spectrum = torch.fft.rfft(frames * torch.hann_window(WINDOW), FFT)
    power: Tensor = spectrum.real.square() + spectrum.imag.square()
    return power


def log_mel(power: Tensor, warp: float = 1.0) -> Tensor:
    """[..., BINS] power -> [..., MELS] natural log of mel-band means."""
    return torch.log(power @ mel_bands(warp).T + _POWER_FLOOR)


@cache
def mel_bands(warp: float = 1.0) -> Tensor:
    """[MELS, BINS] triangular bands on the mel scale (O'Shaughnessy), each summing to 1.

    `warp` multiplies the band edges: above 1 the voice seems to come from a longer vocal tract (VTLP).
    """
    lowest, highest = (2595.0 * np.log10(1.0 + f / 700.0) for f in (_LOWEST_HZ, _HIGHEST_HZ))
    edges = 700.0 * (10.0 ** (np.linspace(lowest, highest, MELS + 2) / 2595.0) - 1.0)
    edges = np.minimum(edges * warp, _WARP_LIMIT_HZ)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hertz = np.arange(BINS) * SAMPLE_RATE / FFT
    rising = (hertz - left) / np.maximum(centre - left, 1.0)
    falling = (right - hertz) / np.maximum(right - centre, 1.0)
    bands = np.maximum(0.0, np.minimum(rising, falling))
    empty = bands.sum(1) == 0.0
    bands[empty, np.rint(centre[empty, 0] * FFT / SAMPLE_RATE).astype(int)] = 1.0
    return torch.from_numpy((bands / bands.sum(1, keepdims=True)).astype(np.float32))
