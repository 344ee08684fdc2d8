"""Which expression columns are which ARKit shapes, by the names that a file has for them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.tensorfile import input_error

from .pickled import read_pickled

NAME_KEYS = ("exp_name_list_52", "exp_name_list")
_SIDED = re.compile(r"(.*[A-Za-z0-9](?=[^A-Za-z0-9])|.*[a-z](?=[LR]))[^A-Za-z0-9]*([LRlr])")
_SIDES = {"l": "left", "r": "right"}


def arkit_columns(names: Sequence[str], where: str) -> dict[str, tuple[int, ...]]:
    """ARKit name -> the columns that make it, for those of `names` that mean an ARKit shape.

    Letter case, separators and the way to write a side do not matter. A shape without sides that the file
    has in two halves (`browInnerUp_L`, `browInnerUp_R`) is both. Raises `FileFormatError` for a name that is
    there twice.
    """
    column: dict[str, int] = {}
    for number, name in enumerate(names):
        spelled = spelling(name)
        if spelled in column:
            raise FileFormatError(f"{where} names two expressions {name!r}", "Names must differ")
        column[spelled] = number
    found: dict[str, tuple[int, ...]] = {}
    for shape in ARKIT_NAMES:
        key = shape.lower()
        halves = [f"{key}{side}" for side in _SIDES.values()]
        if key in column:
            found[shape] = (column[key],)
        elif all(half in column for half in halves):
            found[shape] = tuple(column[half] for half in halves)
    return found


def unknown_names(names: Sequence[str], found: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Those of `names` that are no ARKit shape's."""
    used = {number for numbers in found.values() for number in numbers}
    return [name for number, name in enumerate(names) if number not in used]


def spelling(name: str) -> str:
    """`name` in lower case without separators, its side in full: "eyeBlink_L" -> "eyeblinkleft"."""
    match = _SIDED.fullmatch(name.strip())
    stem, side = (match[1], _SIDES[match[2].lower()]) if match else (name, "")
    return re.sub(r"[^a-z0-9]", "", stem.lower()) + side


def name_list(value: Any) -> tuple[str, ...] | None:
    """The names that a list or array of strings holds; None for anything else."""
    listed = value.reshape(-1).tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        return None
    return tuple(listed)


def read_names(path: Path) -> tuple[str, ...]:
    """Names of expression columns: from a FaceVerse file that has them, a JSON list, or lines of text.

    Raises `InputError`.
    """
    names: tuple[str, ...] | None
    if path.suffix.lower() == ".npy":
        content = read_pickled(path)
        names = next((name_list(content[key]) for key in NAME_KEYS if key in content), None)
    else:
        try:
            text = path.read_text(encoding="utf-8")
            names = name_list(json.loads(text)) if text.lstrip().startswith("[") else _lines(text)
        except OSError as error:
            raise input_error(path, error) from error
        except ValueError as error:
            raise InputError(f"{path} is no list of names ({error})", "Write one name a line") from error
    if not names:
        raise InputError(
            f"{path} has no names of expressions", "Write one name a line, in the columns' order"
        )
    return names


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
