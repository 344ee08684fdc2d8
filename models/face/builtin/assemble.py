"""The neutral head: skin, eyeballs, teeth, tongue, brow hairs and lashes in one vertex array."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .dental_arch import LOWER, UPPER
from .mesh import FLIP, Floats, HeadMesh, Ints, Part
from .pieces import Piece, eyeball
from .skin import build_skin
from .teeth import teeth, tooth_rings
from .tongue import tongue


def neutral_head() -> HeadMesh:
    """Build all parts at rest, without hair."""
    skin = build_skin()
    left = eyeball()
    right = Piece(left.vertices * FLIP, left.polygons[:, ::-1], left.gum, left.iris)
    upper, lower, middle = teeth(UPPER), teeth(LOWER), tongue()
    start = len(skin.vertices)
    count = len(left.vertices)
    twins = [
        np.arange(count) + count,
        np.arange(count) - count,
        *(_own_mirror(piece.vertices) for piece in (upper, lower, middle)),
    ]
    pieces = [left, right, upper, lower, middle]
    offsets = start + np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    parts = [Part.EYE_LEFT, Part.EYE_RIGHT, Part.UPPER_TEETH, Part.LOWER_TEETH, Part.TONGUE]
    return HeadMesh(
        vertices=np.concatenate([skin.vertices] + [piece.vertices for piece in pieces]),
        polygons=np.concatenate(
            [skin.polygons] + [p.polygons + o for p, o in zip(pieces, offsets, strict=False)]
        ),
        part=np.concatenate(
            [np.full(start, Part.SKIN)]
            + [np.full(len(piece.vertices), part) for piece, part in zip(pieces, parts, strict=True)]
        ),
        mirror=np.concatenate([skin.mirror] + [t + o for t, o in zip(twins, offsets, strict=False)]),
        gum=np.concatenate([np.zeros(start, bool)] + [piece.gum for piece in pieces]),
        iris=np.concatenate([np.full(start, 9.0)] + [piece.iris for piece in pieces]),
        rings=skin.rings
        | {
            "teeth_upper": tooth_rings(UPPER) + offsets[2],
            "teeth_lower": tooth_rings(LOWER) + offsets[3],
        },
        skin_count=start,
    )


def _own_mirror(vertices: Floats) -> Ints:
    """For a piece that is its own mirror image: the id opposite each vertex."""
    nearest: Ints = cKDTree(vertices).query(vertices * FLIP)[1]
    return nearest
