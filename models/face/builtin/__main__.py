"""`python -m models.face.builtin [OUT]`: build the head and write it (by default over the shipped asset)."""

from __future__ import annotations

import sys
from pathlib import Path

from blender_addon.protocol.face import write_face
from models.face.load import DEFAULT_HEAD

from .head import build_head

if __name__ == "__main__":
    write_face(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_HEAD, build_head())
