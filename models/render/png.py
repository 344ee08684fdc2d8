"""Writing PNG pictures with the standard library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from blender_addon.protocol.tensorfile import Array, atomic_path


def write_png(path: Path, image: Array) -> None:
    """Write `image` [H, W, 3] u8 sRGB atomically. Raises `OutputError` if that fails."""
    height, width, _ = image.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row starts with filter type 0
    rows[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + _chunk(b"IHDR", header)
            + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
            + _chunk(b"IEND", b"")
        )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
