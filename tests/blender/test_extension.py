"""The archive that `vividtalk addon build` makes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from backend.addon import ROOT, build_extension, install_extension
from blender_addon.protocol.errors import BackendError, InputError, OutputError


def test_archive_has_the_package_at_its_root(extension: Path) -> None:
    with zipfile.ZipFile(extension) as archive:
        names = set(archive.namelist())
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    assert extension.name == f"vividtalk-{version('vividtalk')}.zip"
    assert manifest["version"] == version("vividtalk")
    sources = (ROOT / "blender_addon").rglob("*.py")
    assert {str(p.relative_to(ROOT / "blender_addon").as_posix()) for p in sources} <= names
    assert {"assets/head.safetensors", "assets/demo_voice.flac", "LICENSE"} <= names
    assert not any("__pycache__" in name for name in names)
    assert {name.removeprefix("./") for name in manifest["wheels"]} <= names
    pythons = {name.split("-")[2] for name in manifest["wheels"]}
    assert pythons == {"cp311", "cp313", "cp314"}


def test_blender_accepts_the_manifest(extension: Path) -> None:
    bpy = pytest.importorskip("bpy")
    tool = Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core/bl_pkg/cli/blender_ext.py"
    done = subprocess.run(
        [sys.executable, str(tool), "validate", str(extension)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_unwritable_target_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        build_extension(tmp_path / "file")


def test_install_needs_a_blender_that_accepts(extension: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        install_extension(extension, str(tmp_path / "no-blender"))
    refusing = tmp_path / "blender"
    refusing.write_text("#!/bin/sh\necho unsupported version >&2\nexit 1\n")
    refusing.chmod(0o755)
    with pytest.raises(BackendError, match="unsupported version"):
        install_extension(extension, str(refusing))
