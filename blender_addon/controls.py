"""The panel's sliders and a take's own as `ExpressionControls`, and back."""

from __future__ import annotations

from typing import Any

from .protocol.controls import (
    POSE_STYLE_NAMES,
    STYLE_NAMES,
    ExpressionControls,
    HeadControls,
    MotionStyle,
    PoseStyle,
)
from .protocol.mixing import LAYER_STRENGTHS
from .scene.layers import LAYERS

_PLAIN = ("articulation", "energy", "asymmetry")
_DECIMALS = 6  # Blender's sliders hold 32 bits: their ends would lie outside the range of the controls


def read_controls(group: Any) -> ExpressionControls:
    """What a `VividTalkControls` says.

    Emotions are keys of the take in Blender, so there are none here. Strengths of the head and of layers are
    the take's and the rig's, which act on what is keyed, so they are 1.
    """
    head = group.head
    moving = PoseStyle(**{name: round(getattr(head, name), _DECIMALS) for name in POSE_STYLE_NAMES})
    return ExpressionControls(
        style=MotionStyle(**{name: round(getattr(group.style, name), _DECIMALS) for name in STYLE_NAMES}),
        head=HeadControls(style=moving, blink_rate=round(head.blink_rate, _DECIMALS)),
        **{name: round(getattr(group, name), _DECIMALS) for name in _PLAIN},
    )


def write_controls(group: Any, controls: ExpressionControls) -> None:
    """Set a `VividTalkControls`."""
    for name in _PLAIN:
        setattr(group, name, getattr(controls, name))
    write_style(group.style, controls.style)
    for name in POSE_STYLE_NAMES:
        setattr(group.head, name, getattr(controls.head.style, name))
    group.head.blink_rate = controls.head.blink_rate


def write_strengths(take: Any, head: HeadControls) -> None:
    """Note with which strengths the layers of a take without a clip are keyed."""
    own = {layer: getattr(head, name) for layer, name in LAYER_STRENGTHS.items()}
    take.keyed_strengths = [own.get(layer, 1.0) for layer in LAYERS]
    for layer, strength in own.items():
        setattr(take, f"strength_{layer}", strength)


def write_style(group: Any, style: MotionStyle) -> None:
    """Set a `VividTalkStyle`."""
    for name in STYLE_NAMES:
        setattr(group, name, getattr(style, name))
