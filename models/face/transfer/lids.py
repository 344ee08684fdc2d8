"""Lids on another eye: their margins move by the same share of its opening, and ride on its ball."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES

from .gradients import Pins
from .registration import Model
from .surface import Floats

EYE_SHAPES = tuple(i for i, name in enumerate(ARKIT_NAMES) if name.startswith("eye"))
_NARROW = 0.15  # of the opening's height, below which a column counts as so high: the corners have none


@dataclass(frozen=True)
class Eye:
    """An eye by its corners and lids.

    Attributes:
        centre: [3] of the ball; radius: from it to the nearest place of the margins.
        width, height: of the opening; axes: [3, 3] columns across, up, out.
        middle: [3] between the corners.
        opening: [n, 3] from the lower to the upper margin at each column.
    """

    centre: Floats
    radius: float
    width: float
    height: float
    axes: Floats
    middle: Floats
    opening: Floats


def eye_of(upper: Floats, lower: Floats, centre: Floats | None, like: Eye | None = None) -> Eye:
    """The eye with margins `upper`, `lower` [n, 3], nose to temple; without a ball, placed as in `like`."""
    across = upper[-1] - upper[0]
    width = float(np.linalg.norm(across))
    opening = upper - lower
    up = opening[np.argmax(np.linalg.norm(opening, axis=1))]
    first = across / width
    up = up - (up @ first) * first
    second = up / np.linalg.norm(up)
    axes = np.stack([first, second, np.cross(first, second)], 1)
    height, middle = float(np.linalg.norm(up)), 0.5 * (upper[0] + upper[-1])
    if centre is None:
        assert like is not None
        centre = middle + width / like.width * axes @ like.axes.T @ (like.centre - like.middle)
    radius = float(np.linalg.norm(np.concatenate([upper, lower]) - centre, axis=1).min())
    return Eye(centre, radius, width, height, axes, middle, opening)


def lid_pins(model: Model, shapes: Floats, placed: Floats, eyes: dict[str, tuple[Eye, Eye]]) -> Pins:
    """Where margins go in every eye shape.

    Args:
        shapes: [14, n, 3] our eye shapes; placed: [n, 3] our skin on the target.
        eyes: side -> our eye and the target's.
    """
    ids, moves = [], []
    for side, (ours, theirs) in eyes.items():
        for lid in ("upper", "lower"):
            ring = model.rings[f"lid_{lid}.{side}"]
            ids.append(ring)
            moves.append(_ride(model.surface.vertices[ring], shapes[:, ring], placed[ring], ours, theirs))
    if not ids:
        return Pins(np.zeros(0, np.int64), np.zeros((len(shapes), 0, 3)))
    pins, first = np.unique(np.concatenate(ids), return_index=True)
    return Pins(pins, np.concatenate(moves, 1)[:, first])


def _ride(rest: Floats, moves: Floats, placed: Floats, ours: Eye, theirs: Eye) -> Floats:
    """Our margin's `moves` [S, n, 3] from `rest` [n, 3] as those of `placed` [n, 3] on the other ball."""
    local = moves @ ours.axes
    low_ours, low_theirs = _NARROW * ours.height, _NARROW * theirs.height
    tall = (np.linalg.norm(theirs.opening, axis=1) + low_theirs) / (
        np.linalg.norm(ours.opening, axis=1) + low_ours
    )
    wide = theirs.width / ours.width
    scale = np.stack([np.full(len(tall), wide), tall, np.full(len(tall), wide)], 1)
    arm = placed + (local * scale) @ theirs.axes.T - theirs.centre
    grown = np.linalg.norm(rest + moves - ours.centre, axis=-1) / np.linalg.norm(rest - ours.centre, axis=-1)
    radius = np.linalg.norm(placed - theirs.centre, axis=-1) * grown
    result: Floats = theirs.centre + arm * (radius / np.linalg.norm(arm, axis=-1))[..., None] - placed
    return result
