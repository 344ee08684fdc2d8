"""Face models: the built-in head, and vertices from weights, lip coefficients and head pose."""

from blender_addon.protocol.face import eye_rotation

from .deform import Deformer, deform
from .load import DEFAULT_HEAD, load_head

__all__ = ["DEFAULT_HEAD", "Deformer", "deform", "eye_rotation", "load_head"]
