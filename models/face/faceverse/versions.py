"""The published versions of FaceVerse, and which one a file is: by its keys and shapes, never its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.tensorfile import Array

_ALWAYS = ("meanshape", "meantex", "idBase", "texBase")
_TRIANGLES = (("tri",), ("select_id", "tri_select"))  # one of these


@dataclass(frozen=True)
class Version:
    """What makes a version, from the authors' public loaders.

    Attributes:
        number: 0 to 4.
        identity, texture: columns of idBase and texBase; expressions: columns by the key that holds them.
        needs: further keys; part_ends: how many ends `ver_inds` has, 0 where there is none.
        scale, flip: what the authors multiply stored coordinates with: all by `scale`, x, y, z by `flip`.
        rest: the authors' angles of a face that looks into the camera, radians.
        gamma_first: whether light comes before the angles in a coefficient vector; eyes: whether it has eyes.
    """

    number: int
    identity: int
    expressions: Mapping[str, int]
    texture: int
    needs: tuple[str, ...] = ()
    part_ends: int = 0
    scale: float = 1.0
    flip: tuple[float, float, float] = (1.0, 1.0, 1.0)
    rest: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gamma_first: bool = False
    eyes: bool = False


_TURNED = (float(np.pi), 0.0, 0.0)
VERSIONS: tuple[Version, ...] = (
    Version(0, 120, {"exBase": 64}, 200, rest=_TURNED),
    Version(1, 150, {"exBase": 74}, 251, rest=_TURNED),
    Version(2, 150, {"exBase": 52}, 251, rest=_TURNED),
    Version(
        3,
        150,
        {"exBase_52": 52},
        251,
        needs=("mediapipe_keypoints",),
        part_ends=3,
        scale=0.01,
        flip=(1.0, -1.0, -1.0),
        eyes=True,
    ),
    Version(
        4,
        156,
        {"exBase": 177},
        251,
        needs=("keypoints_mediapipe",),
        part_ends=6,
        scale=0.01,
        gamma_first=True,
        eyes=True,
    ),
)


def detect(content: Mapping[str, Any], where: str) -> Version:
    """The version of a file's content. Raises `FileFormatError` that lists what was found and is needed."""
    fitting = [version for version in VERSIONS if not _lacks(version, content)]
    if len(fitting) == 1:
        return fitting[0]
    found = ", ".join(f"{name} {_shape(content[name])}" for name in sorted(content)) or "nothing"
    needed = "; ".join(
        f"v{version.number} lacks {', '.join(_lacks(version, content))}" for version in VERSIONS
    )
    raise FileFormatError(
        f"{where} is no version of FaceVerse that is known: it has {found[:600]}; {needed}",
        "Give the file as the authors publish it",
    )


def _lacks(version: Version, content: Mapping[str, Any]) -> list[str]:
    """What keeps a file from being of `version`."""
    missing = [name for name in (*_ALWAYS, *version.needs) if name not in content]
    if not any(all(name in content for name in names) for names in _TRIANGLES):
        missing.append("tri")
    sizes = {"idBase": version.identity, "texBase": version.texture, **version.expressions}
    for name, columns in sizes.items():
        array = content.get(name)
        if not isinstance(array, np.ndarray) or array.ndim < 2 or array.shape[-1] != columns:
            missing.append(f"{name} with {columns} columns")
    ends = content.get("ver_inds")
    count = 0 if ends is None else np.size(_or_none(ends))
    if count != version.part_ends:
        missing.append(f"ver_inds with {version.part_ends} ends")
    return list(dict.fromkeys(missing))


def _or_none(value: Any) -> Array:
    """A list or array of numbers as an array; an empty one for anything else."""
    if isinstance(value, np.ndarray):
        return value
    numbers = isinstance(value, list) and all(isinstance(n, int | float) for n in value)
    return np.array(value if numbers else [])


def _shape(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.shape}"
    if isinstance(value, list | dict):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__
