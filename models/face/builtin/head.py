"""Building the head from nothing to a face file."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile

from .assemble import neutral_head
from .export import face_file
from .identity import identity_fields
from .shapes import expressions


def build_head() -> FaceFile:
    """The built-in head. Deterministic; takes some seconds."""
    mesh = neutral_head()
    motion = expressions(mesh)
    fields = identity_fields(mesh)
    return face_file(mesh, motion.shapes, np.stack(list(fields.values())), tuple(fields), motion.jaw)
