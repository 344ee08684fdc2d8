"""A map as data: JSON files, read into frozen dataclasses and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..protocol.arkit import ARKIT_INDEX
from ..protocol.errors import FileFormatError, InputError

PRESETS = Path(__file__).parent / "presets"
RECIPES = Path(__file__).parent / "recipes.json"
SHAPE_KEY, BONE, PROPERTY = "shape_key", "bone", "property"
KINDS = (SHAPE_KEY, BONE, PROPERTY)
BONE_PATHS = ("location", "rotation_euler", "rotation_quaternion", "scale")
_HINT = "Compare it with the presets in blender_addon/maps/presets"


@dataclass(frozen=True)
class Channel:
    """One number of another head: clip(offset + gain * sum of terms * ARKit weights, low, high).

    Attributes:
        targets: its name, and others that it may have: of a shape key, a bone, a property of the object.
        terms: ARKit name -> factor.
        kind: one of `KINDS`.
        path, axis: for a bone, one of `BONE_PATHS` and the number's place in it.
        unless: names of channels of which none may be present; for a shape that others replace.
    """

    targets: tuple[str, ...]
    terms: Mapping[str, float]
    kind: str = SHAPE_KEY
    path: str = ""
    axis: int = 0
    gain: float = 1.0
    offset: float = 0.0
    low: float = 0.0
    high: float = 1.0
    unless: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = f"the channel {', '.join(self.targets) or 'without a target'}"
        _check_names(self.targets, self.terms, what)
        if self.kind not in KINDS:
            raise FileFormatError(f"{what} has the kind {self.kind!r}", f"Known are {', '.join(KINDS)}")
        if self.kind == BONE and (self.path not in BONE_PATHS or not 0 <= self.axis < 4):
            raise FileFormatError(f"{what} has no usable path and axis", f"Paths are {', '.join(BONE_PATHS)}")
        if not self.low <= self.high:
            raise FileFormatError(f"{what} has low {self.low:g} above high {self.high:g}", "Swap them")


@dataclass(frozen=True)
class Viseme:
    """A mouth shape of a closed set, of which a mixture at a time stands for the mouth.

    Attributes:
        targets: the shape key's name, and others that it may have.
        recipe: ARKit name -> weight of the same mouth; none for rest, which takes what the others leave.
    """

    targets: tuple[str, ...]
    recipe: Mapping[str, float]

    def __post_init__(self) -> None:
        _check_names(self.targets, self.recipe, f"the viseme {', '.join(self.targets) or 'without a target'}")


@dataclass(frozen=True)
class FaceMap:
    """What another kind of head is driven by.

    Attributes:
        source: where the names are documented.
        loose: whether names may differ in case, separators and the way they say left and right.
    """

    name: str
    label: str
    source: str
    channels: tuple[Channel, ...]
    visemes: tuple[Viseme, ...]
    loose: bool = False

    def __post_init__(self) -> None:
        if not self.channels and not self.visemes:
            raise FileFormatError(f"the map {self.name} has neither channels nor visemes", _HINT)
        firsts = [_place(part) for part in self.parts]
        twice = sorted({first[0] for first in firsts if firsts.count(first) > 1})
        if twice:
            raise FileFormatError(f"the map {self.name} has {', '.join(twice)} twice", "Keep one of them")

    @property
    def parts(self) -> tuple[Channel | Viseme, ...]:
        """Channels, then visemes: the order of `apply_map`'s columns."""
        return (*self.channels, *self.visemes)


def _place(part: Channel | Viseme) -> tuple[str, str, str, int]:
    """What a part writes to; two parts may not share it."""
    if isinstance(part, Viseme):
        return part.targets[0], SHAPE_KEY, "", 0
    return part.targets[0], part.kind, part.path, part.axis


def _check_names(targets: tuple[str, ...], terms: Mapping[str, float], what: str) -> None:
    if not targets or not all(isinstance(name, str) and name for name in targets):
        raise FileFormatError(f"{what} is not named", "Give it a target")
    unknown = [name for name in terms if name not in ARKIT_INDEX]
    if unknown:
        raise FileFormatError(f"{what} uses {', '.join(unknown)}", "Use ARKit names, as in mouthSmileLeft")


def preset_names() -> tuple[str, ...]:
    """Names of the presets, sorted."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.json")))


def load_map(name_or_path: str | Path) -> FaceMap:
    """A preset by its name, or a map from a JSON file. Raises `InputError` or `FileFormatError`."""
    path = PRESETS / f"{name_or_path}.json"
    if str(name_or_path) not in preset_names():
        path = Path(name_or_path)
        if path.suffix != ".json":
            known = ", ".join(preset_names())
            raise InputError(f"no map is called {name_or_path}", f"Give a .json file, or one of {known}")
    content = _read(path)
    if not isinstance(content, dict):
        raise FileFormatError(f"{path} is not a map", _HINT)
    try:
        return _parse(content, _read(RECIPES))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(f"{path} is not a map ({type(error).__name__}: {error})", _HINT) from error
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error.what}", error.hint) from error


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", "Check the path") from error
    except ValueError as error:
        raise FileFormatError(f"{path} is not JSON ({error})", _HINT) from error


def _parse(content: Mapping[str, Any], recipes: Mapping[str, Mapping[str, float]]) -> FaceMap:
    known = {"name", "label", "source", "loose", "channels", "visemes"}
    unknown = sorted(set(content) - known)
    if unknown:
        raise FileFormatError(f"a map has no {', '.join(unknown)}", f"Known are {', '.join(sorted(known))}")
    return FaceMap(
        name=str(content["name"]),
        label=str(content.get("label", content["name"])),
        source=str(content.get("source", "")),
        channels=tuple(_channel(entry) for entry in content.get("channels", [])),
        visemes=tuple(_viseme(entry, recipes) for entry in content.get("visemes", [])),
        loose=bool(content.get("loose", False)),
    )


def _viseme(entry: Mapping[str, Any], recipes: Mapping[str, Mapping[str, float]]) -> Viseme:
    """Its recipe is spelled out, or the name of one of `recipes.json`."""
    recipe = entry["recipe"]
    return Viseme(_names(entry["target"]), _weights(recipes[recipe] if isinstance(recipe, str) else recipe))


def _channel(entry: Mapping[str, Any]) -> Channel:
    return Channel(
        targets=_names(entry["target"]),
        terms=_weights(entry["terms"]),
        kind=str(entry.get("kind", SHAPE_KEY)),
        path=str(entry.get("path", "")),
        axis=int(entry.get("axis", 0)),
        gain=float(entry.get("gain", 1.0)),
        offset=float(entry.get("offset", 0.0)),
        low=float(entry.get("low", 0.0)),
        high=float(entry.get("high", 1.0)),
        unless=_names(entry.get("unless", [])),
    )


def _names(value: Any) -> tuple[str, ...]:
    """A name or a list of names; a string is one name, not its letters."""
    return (value,) if isinstance(value, str) else tuple(str(name) for name in value)


def _weights(value: Any) -> dict[str, float]:
    """ARKit name -> weight; a name without side stands for both."""
    weights: dict[str, float] = {}
    for name, weight in value.items():
        both = (f"{name}Left", f"{name}Right")
        names = both if name not in ARKIT_INDEX and both[0] in ARKIT_INDEX else (name,)
        weights |= dict.fromkeys(names, float(weight))
    return weights
