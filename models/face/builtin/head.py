"""Building the head from nothing to a face file."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile
from models.face.lip_range import with_lip_basis

from .assemble import neutral_head
from .export import face_file
from .hair import crop, grow
from .identity import identity_fields
from .shapes import expressions


def build_head() -> FaceFile:
    """The built-in head. Deterministic; takes some seconds."""
    bald = crop(neutral_head())
    motion = expressions(bald)
    fields = identity_fields(bald)
    mesh, binding = grow(bald)
    face = face_file(
        mesh,
        binding.carry(bald.vertices, motion.shapes),
        binding.carry(bald.vertices, np.stack(list(fields.values()))),
        tuple(fields),
        binding.spread(motion.jaw),
    )
    return with_lip_basis(face)
