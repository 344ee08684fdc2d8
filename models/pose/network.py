"""Head motion as codes and back: an encoder, a quantiser, and a decoder that looks back and little ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import firwin, minimum_phase
from torch import Tensor, nn
from torch.nn import functional

from blender_addon.protocol.clip import POSE_CODE_STRIDE

from .quantiser import Quantised, Quantiser

POSE_RATE = 25
POSE_SIZE = 6
STEP_RATE = POSE_RATE / POSE_CODE_STRIDE
_KERNEL = 3
_OVERLAP = (
    3 * POSE_CODE_STRIDE
)  # frames that one code's output reaches over: its own, a step before and after
LATER_CODES = 2  # codes after a frame's own that it depends on
# Gestures reach 6 to 7 Hz (Hadar et al. 1983) and above 8 Hz a head hardly moves: what the decoder draws goes
# through a filter of least delay (2.4 frames below 2 Hz, which it learns to draw ahead), 89 dB down at 8 Hz.
_PASS_HZ, _TAPS, _KAISER = 6.7, 129, 17.0


@dataclass(frozen=True)
class CodebookConfig:
    """Shape of the network; stored in the checkpoint.

    Attributes:
        channels: width of encoder and decoder.
        blocks: residual blocks of each.
        width: numbers of a code.
        levels: codes of a step: the second stands for what the first leaves over.
        quantised: without, the encoder's vectors go to the decoder as they are, to measure what codes cost.
        keep, least: see `Quantiser`.
    """

    channels: int = 96
    blocks: int = 3
    width: int = 64
    levels: int = 2
    quantised: bool = True
    keep: float = 0.98
    least: float = 0.3

    def __post_init__(self) -> None:
        if min(self.channels, self.blocks, self.width) < 1 or not 1 <= self.levels <= 3:
            raise ValueError(f"sizes start at 1 and a number holds 3 levels, got {self}")

    @property
    def earlier_codes(self) -> int:
        """Codes before a frame's own that it depends on."""
        smoothed = (_TAPS // 2) // POSE_CODE_STRIDE
        return 1 + smoothed + 1 + 2 * self.blocks * (_KERNEL - 1)


class Block(nn.Module):
    """Two convolutions over steps, residual. [B, C, T]; causal ones see no later step."""

    def __init__(self, channels: int, causal: bool) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, channels, _KERNEL)
        self.second = nn.Conv1d(channels, channels, _KERNEL)
        self.pad = (_KERNEL - 1, 0) if causal else (1, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.gelu(self.first(functional.pad(functional.gelu(x), self.pad)))
        result: Tensor = x + self.second(functional.pad(inner, self.pad))
        return result


class Encoder(nn.Module):
    """[B, 4 T, 6] poses -> [B, T, D]; step t is about frames 4 t to 4 t + 3 and sees those around."""

    def __init__(self, config: CodebookConfig) -> None:
        super().__init__()
        self.listen = nn.Conv1d(POSE_SIZE, config.channels, _OVERLAP, stride=POSE_CODE_STRIDE)
        self.blocks = nn.Sequential(*(Block(config.channels, causal=False) for _ in range(config.blocks)))
        self.out = nn.Conv1d(config.channels, config.width, 1)

    def forward(self, poses: Tensor) -> Tensor:
        padded = functional.pad(poses.transpose(1, 2), (POSE_CODE_STRIDE, POSE_CODE_STRIDE))
        result: Tensor = self.out(self.blocks(self.listen(padded))).transpose(1, 2)
        return result


def _least_delay() -> Tensor:
    """[taps] f32 the low-pass, latest sample last."""
    linear = firwin(_TAPS, _PASS_HZ, window=("kaiser", _KAISER), fs=POSE_RATE)
    early = minimum_phase(linear, n_fft=1 << 14)
    return torch.from_numpy((early / early.sum())[::-1].astype(np.float32))


class Decoder(nn.Module):
    """[B, T, D] -> [B, 4 T, 6]; a frame depends on `LATER_CODES` later codes and `earlier_codes` earlier."""

    smooth: Tensor

    def __init__(self, config: CodebookConfig) -> None:
        super().__init__()
        self.gather = nn.Conv1d(config.width, config.channels, _KERNEL)
        self.blocks = nn.Sequential(*(Block(config.channels, causal=True) for _ in range(config.blocks)))
        self.draw = nn.ConvTranspose1d(config.channels, POSE_SIZE, _OVERLAP, stride=POSE_CODE_STRIDE)
        self.register_buffer("smooth", _least_delay(), persistent=False)

    def forward(self, vectors: Tensor) -> Tensor:
        known = functional.pad(vectors.transpose(1, 2), (1, 1))
        drawn = self.draw(self.blocks(self.gather(known)))[:, :, POSE_CODE_STRIDE:-POSE_CODE_STRIDE]
        padded = functional.pad(drawn, (_TAPS // 2, 0), mode="replicate")
        smooth = self.smooth.expand(POSE_SIZE, 1, -1)
        return functional.conv1d(padded, smooth, groups=POSE_SIZE).transpose(1, 2)


class PoseCodec(nn.Module):
    """Poses [B, 4 T, 6] relative to rest, in radians and metres, to codes [B, T, L] and back."""

    scale: Tensor

    def __init__(self, config: CodebookConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.quantiser = Quantiser(config.levels, config.width, config.keep, config.least)
        self.decoder = Decoder(config)
        self.register_buffer("scale", torch.ones(POSE_SIZE))  # deviations of the axes; the network sees 1

    def forward(self, poses: Tensor) -> tuple[Tensor, Quantised]:
        """Poses and what they are after having been codes."""
        encoded = self.encoder(poses / self.scale)
        quantised = self.quantiser(encoded)
        vectors = quantised.vectors if self.config.quantised else encoded
        back: Tensor = self.decoder(vectors) * self.scale
        return back, quantised

    def encode(self, poses: Tensor) -> Tensor:
        """-> [B, T, L] i64."""
        return self.quantiser(self.encoder(poses / self.scale)).codes

    def decode(self, codes: Tensor) -> Tensor:
        """[B, T, L] -> [B, 4 T, 6]."""
        result: Tensor = self.decoder(self.quantiser.vectors(codes)) * self.scale
        return result


class DecoderStream:
    """Codes in as they come, poses out: one motion, without joins. Memory does not grow."""

    def __init__(self, codec: PoseCodec) -> None:
        self._codec = codec
        self._codes = torch.zeros(0, codec.config.levels, dtype=torch.int64, device=codec.scale.device)
        self._first = 0  # absolute step of the first code kept
        self._made = 0  # steps whose poses have come out

    @torch.inference_mode()
    def push(self, codes: Tensor) -> Tensor:
        """[t, L] codes -> [4 s, 6] the poses that became certain; `LATER_CODES` steps wait."""
        self._codes = torch.cat([self._codes, codes.to(self._codes.device)])
        end = max(self._made, self._first + len(self._codes) - LATER_CODES)
        if end == self._made:
            return torch.zeros(0, POSE_SIZE)
        poses = self._codec.decode(self._codes[None])[0]
        ready = poses[POSE_CODE_STRIDE * (self._made - self._first) : POSE_CODE_STRIDE * (end - self._first)]
        self._made = end
        passed = max(0, end - self._codec.config.earlier_codes - self._first)
        self._codes, self._first = self._codes[passed:], self._first + passed
        return ready.cpu()
