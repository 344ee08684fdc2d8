"""Parts of a face file by name."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array


def in_regions(face: FaceFile, *names: str) -> Array:
    """[V] bool: the vertices of the named regions; a region that the face lacks has none."""
    wanted = [number for number, name in enumerate(face.region_names) if name in names]
    result: Array = np.isin(face.region, wanted)
    return result


def smoothstep(value: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    result: Array = t * t * (3 - 2 * t)
    return result
