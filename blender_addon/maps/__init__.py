"""Maps from the 52 ARKit weights to what other heads have: other shape keys, visemes, bones, properties."""

from .apply import MappedMotion, apply_map, recipe_weights
from .facemap import Channel, FaceMap, Viseme, load_map, preset_names
from .names import bound, detect_map, find_name

__all__ = [
    "Channel",
    "FaceMap",
    "MappedMotion",
    "Viseme",
    "apply_map",
    "bound",
    "detect_map",
    "find_name",
    "load_map",
    "preset_names",
    "recipe_weights",
]
