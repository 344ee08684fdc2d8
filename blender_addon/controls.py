"""The panel's sliders and a take's own as `ExpressionControls`, and back."""

from __future__ import annotations

from typing import Any

from .protocol.controls import STYLE_NAMES, ExpressionControls, MotionStyle

_PLAIN = ("articulation", "energy", "asymmetry")
_DECIMALS = 6  # Blender's sliders hold 32 bits: their ends would lie outside the range of the controls


def read_controls(group: Any) -> ExpressionControls:
    """What a `VividTalkControls` says. Emotions are keys of the take in Blender, so there are none here."""
    return ExpressionControls(
        style=MotionStyle(**{name: round(getattr(group.style, name), _DECIMALS) for name in STYLE_NAMES}),
        **{name: round(getattr(group, name), _DECIMALS) for name in _PLAIN},
    )


def write_controls(group: Any, controls: ExpressionControls) -> None:
    """Set a `VividTalkControls`."""
    for name in _PLAIN:
        setattr(group, name, getattr(controls, name))
    write_style(group.style, controls.style)


def write_style(group: Any, style: MotionStyle) -> None:
    """Set a `VividTalkStyle`."""
    for name in STYLE_NAMES:
        setattr(group, name, getattr(style, name))
