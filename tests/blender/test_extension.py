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
from blender_addon.protocol.handoff import find_command

from .conftest import own_folders


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


def _program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
def test_install_needs_a_blender_that_accepts(extension: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        install_extension(extension, str(tmp_path / "no-blender"))
    failing = _program(tmp_path / "failing", "echo unsupported version >&2; exit 1")
    with pytest.raises(BackendError, match="unsupported version"):
        install_extension(extension, failing)
    refusing = _program(tmp_path / "refusing", "echo 'ERROR Error extracting archive'; exit 0")
    with pytest.raises(BackendError, match="extracting archive"):
        install_extension(extension, refusing)


@own_folders
def test_install_registers_this_backend(
    extension: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("VIVIDTALK_BACKEND", raising=False)
    accepting = _program(
        tmp_path / "accepting", 'echo "$@" > $0.arguments; echo \'STATUS Installed "vividtalk"\''
    )
    assert "accepting" in install_extension(extension, accepting)
    arguments = Path(f"{accepting}.arguments").read_text().split()
    assert arguments == ["--command", "extension", "install-file", "-r", "user_default", "-e", str(extension)]
    assert Path(find_command()[0]).name.startswith("vividtalk")
