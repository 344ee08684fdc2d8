"""The whole path: the built extension, the real backend and its model, the shipped voice line, a .blend."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from .conftest import Blender, own_folders


@own_folders
def test_a_voice_makes_a_head_talk(blender: Blender, tmp_path: Path) -> None:
    program = Path(sys.executable).parent / ("vividtalk.exe" if sys.platform == "win32" else "vividtalk")
    registration = tmp_path / "vividtalk" / "backend-command.json"
    registration.parent.mkdir()
    registration.write_text(json.dumps({"command": [str(program)], "version": "0"}))
    real = replace(blender, config=tmp_path)
    real.run("whole.animate", tmp_path)
    real.run("whole.check", tmp_path)
