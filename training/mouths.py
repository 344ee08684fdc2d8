"""The mouths that training sees: what lips of several people do at contact, in canonical coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from blender_addon.lips.offsets import canonical_offsets
from blender_addon.lips.profiles import ROWS
from blender_addon.lips.region import HANDLE_ROWS, LipRegion, prepare_lips
from blender_addon.lips.solve import solve_handles, sticky_contact
from blender_addon.protocol.arkit import ARKIT_NAMES, LIP_SHAPES
from blender_addon.protocol.tensorfile import Array
from models.expression.network import FRAME_RATE
from models.expression.style import geometry_descriptor
from models.face import load_head
from models.face.identity import sample_identity, with_identity

PEOPLE = 5  # besides the built-in head


@dataclass(frozen=True)
class Mouth:
    """One person's mouth.

    Attributes:
        geometry: [GEOMETRY] descriptor.
        lips: prepared for the contact solve.
        motion: [29, CANONICAL_OFFSETS] f32 how each lip shape moves the handles, canonical.
    """

    geometry: Array
    lips: LipRegion
    motion: Array


@cache
def training_mouths() -> tuple[Mouth, ...]:
    """The built-in head and `PEOPLE` random people; takes a few seconds the first time."""
    head = load_head()
    faces = [head, *(with_identity(head, sample_identity(head, seed)) for seed in range(100, 100 + PEOPLE))]
    return tuple(
        Mouth(geometry_descriptor(face), lips, _motion(lips))
        for face in faces
        for lips in [prepare_lips(face)]
    )


def _motion(lips: LipRegion) -> Array:
    points = 2 * lips.columns * len(ROWS)
    moved = lips.motion.reshape(len(ARKIT_NAMES), 3, -1)[:, 1:, :points]
    grid = moved.reshape(len(ARKIT_NAMES), 2, 2, lips.columns, len(ROWS))
    rows = [ROWS.index(row) for row in HANDLE_ROWS]
    handles = grid[list(LIP_SHAPES)][..., 1:-1, :][..., rows]
    return canonical_offsets(lips, np.ascontiguousarray(handles).reshape(len(LIP_SHAPES), 2, -1))


def contact_offsets(mouth: Mouth, weights: Array, contacts: Array, frames: Array) -> Array:
    """[n, CANONICAL_OFFSETS] f32 what contact does to these lips in `frames` [n] of a scene at 50 fps.

    `weights` [F, 52] and `contacts` [F, 2] are the whole scene's.
    """
    held = sticky_contact(contacts[:, 0], FRAME_RATE).held
    return canonical_offsets(
        mouth.lips, solve_handles(mouth.lips, weights[frames], contacts[frames], held[frames])
    )
