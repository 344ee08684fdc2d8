"""What a person can ask of the motion besides the sound: how it is spoken, how the head moves, emotions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from .errors import InputError
from .tensorfile import Array

EMOTION_NAMES: tuple[str, ...] = ("happy", "sad", "angry", "surprised")
_STYLE_RANGE = (-1.0, 1.0)
_STRENGTH_RANGE = (0.0, 2.0)
_BLINK_RATE_RANGE = (0.0, 3.0)


def _check(name: str, value: float, lowest: float, highest: float) -> None:
    if not (math.isfinite(value) and lowest <= value <= highest):
        raise InputError(f"{name} is {value:g}", f"Give {lowest:g} to {highest:g}")


@dataclass(frozen=True)
class MotionStyle:
    """How a person speaks, relative to the average speaker of the training: 0 is average, -1 to 1 usual.

    Attributes:
        jaw, rounding, spread: how far jaw and lips go; one unit is a factor of sqrt(2).
        effort: how firmly lips press and bite at contacts; one unit is a factor of sqrt(2).
        sharpness: how quickly articulators reach their targets; one unit shortens coarticulation by sqrt(2).
        asymmetry: which corner leads; 1 moves the subject's left side more, -1 the right.
    """

    jaw: float = 0.0
    rounding: float = 0.0
    spread: float = 0.0
    effort: float = 0.0
    sharpness: float = 0.0
    asymmetry: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(f"style {item.name}", getattr(self, item.name), *_STYLE_RANGE)

    def vector(self) -> Array:
        """[6] f32 in the order of the fields."""
        return np.array([getattr(self, item.name) for item in fields(self)], np.float32)


STYLE_NAMES: tuple[str, ...] = tuple(item.name for item in fields(MotionStyle))


@dataclass(frozen=True)
class PoseStyle:
    """How a person moves the head, relative to the average of the training: 0 is average, -1 to 1 usual.

    One unit is a factor of sqrt(2).

    Attributes:
        energy: how far the head goes, all of it.
        nods: how many nods and beats there are.
        turns: how much of it is yaw.
        tilts: how much of it is roll.
    """

    energy: float = 0.0
    nods: float = 0.0
    turns: float = 0.0
    tilts: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(f"head style {item.name}", getattr(self, item.name), *_STYLE_RANGE)

    def vector(self) -> Array:
        """[4] f32 in the order of the fields."""
        return np.array([getattr(self, item.name) for item in fields(self)], np.float32)


POSE_STYLE_NAMES: tuple[str, ...] = tuple(item.name for item in fields(PoseStyle))


@dataclass(frozen=True)
class HeadControls:
    """How much the head moves, and the signs of life; the defaults say it plainly.

    Attributes:
        pitch, yaw, roll: strengths of the head's turns about these axes, 0 to 2; see `mixing.POSE_STRENGTHS`.
        shift: strength of its translation, 0 to 2.
        blinks, gaze, breath: strengths of these layers, 0 to 2.
        blink_rate: how many blinks there are, 0 to 3 times the usual.
        guidance: how closely the head follows the voice, 0 to 2 times what the weights are tuned for.
        style: the manner of moving.
    """

    pitch: float = 1.0
    yaw: float = 1.0
    roll: float = 1.0
    shift: float = 1.0
    blinks: float = 1.0
    gaze: float = 1.0
    breath: float = 1.0
    blink_rate: float = 1.0
    guidance: float = 1.0
    style: PoseStyle = PoseStyle()

    def __post_init__(self) -> None:
        for name in HEAD_STRENGTHS:
            _check(f"head {name}", getattr(self, name), *_STRENGTH_RANGE)
        _check("head blink_rate", self.blink_rate, *_BLINK_RATE_RANGE)
        _check("head guidance", self.guidance, *_STRENGTH_RANGE)


HEAD_STRENGTHS: tuple[str, ...] = ("pitch", "yaw", "roll", "shift", "blinks", "gaze", "breath")


@dataclass(frozen=True)
class ExpressionControls:
    """What to make of a sound; the defaults say it plainly.

    Attributes:
        articulation: scales jaw and lips, 0.3 to 1.7; contacts stay contacts.
        energy: scales brows, lids, cheeks and nose, 0 to 2.
        asymmetry: how unlike left and right are, 0 to 1.
        style: the manner of speaking.
        emotions: name -> (time in seconds of the result, intensity 0 to 1) keys in time order, joined
            linearly, constant outside; see `EMOTION_NAMES`.
        head: head motion, blinks, gaze and breath.
    """

    articulation: float = 1.0
    energy: float = 1.0
    asymmetry: float = 0.3
    style: MotionStyle = MotionStyle()
    emotions: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    head: HeadControls = HeadControls()

    def __post_init__(self) -> None:
        _check("articulation", self.articulation, 0.3, 1.7)
        _check("energy", self.energy, 0.0, 2.0)
        _check("asymmetry", self.asymmetry, 0.0, 1.0)
        for name, keys in self.emotions.items():
            if name not in EMOTION_NAMES:
                raise InputError(f"there is no emotion {name!r}", f"Choose from {', '.join(EMOTION_NAMES)}")
            for _, intensity in keys:
                _check(f"intensity of {name}", intensity, 0.0, 1.0)
            times = [time for time, _ in keys]
            if not keys or not all(map(math.isfinite, times)) or times != sorted(times):
                raise InputError(f"the keys of {name} are not in time order", "Give at least one, by time")


def controls_to_json(controls: ExpressionControls) -> dict[str, Any]:
    """Plain values for a header, a file or the wire."""
    return asdict(controls)


def controls_from_json(raw: Mapping[str, Any]) -> ExpressionControls:
    """Back from `controls_to_json`; what is missing has its default. Raises `InputError`."""
    try:
        emotions = {
            str(name): tuple((float(time), float(value)) for time, value in keys)
            for name, keys in dict(raw.get("emotions", {})).items()
        }
        style = MotionStyle(**_floats(raw.get("style", {})))
        head = dict(raw.get("head", {}))
        head_style = PoseStyle(**_floats(head.pop("style", {})))
        plain = _floats({name: raw[name] for name in ("articulation", "energy", "asymmetry") if name in raw})
        return ExpressionControls(
            style=style, emotions=emotions, head=HeadControls(style=head_style, **_floats(head)), **plain
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the controls cannot be read: {error}", "Leave them out") from error


def _floats(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): float(value) for name, value in dict(raw).items()}
