"""Rendering: the CPU rasteriser and the shaded preview."""

from .camera import Camera
from .png import write_png
from .preview import PreviewRenderer

__all__ = ["Camera", "PreviewRenderer", "write_png"]
