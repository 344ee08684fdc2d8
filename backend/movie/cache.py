"""Frames and pieces of movies on disk, by the names of their content.

A file is written beside and renamed, so that it is whole or not there, whatever happens. The least recently
used files go when the folder grows beyond its limit, after a job and never during one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from blender_addon.protocol.errors import MissingExtraError, OutputError
from blender_addon.protocol.render import CACHE_BYTES, frame_file
from blender_addon.protocol.tensorfile import Array, atomic_path, output_error

_LEVEL = 1  # of PNG's nine; with run lengths only, as fast as 1 and files as of the usual 6 for photographs
_PIECES = "pieces"


class FrameCache:
    """A folder of frames. Threads may use it at once, and so may processes."""

    def __init__(self, folder: Path, limit: int = CACHE_BYTES) -> None:
        """Make the folder; `limit` bytes are kept by `trim`.

        Raises:
            OutputError: the folder cannot be made.
        """
        self.folder = Path(folder)
        self._limit = limit
        self._made: set[Path] = set()
        self._folder(self.folder / _PIECES)

    def read(self, key: str) -> Array | None:
        """The frame [h, w, 3] u8 RGB of `key`; None when it is not here or damaged."""
        import cv2

        try:
            data = frame_file(self.folder, key).read_bytes()
        except OSError:
            return None
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        return None if found is None else np.ascontiguousarray(found[..., ::-1])

    def write(self, key: str, pixels: Array) -> None:
        """Keep the frame [h, w, 3] u8 RGB under `key`.

        Raises:
            OutputError: it cannot be written, as on a full disk.
        """
        path = frame_file(self.folder, key)
        self._folder(path.parent)
        with atomic_path(path) as temporary:
            temporary.write_bytes(png_bytes(pixels))

    def piece(self, key: str) -> Path:
        """Where the piece of a movie of the name `key` is or will be."""
        return self.folder / _PIECES / f"{key}.mp4"

    def use(self, path: Path) -> bool:
        """True when the file is here; it then counts as just used."""
        try:
            os.utime(path)
        except OSError:
            return False
        return path.stat().st_size > 0

    def trim(self) -> None:
        """Remove what was not used for longest until the folder is within its limit; frames before pieces."""
        files = sorted(self._files())
        excess = sum(size for *_, size in files) - self._limit
        for _, _, path, size in files:
            if excess <= 0:
                return
            with suppress(OSError):
                path.unlink()
                excess -= size

    def _files(self) -> Iterator[tuple[bool, float, Path, int]]:
        """Is it a piece, when it was used last, where it is, and its bytes; for every file of ours."""
        for path in (*self.folder.glob("??/*.png"), *self.folder.glob(f"{_PIECES}/*.mp4")):
            with suppress(OSError):
                facts = path.stat()
                yield path.parent.name == _PIECES, facts.st_mtime, path, facts.st_size

    def _folder(self, path: Path) -> None:
        if path in self._made:
            return
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(path, error) from error
        self._made.add(path)


def png_bytes(pixels: Array) -> bytes:
    """[h, w, 3] u8 RGB as a PNG file.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "talking videos need opencv, which is not installed",
            "Install it with: pip install -e .[portrait]",
        ) from error
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    form = [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    written, data = cv2.imencode(".png", bgr, form)
    if not written:
        raise OutputError(f"a frame of {pixels.shape[1]} x {pixels.shape[0]} pixels cannot be stored")
    return bytes(data)
