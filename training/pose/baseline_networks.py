"""Two plain ways from voice to head motion, to measure the codebook against: regression, and a window CVAE.

Both hear what the codebook's mapper hears, a second or more before and after, and know the speaker's style.
Neither is shipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.signal import savgol_filter
from torch import Tensor, nn
from torch.nn import functional

from blender_addon.protocol.controls import POSE_STYLE_NAMES
from models.pose.hearing import HEARD, SILENT

AXES = 6
_STYLE = len(POSE_STYLE_NAMES)
_DILATIONS = (1, 2, 4, 8, 16, 1, 2, 4)  # 38 frames, 1.5 s to each side
_DEVIATION = 0.2  # of a pose about what the CVAE decodes, in units of its spread; our choice
_SMOOTHING = (13, 2)  # frames and order of the Savitzky-Golay filter, SadTalker's
_SPANS = 4  # windows of a training sequence that the CVAE sees at each step


@dataclass(frozen=True)
class BaselineShape:
    """Sizes, our choice so that both have about as many weights as the mapper.

    Attributes:
        width: channels of the regressor. hidden, latent: of the CVAE.
        window: frames that the CVAE draws at once: SadTalker's 32 (Zhang et al., 2023).
        margin: frames of sound that it hears before and after. past: frames of motion that it goes on from.
    """

    width: int = 96
    hidden: int = 384
    latent: int = 32
    window: int = 32
    margin: int = 24
    past: int = 4


class Regressor(nn.Module):
    """Dilated convolutions over sound and style, to both sides; the least squares of the motion."""

    def __init__(self, shape: BaselineShape, spread: Tensor) -> None:
        super().__init__()
        self.spread: Tensor
        self.register_buffer("spread", spread)
        self.enter = nn.Conv1d(HEARD + _STYLE, shape.width, 1)
        self.blocks = nn.ModuleList(_Block(shape.width, dilation) for dilation in _DILATIONS)
        self.leave = nn.Conv1d(shape.width, AXES, 1)

    def forward(self, heard: Tensor, style: Tensor) -> Tensor:
        """[B, T, HEARD], [B, 4] -> [B, T, 6] motion in units of `spread`."""
        known = style[:, None].expand(-1, heard.shape[1], -1)
        x = self.enter(torch.cat([heard, known], 2).transpose(1, 2))  # [B, W, T]
        for block in self.blocks:
            x = block(x)
        drawn: Tensor = self.leave(x).transpose(1, 2)
        return drawn

    def loss(self, heard: Tensor, style: Tensor, motion: Tensor) -> Tensor:
        """Mean squared error in units of `spread`."""
        return functional.mse_loss(self(heard, style), motion / self.spread)

    @torch.no_grad()
    def draw(self, heard: Tensor, style: Tensor, seed: int) -> Tensor:
        """[T, HEARD], [4] -> [T, 6] motion; every seed gives the same."""
        drawn: Tensor = self(heard[None], style[None])[0] * self.spread
        return drawn


class _Block(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.near = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + self.mix(functional.gelu(self.near(self.norm(x))))
        return added


class WindowVae(nn.Module):
    """A conditional VAE that draws 1.28 s at once from sound, style and the end of the window before.

    SadTalker's PoseVAE draws windows of this length from sound and style, each on its own, with an
    adversarial loss as well, and smooths what it joined. Going on from the window before is ours, and in its
    favour; there is no critic.
    """

    def __init__(self, shape: BaselineShape, spread: Tensor) -> None:
        super().__init__()
        self.shape = shape
        self.spread: Tensor
        self.register_buffer("spread", spread)
        known = (shape.window + 2 * shape.margin) * HEARD + shape.past * AXES + _STYLE
        drawn, hidden = shape.window * AXES, shape.hidden
        self.condition = nn.Sequential(nn.Linear(known, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.encode = nn.Sequential(
            nn.Linear(drawn + hidden, hidden), nn.GELU(), nn.Linear(hidden, 2 * shape.latent)
        )
        self.decode = nn.Sequential(
            *(nn.Linear(shape.latent + hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()),
            nn.Linear(hidden, drawn),
        )

    def loss(self, heard: Tensor, style: Tensor, motion: Tensor) -> Tensor:
        """Negative evidence bound per number of random windows of [B, T, ...]."""
        window, margin, past = self.shape.window, self.shape.margin, self.shape.past
        room = heard.shape[1] - window - 2 * margin
        starts = [int(start) for start in torch.randint(0, room + 1, (_SPANS,))]
        sound = torch.cat([heard[:, start : start + window + 2 * margin] for start in starts])
        scaled = motion / self.spread
        first = [start + margin for start in starts]
        before = torch.cat([scaled[:, start - past : start] for start in first])
        target = torch.cat([scaled[:, start : start + window] for start in first]).flatten(1)
        known = self._known(sound, style.repeat(_SPANS, 1), before)
        mean, log_variance = self.encode(torch.cat([target, known], 1)).chunk(2, 1)
        latent = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        error = (self.decode(torch.cat([latent, known], 1)) - target).square().sum(1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1.0).sum(1)
        bound: Tensor = (error / (2.0 * _DEVIATION**2) + divergence).mean() / target.shape[1]
        return bound

    def _known(self, sound: Tensor, style: Tensor, before: Tensor) -> Tensor:
        known: Tensor = self.condition(torch.cat([sound.flatten(1), before.flatten(1), style], 1))
        return known

    @torch.no_grad()
    def draw(self, heard: Tensor, style: Tensor, seed: int) -> Tensor:
        """[T, HEARD], [4] -> [T, 6] motion, window after window from rest."""
        window, margin = self.shape.window, self.shape.margin
        frames = len(heard)
        count = -(-frames // window)
        quiet = torch.from_numpy(SILENT).to(heard)[None]
        after = margin + count * window - frames
        sound = torch.cat([quiet.expand(margin, -1), heard, quiet.expand(after, -1)])
        latents = torch.randn((count, self.shape.latent), generator=torch.Generator().manual_seed(seed))
        parts = [torch.zeros(1, self.shape.past, AXES)]
        for i, latent in enumerate(latents):
            near = sound[None, i * window : (i + 1) * window + 2 * margin]
            known = self._known(near, style[None], parts[-1][:, -self.shape.past :])
            parts.append(self.decode(torch.cat([latent[None], known], 1)).reshape(1, window, AXES))
        joined = torch.cat(parts[1:], 1)[0, :frames] * self.spread
        return torch.from_numpy(savgol_filter(joined.numpy(), *_SMOOTHING, axis=0, mode="nearest"))
