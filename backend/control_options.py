"""The options of `vividtalk animate` that say how to speak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from backend.console import FILE
from blender_addon.protocol.controls import EMOTION_NAMES, STYLE_NAMES, ExpressionControls, MotionStyle

Keys = tuple[tuple[float, float], ...]
_USUAL = ExpressionControls()


@dataclass(frozen=True)
class WantedControls:
    """What the options asked for: `controls`, whose style starts from that of the clip `style_from`."""

    controls: ExpressionControls
    style: dict[str, float]
    style_from: Path | None

    def with_style(self, reference: MotionStyle) -> ExpressionControls:
        """The controls in the style of a reference, where no option says otherwise."""
        plain = {name: getattr(self.controls, name) for name in ("articulation", "energy", "asymmetry")}
        style = MotionStyle(**(asdict(reference) | self.style))
        return ExpressionControls(style=style, emotions=self.controls.emotions, **plain)


def control_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to `command`, which gets them as one argument `wanted`."""

    @wraps(command)
    def gathered(
        *,
        articulation: float,
        energy: float,
        asymmetry: float,
        emotions: dict[str, Keys],
        style: dict[str, float],
        style_from: Path | None,
        **others: Any,
    ) -> None:
        controls = ExpressionControls(articulation, energy, asymmetry, MotionStyle(**style), emotions)
        command(wanted=WantedControls(controls, style, style_from), **others)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


def _emotions(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Keys]:
    return {name: _keys(name, text) for name, text in _assignments(values, EMOTION_NAMES).items()}


def _styles(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    return {name: _number(name, text) for name, text in _assignments(values, STYLE_NAMES).items()}


def _assignments(values: tuple[str, ...], names: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or name not in names:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE with NAME from {', '.join(names)}")
        if name in found:
            raise click.BadParameter(f"{name} is given twice")
        found[name] = text
    return found


def _keys(name: str, text: str) -> Keys:
    if ":" not in text:
        return ((0.0, _number(name, text)),)
    pairs = (part.partition(":") for part in text.split(","))
    return tuple((_number(name, time), _number(name, value)) for time, _, value in pairs)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{name}: {text!r} is not a number") from None


_OPTIONS = (
    click.option(
        "--articulation",
        type=float,
        default=_USUAL.articulation,
        show_default=True,
        help="How far jaw and lips go, 0.3 to 1.7; contacts stay contacts.",
    ),
    click.option(
        "--energy",
        type=float,
        default=_USUAL.energy,
        show_default=True,
        help="How far brows, lids, cheeks and nose go, 0 to 2.",
    ),
    click.option(
        "--asymmetry",
        type=float,
        default=_USUAL.asymmetry,
        show_default=True,
        help="How unlike left and right are, 0 to 1.",
    ),
    click.option(
        "--emotion",
        "emotions",
        multiple=True,
        callback=_emotions,
        metavar="NAME=VALUE",
        help=f"{', '.join(EMOTION_NAMES)}: 0 to 1, or keys in seconds like happy=0:0,1.5:0.8. Repeatable.",
    ),
    click.option(
        "--style",
        multiple=True,
        callback=_styles,
        metavar="NAME=VALUE",
        help=f"{', '.join(STYLE_NAMES)}: -1 to 1, 0 is average. Repeatable.",
    ),
    click.option("--style-from", type=FILE, help="A clip with its sound whose style is taken over."),
)
