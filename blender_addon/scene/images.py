"""A face file's textures as packed images of the .blend, made once per face."""

from __future__ import annotations

import zlib
from typing import Any

import bpy
import numpy as np

from ..protocol.face import FaceFile
from ..protocol.tensorfile import Array

_KEY = "vividtalk_texture"
_COLOR_SPACE = {"albedo": "sRGB"}
_PLAIN = "Non-Color"


def face_images(face: FaceFile) -> dict[str, Any]:
    """Image by texture name; the images of an equal texture in this .blend are used again."""
    return {name: _image(f"{face.id} {name}", name, texels) for name, texels in face.textures.items()}


def _image(label: str, name: str, texels: Array) -> Any:
    key = f"{label} {zlib.crc32(texels.tobytes()):08x}"
    found = (image for image in bpy.data.images if image.get(_KEY) == key)
    return next(found, None) or _new_image(label, key, _COLOR_SPACE.get(name, _PLAIN), texels)


def _new_image(label: str, key: str, color_space: str, texels: Array) -> Any:
    height, width, channels = texels.shape
    image = bpy.data.images.new(f"VividTalk {label}", width, height, alpha=False)
    image.colorspace_settings.name = color_space
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = (
        texels[::-1, :, :3] / np.float32(255.0) if channels >= 3 else texels[::-1] / np.float32(255.0)
    )
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    image[_KEY] = key
    return image
