"""The codebook: vectors become the nearest of a few learned ones, then their remainder does, and so on.

Vector quantisation with averages that follow the data instead of gradients, after van den Oord, Vinyals and
Kavukcuoglu (2017), "Neural discrete representation learning", appendix A; remainders after Zeghidour et al.
(2021), "SoundStream", who also replace codes that nothing chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

CODES = 256  # of a level
_EPSILON = 1e-5


@dataclass(frozen=True)
class Quantised:
    """Attributes:
    vectors: [..., D] sums of the chosen codes, with the gradient of what was quantised.
    codes: [..., L] i64 the choice of each level.
    commitment: scalar, mean squared distance of what was quantised from its codes, over the levels.
    """

    vectors: Tensor
    codes: Tensor
    commitment: Tensor


class Quantiser(nn.Module):
    """L levels of `CODES` vectors of D numbers. Learns from what it quantises while in training mode."""

    codes: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(self, levels: int, width: int, keep: float, least: float) -> None:
        """`keep`: share of the averages that stays at each batch; `least`: uses a batch of a live code."""
        super().__init__()
        self.keep, self.least = keep, least
        first = torch.randn(levels, CODES, width)
        self.register_buffer("codes", first)
        self.register_buffer("sums", first.clone())
        self.register_buffer("counts", torch.zeros(levels, CODES))  # the first batch starts all anew

    @property
    def levels(self) -> int:
        return int(self.codes.shape[0])

    def forward(self, vectors: Tensor) -> Quantised:
        """[..., D] -> the nearest codes."""
        flat = vectors.reshape(-1, vectors.shape[-1]).float()
        rest, total, chosen = flat, torch.zeros_like(flat), []
        commitment = flat.new_zeros(())
        for level in range(self.levels):
            index = nearest(rest.detach(), self.codes[level])
            code = self.codes[level][index]
            if self.training:
                self.follow(level, rest.detach(), index)
            commitment = commitment + (rest - code).square().mean() / self.levels
            total, rest = total + code, rest - code
            chosen.append(index)
        through = flat + (total - flat).detach()
        codes = torch.stack(chosen, -1).reshape(*vectors.shape[:-1], self.levels)
        return Quantised(through.reshape(vectors.shape), codes, commitment)

    def vectors(self, codes: Tensor) -> Tensor:
        """[..., L] i64 -> [..., D]."""
        total = self.codes[0][codes[..., 0]]
        for level in range(1, self.levels):
            total = total + self.codes[level][codes[..., level]]
        return total

    @torch.no_grad()
    def follow(self, level: int, vectors: Tensor, index: Tensor) -> None:
        """Move the codes of `level` to the running means of the `vectors` [n, D] that `index` [n] gives them.

        A code that is hardly chosen any more starts anew at one of the vectors.
        """
        count = torch.bincount(index, minlength=CODES).to(vectors.dtype)
        added = torch.zeros_like(self.sums[level]).index_add_(0, index, vectors)
        self.counts[level].mul_(self.keep).add_(count, alpha=1.0 - self.keep)
        self.sums[level].mul_(self.keep).add_(added, alpha=1.0 - self.keep)
        dead = self.counts[level] < self.least
        drawn = vectors[torch.randint(len(vectors), (CODES,), device=vectors.device)]
        self.sums[level] = torch.where(dead[:, None], drawn * self.least * 2.0, self.sums[level])
        self.counts[level] = torch.where(dead, self.least * 2.0, self.counts[level])
        self.codes[level] = self.sums[level] / (self.counts[level][:, None] + _EPSILON * self.least)


def nearest(vectors: Tensor, codes: Tensor) -> Tensor:
    """[n, D] vectors, [K, D] codes -> [n] i64 the nearest code of each."""
    distance = codes.square().sum(1) - 2.0 * vectors @ codes.T
    return distance.argmin(1)


def packed(codes: Tensor) -> Tensor:
    """[..., L] codes of the levels -> [...] i64: the first level's plus 256 times the second's."""
    place = CODES ** torch.arange(codes.shape[-1], device=codes.device)
    return (codes * place).sum(-1)


def unpacked(numbers: Tensor, levels: int) -> Tensor:
    """The reverse of `packed`."""
    place = CODES ** torch.arange(levels, device=numbers.device)
    return numbers[..., None] // place % CODES
