"""Blender as the tests see it: a `bpy` module per version, and the built extension installed in each.

The version of the `blender` extra is in the environment itself; others are looked for in `bpy/<version>`
beside its `bin`, where the test command of the README puts them. A version that is not there is skipped,
visibly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from backend.addon import build_extension
from blender_addon.protocol.handoff import Registration

VERSIONS = ("4.2.23", "4.5.15", "5.0.1")
INSIDE = Path(__file__).parent / "inside"
SECONDS = 60
own_folders = pytest.mark.skipif(
    sys.platform != "linux", reason="only XDG variables keep a test's backend apart from the user's own"
)


def python_path(blender_version: str) -> str | None:
    """What PYTHONPATH has to be for this version of bpy; None when it is not installed."""
    folder = Path(sys.prefix) / "bpy" / blender_version
    if (folder / "bpy").is_dir():
        return str(folder)
    try:
        return "" if version("bpy") == blender_version else None
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Blender:
    """One version of Blender with its own user settings, in which scenarios run as processes."""

    version: str
    python_path: str
    user: Path
    config: Path

    def run(self, scenario: str, folder: Path, extra: Mapping[str, str] | None = None) -> str:
        """Run `inside/<module>.py`'s function, named `module.function`, in `folder`; its output."""
        done = self.start(scenario, folder, extra)
        assert done.returncode == 0, f"{scenario} in Blender {self.version}:\n{done.stdout[-6000:]}"
        return done.stdout

    def start(
        self, scenario: str, folder: Path, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The scenario's process after it has ended, however it did."""
        for name in ("runtime", "cache"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        environment = {
            **os.environ,
            "BLENDER_USER_RESOURCES": str(self.user),
            "XDG_CONFIG_HOME": str(self.config),
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
            "PYTHONPATH": os.pathsep.join(filter(None, (self.python_path, str(INSIDE.parent)))),
            "OMP_NUM_THREADS": "1",
            **(extra or {}),
        }
        environment.pop("VIVIDTALK_BACKEND", None)
        return subprocess.run(
            [sys.executable, str(INSIDE / "run.py"), scenario],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )


@dataclass
class Installed:
    """Versions that have the extension already."""

    by_version: dict[str, Blender] = field(default_factory=dict)


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension as `vividtalk addon build` makes it."""
    return build_extension(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def fake_backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration folder in which a scripted backend is registered."""
    config = tmp_path_factory.mktemp("config")
    command = (sys.executable, str(Path(__file__).parent / "fake_backend.py"))
    path = config / "vividtalk" / "backend-command.json"
    path.parent.mkdir()
    registration = Registration(command, "0")
    path.write_text(json.dumps({"command": registration.command, "version": registration.version}))
    return config


@pytest.fixture(scope="session")
def _installed() -> Installed:
    return Installed()


@pytest.fixture(params=VERSIONS)
def blender(
    request: pytest.FixtureRequest,
    extension: Path,
    fake_backend: Path,
    _installed: Installed,
    tmp_path_factory: pytest.TempPathFactory,
) -> Blender:
    """Each version of Blender with the built extension installed and enabled."""
    wanted: str = request.param
    if wanted in _installed.by_version:
        return _installed.by_version[wanted]
    path = python_path(wanted)
    if path is None:
        pytest.skip(f"bpy {wanted} is not installed")
    found = Blender(wanted, path, tmp_path_factory.mktemp("user"), fake_backend)
    found.run("install.install", tmp_path_factory.mktemp("install"), {"EXTENSION": str(extension)})
    _installed.by_version[wanted] = found
    return found
