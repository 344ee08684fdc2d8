"""The armature's rest pose and the bone weights, in the building frame (centimetres)."""

from __future__ import annotations

import numpy as np

from .anatomy import EYE_CENTRE
from .mesh import Floats, HeadMesh, Part, smoothstep

# Atlanto-occipital joint: between the ear canals, a little below and behind them.
PIVOT = (0.0, -3.2, -1.0)
NECK_BASE = (0.0, -17.5, -3.0)  # about the seventh cervical vertebra
CROWN = (0.0, 10.5, -1.0)
EYE_BONE_LENGTH = 2.5
COLLAR, NECK_FREE = -17.0, -11.5  # heights between which the collar's hold fades
SKULL_LOW, SKULL_HIGH = -15.0, -7.0  # heights, at the neck's axis, between which the head bone takes over

BoneRow = tuple[str, str, tuple[float, float, float], tuple[float, float, float]]


def bones() -> tuple[BoneRow, ...]:
    """Rows of name, parent, head, tail."""
    x, y, z = (float(v) for v in EYE_CENTRE)
    return (
        ("neck", "", NECK_BASE, PIVOT),
        ("head", "neck", PIVOT, CROWN),
        ("eye.L", "head", (x, y, z), (x, y, z + EYE_BONE_LENGTH)),
        ("eye.R", "head", (-x, y, z), (-x, y, z + EYE_BONE_LENGTH)),
    )


def bone_weights(mesh: HeadMesh) -> Floats:
    """[V, 4] weights of neck, head, eye.L, eye.R. Rows fall to 0 at the collar, which stays still.

    The border between neck and head follows the jaw: it lies lower in front than at the nape.
    """
    _, y, z = mesh.vertices.T
    tilted = y + 0.28 * (z - PIVOT[2])
    free = smoothstep(y, COLLAR, NECK_FREE)
    head = smoothstep(tilted, SKULL_LOW, SKULL_HIGH)
    chin = smoothstep(z, 5.2, 7.2) * smoothstep(y, -12.6, -11.2)
    head = np.maximum(head, chin)
    weights = np.zeros((len(y), 4))
    weights[:, 0], weights[:, 1] = free * (1 - head), free * head
    rigid = mesh.part != Part.SKIN
    inside = mesh.marked(mesh.rings["mouth"][9:])
    weights[rigid | inside] = (0, 1, 0, 0)
    weights[mesh.part == Part.EYE_LEFT] = (0, 0, 1, 0)
    weights[mesh.part == Part.EYE_RIGHT] = (0, 0, 0, 1)
    return weights
