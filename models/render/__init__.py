"""Rendering: the rasteriser, what a pixel shows of a face, and the shaded preview."""

from .batch import RasterBatch, interpolate_batch, normals_batch, rasterize_batch, visibility
from .camera import Camera, Pinhole
from .png import write_png
from .preview import PreviewRenderer
from .surface import Surface, SurfaceMaps, surface_maps, texel_raster

__all__ = [
    "Camera",
    "Pinhole",
    "PreviewRenderer",
    "RasterBatch",
    "Surface",
    "SurfaceMaps",
    "interpolate_batch",
    "normals_batch",
    "rasterize_batch",
    "surface_maps",
    "texel_raster",
    "visibility",
    "write_png",
]
