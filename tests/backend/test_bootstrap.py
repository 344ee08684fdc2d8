"""The README's two commands: what they install, when they install nothing, on a wrong Python."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from backend import bootstrap


@pytest.fixture
def installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pip was asked for, in an environment that pretends to exist."""
    asked: list[str] = []

    def record(command: Sequence[str | Path], limit: float) -> int:
        asked.append(str(command[-1]))
        return 0

    monkeypatch.setattr(bootstrap, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(bootstrap, "_has_pip", lambda: True)
    monkeypatch.setattr(bootstrap, "_run", record)
    return asked


def test_a_second_run_installs_nothing(installs: list[str]) -> None:
    bootstrap.prepare("blender")
    bootstrap.prepare("blender")
    assert installs == [f"{bootstrap.ROOT}[blender]"]


def test_the_demo_is_content_with_the_tests_environment(installs: list[str]) -> None:
    bootstrap.prepare("blender,dev,encoders,portrait,train")
    bootstrap.prepare("blender")
    assert installs == [f"{bootstrap.ROOT}[blender,dev,encoders,portrait,train]"]


def test_the_tests_need_more_than_the_demo(installs: list[str]) -> None:
    bootstrap.prepare("blender")
    bootstrap.prepare("blender,dev,encoders,portrait,train")
    assert len(installs) == 2


def test_other_dependencies_are_installed_again(
    installs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.prepare("blender")
    (tmp_path / "pyproject.toml").write_text("changed")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    bootstrap.prepare("blender")
    assert len(installs) == 2


def test_it_runs_without_any_package_and_refuses_another_python(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(bootstrap.ROOT)!r}); sys.version_info = (3, 13, 0, 'final', 0);"
        "from backend import bootstrap; sys.exit(bootstrap.main(['demo']))"
    )
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(bootstrap.ROOT)!r});{code}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "needs Python 3.11" in done.stderr
    assert len(done.stderr.splitlines()) == 1
