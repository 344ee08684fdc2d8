"""Reading heads: the built-in one or a face file of the user's."""

from __future__ import annotations

from pathlib import Path

from blender_addon.protocol.face import FaceFile, read_face

DEFAULT_HEAD = Path(__file__).resolve().parents[1] / "assets" / "head.safetensors"


def load_head(path: Path | None = None) -> FaceFile:
    """The face file at `path`, or the built-in head. Raises `InputError` or `FileFormatError`."""
    return read_face(DEFAULT_HEAD if path is None else path)
