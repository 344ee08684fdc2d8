"""What a network of either variant draws, window by window of a sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .autoregressive import AutoregressiveNetwork, Rollout
from .network import ExpressionNetwork, Heard, NetworkOutput

AnyNetwork = ExpressionNetwork | AutoregressiveNetwork


@dataclass(frozen=True)
class Window:
    """Features around the frames that are wanted: frames `start` to `end` of these.

    Attributes:
        features: [1, features_per_frame * F, feature_width]; a context before `start`, or all there is, and
            one after `end`.
        noise: [1, F, NOISE_CHANNELS].
    """

    features: Tensor
    noise: Tensor
    start: int
    end: int


# Must be called with consecutive windows: each begins where the one before ended.
Draw = Callable[[Window], NetworkOutput]


def drawing(network: AnyNetwork, style: Tensor) -> Draw:
    """A new sound for `network`, spoken in `style` [1, STYLE_SIZE]."""
    if isinstance(network, AutoregressiveNetwork):
        return _one_by_one(network, style)

    def draw(window: Window) -> NetworkOutput:
        drawn = network(window.features, style, window.noise)
        parts = (getattr(drawn, item.name)[:, window.start : window.end] for item in fields(drawn))
        return NetworkOutput(*parts)

    return draw


def _one_by_one(network: AutoregressiveNetwork, style: Tensor) -> Draw:
    rollout = Rollout(network, style)

    def draw(window: Window) -> NetworkOutput:
        first, last = max(0, window.start - network.reach), window.end + network.reach
        heard: Heard = network.encoder(window.features)
        near = Heard(heard.frames[:, first:last], heard.phones[:, first:last])
        return rollout.draw(near, window.noise[:, window.start : window.end])

    return torch.inference_mode()(draw)
