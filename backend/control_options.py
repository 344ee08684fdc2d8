"""Options of `vividtalk animate` that say how a voice is to be spoken, and how the head moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from backend.console import FILE
from blender_addon.protocol.controls import (
    EMOTION_NAMES,
    HEAD_STRENGTHS,
    POSE_STYLE_NAMES,
    STYLE_NAMES,
    ExpressionControls,
    MotionStyle,
    controls_from_json,
)
from blender_addon.protocol.errors import InputError

_HEAD_NAMES = (*HEAD_STRENGTHS, "guidance", "blink_rate")
_OPTIONS = (
    click.option("--articulation", type=float, default=1.0, show_default=True, help="Jaw and lips, 0.3-1.7."),
    click.option("--energy", type=float, default=1.0, show_default=True, help="Brows, lids, cheeks, 0-2."),
    click.option("--asymmetry", type=float, default=0.3, show_default=True, help="Left unlike right, 0-1."),
    click.option(
        "--style", multiple=True, help=f"NAME=VALUE, -1 to 1, repeatable; {', '.join(STYLE_NAMES)}."
    ),
    click.option("--style-from", type=FILE, help="Speak as in this clip, whose sound is where it says."),
    click.option(
        "--emotion",
        multiple=True,
        help=f"NAME=INTENSITY, or NAME=SECONDS:INTENSITY,..., repeatable; {', '.join(EMOTION_NAMES)}.",
    ),
    click.option(
        "--head-strength",
        multiple=True,
        help=f"NAME=VALUE,..., 0 to 2 (blink_rate to 3), repeatable; {', '.join(_HEAD_NAMES)}.",
    ),
    click.option(
        "--head-style",
        multiple=True,
        help=f"NAME=VALUE,..., -1 to 1, repeatable; {', '.join(POSE_STYLE_NAMES)}.",
    ),
)


def control_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen_controls(
    device: str,
    style: Sequence[str],
    style_from: Path | None,
    emotion: Sequence[str],
    head_strength: Sequence[str],
    head_style: Sequence[str],
    **plain: float,
) -> ExpressionControls:
    """The controls that the options ask for; `plain` are articulation, energy and asymmetry.

    Raises:
        BadParameter: text that cannot be read.
        InputError: a value out of range, a name that does not exist, or a reference that cannot be used.
    """
    values = _values(style, "style", STYLE_NAMES)
    keys = {name: [_key(part) for part in text.split(",")] for name, text in map(_pair, emotion)}
    head: dict[str, Any] = {**_values(_split(head_strength), "head strength", _HEAD_NAMES)}
    head["style"] = _values(_split(head_style), "head style", POSE_STYLE_NAMES)
    asked = controls_from_json({**plain, "style": values, "emotions": keys, "head": head})
    if style_from is None:
        return asked
    return replace(asked, style=replace(_style_of(style_from, device), **values))


def _values(texts: Sequence[str], what: str, names: Sequence[str]) -> dict[str, float]:
    values = {name: _number(text) for name, text in map(_pair, texts)}
    unknown = [name for name in values if name not in names]
    if unknown:
        raise InputError(f"there is no {what} {unknown[0]!r}", f"Choose from {', '.join(names)}")
    return values


def _split(texts: Sequence[str]) -> list[str]:
    return [part for text in texts for part in text.split(",")]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def _key(text: str) -> tuple[float, float]:
    seconds, colon, intensity = text.rpartition(":")
    return (_number(seconds) if colon else 0.0, _number(intensity))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number") from None


def _style_of(clip: Path, device: str) -> MotionStyle:
    """The style of the person in the clip file."""
    from backend.devices import load_expression_model
    from backend.media.audio import AudioSpan
    from backend.media.clip_sound import find_audio
    from backend.pipeline import AnimateRequest
    from backend.reference import reference_style
    from blender_addon.protocol.clip import read_clip, spoken_weights

    reference = read_clip(clip)
    info = reference.info
    span = AudioSpan(info.audio_offset, info.audio_duration or None, info.audio_speed)
    spoken = AnimateRequest(audio=find_audio(info, clip), fps=info.fps, span=span)
    return reference_style(spoken_weights(reference), spoken, load_expression_model(device))
