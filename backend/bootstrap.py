"""The two commands of the README, on a fresh machine with Python 3.11 and nothing else.

    python3.11 -m backend.bootstrap demo     create .venv, make the demo's files
    python3.11 -m backend.bootstrap test     create .venv, run every check

Standard library only. A second run finds the environment complete and installs nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
SCRIPTS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
EXTRAS: Mapping[str, str] = {"demo": "blender", "test": "blender,dev,encoders,portrait,train"}
OTHER_BLENDERS = ("4.2.23", "5.0.1")  # tested beside the one in the `blender` extra
CHECKS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("ruff", "check", "."), 60),
    (("ruff", "format", "--check", "."), 60),
    (("mypy",), 300),
    (("pytest", "--durations=10"), 1800),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the two jobs; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m backend.bootstrap", description=__doc__)
    parser.add_argument("job", choices=tuple(EXTRAS))
    job = parser.parse_args(arguments).job
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        print(f"VividTalk needs Python 3.11, this is {found}: run it with python3.11", file=sys.stderr)
        return 1
    try:
        prepare(EXTRAS[job])
        return run_demo() if job == "demo" else run_checks()
    except subprocess.CalledProcessError as error:
        print(f"failed with exit code {error.returncode}: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    except subprocess.TimeoutExpired as error:
        print(f"stopped after {error.timeout:.0f} s: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def prepare(extras: str) -> None:
    """Create `.venv` and install this checkout with `extras`, unless that was done before."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    enough = [_stamp(other) for other in EXTRAS.values() if set(extras.split(",")) <= set(other.split(","))]
    if any(stamp.is_file() and stamp.read_text() == wanted for stamp in enough):
        return
    if not _has_pip():
        print(f"Creating {ENVIRONMENT}", flush=True)
        venv.create(ENVIRONMENT, with_pip=True, symlinks=os.name != "nt")
    print("Installing VividTalk and PyTorch: some GB, minutes the first time", flush=True)
    quiet = () if sys.stdout.isatty() else ("-q", "--progress-bar", "off")
    _run([PYTHON, "-m", "pip", "install", *quiet, "-e", f"{ROOT}[{extras}]"], 3000)
    _stamp(extras).write_text(wanted)


def _has_pip() -> bool:
    """False without an environment, and in one whose creation was interrupted."""
    if not PYTHON.is_file():
        return False
    words = [str(PYTHON), "-m", "pip", "--version"]
    return subprocess.run(words, capture_output=True, timeout=120, check=False).returncode == 0


def _stamp(extras: str) -> Path:
    """The file that says for which pyproject.toml `extras` were installed."""
    return ENVIRONMENT / f".vividtalk-{extras.replace(',', '-')}"


def run_demo() -> int:
    """The main job on the shipped voice line."""
    return _run([SCRIPTS / "vividtalk", "demo"], 600)


def run_checks() -> int:
    """Linter, formatter, type checker and all tests, each under its time limit."""
    _install_other_blenders()
    for command, limit in CHECKS:
        started = time.monotonic()
        print(f"== {' '.join(command)}", flush=True)
        _run([PYTHON, "-m", *command], limit)
        print(f"   {time.monotonic() - started:.0f} s", flush=True)
    return 0


def _install_other_blenders() -> None:
    """Put the older and newer `bpy` modules beside the environment's own, for the tests to choose from."""
    for version in OTHER_BLENDERS:
        target = ENVIRONMENT / "bpy" / version
        if (target / "bpy").is_dir():
            continue
        print(f"Installing bpy {version}", flush=True)
        pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "-q", "--progress-bar", "off", "--no-deps"]
        _run([*pip, "--target", target, f"bpy=={version}"], 900)


def _run(command: Sequence[str | Path], limit: float) -> int:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, timeout=limit, check=True).returncode


if __name__ == "__main__":
    sys.exit(main())
