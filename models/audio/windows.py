"""Features of an encoder that attends to its whole input: fixed windows of absolute time, cross-faded.

Window w begins at second 4 w - 2 and lasts 8 s; seconds 4 w to 4 w + 4 are taken from it, with a linear
cross-fade of 1 s about the joins. Before the sound and after it is digital silence. What comes out depends on
the sound alone, not on how it was cut, and needs a bounded part of it (all lengths are our choice).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .mel import HOP
from .stream import frames_to_cover

FRAME = 2 * HOP  # samples at 16 kHz per frame of 1 / 50 s
WINDOW_FRAMES, USED_FRAMES, FADE_FRAMES = 400, 200, 50
LEAD_FRAMES = (WINDOW_FRAMES - USED_FRAMES) // 2
LOOK_AHEAD_FRAMES = WINDOW_FRAMES - LEAD_FRAMES + FADE_FRAMES // 2

# [B, margin + WINDOW_FRAMES * FRAME + margin] samples -> [B, WINDOW_FRAMES, width]
Encode = Callable[[Tensor], Tensor]


class Windows:
    """B sounds of equal length in progress: samples in, features at 50 per second out."""

    def __init__(self, encode: Encode, margin: int, batch: int = 1) -> None:
        self._encode = encode
        self._margin = margin
        self._samples = torch.zeros(batch, margin + LEAD_FRAMES * FRAME)  # from the next window's start
        self._fading: Tensor | None = (
            None  # [B, FADE_FRAMES, width] the last window's share of the next frames
        )
        self._heard = 0
        self._made = 0

    def push(self, samples: Tensor) -> list[Tensor]:
        """[B, n] samples -> the features that became certain, in parts [B, m, width]."""
        self._heard += samples.shape[1]
        return self._advance(samples)

    def finish(self) -> list[Tensor]:
        """The remaining features, so that `frames_to_cover` have come out."""
        total = frames_to_cover(self._heard)
        missing = total - self._made
        parts = []
        while missing > 0:
            lacking = self._needed - self._samples.shape[1]
            [part] = self._advance(torch.zeros(len(self._samples), max(0, lacking)))
            parts.append(part[:, :missing])
            missing -= parts[-1].shape[1]
        return parts

    @property
    def _needed(self) -> int:
        return WINDOW_FRAMES * FRAME + 2 * self._margin

    def _advance(self, samples: Tensor) -> list[Tensor]:
        self._samples = torch.cat([self._samples, samples], dim=1)
        parts = []
        while self._samples.shape[1] >= self._needed:
            parts.append(self._next(self._encode(self._samples[:, : self._needed])))
            self._samples = self._samples[:, USED_FRAMES * FRAME :]
        self._samples = self._samples.clone()  # lets go of what was pushed
        self._made += sum(part.shape[1] for part in parts)
        return parts

    def _next(self, window: Tensor) -> Tensor:
        """[B, WINDOW_FRAMES, width] -> [B, m, width] the frames up to the next cross-fade."""
        half = FADE_FRAMES // 2
        rising = (torch.arange(FADE_FRAMES) + 0.5)[:, None] / FADE_FRAMES
        if self._fading is None:
            ready = window[:, LEAD_FRAMES : LEAD_FRAMES + USED_FRAMES - half]
        else:
            ready = window[:, LEAD_FRAMES - half : LEAD_FRAMES + USED_FRAMES - half].clone()
            ready[:, :FADE_FRAMES] = ready[:, :FADE_FRAMES] * rising + self._fading
        last = LEAD_FRAMES + USED_FRAMES - half
        self._fading = window[:, last : last + FADE_FRAMES] * (1.0 - rising)
        return ready
