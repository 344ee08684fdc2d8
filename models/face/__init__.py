"""Face models: the built-in head, and vertices from weights, lip coefficients and head pose."""

from .deform import Deformer, deform, eye_rotation
from .load import DEFAULT_HEAD, load_head

__all__ = ["DEFAULT_HEAD", "Deformer", "deform", "eye_rotation", "load_head"]
