"""Building the Blender extension from this repository, and installing it as a user would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from blender_addon.protocol.errors import BackendError, InputError, OutputError
from blender_addon.protocol.handoff import Registration, registration_path, write_registration
from blender_addon.protocol.tensorfile import atomic_path, output_error

ROOT = Path(__file__).resolve().parents[1]
PYZMQ = "27.1.0"
_ASSETS = ("models/assets/head.safetensors", "models/assets/demo_voice.flac", "models/assets/demo_voice.md")
_DOWNLOAD_SECONDS = 300
_INSTALL_SECONDS = 180
_INSTALLED = re.compile(r'^STATUS (Installed|Reinstalled) "vividtalk"', re.MULTILINE)


@dataclass(frozen=True)
class Platform:
    """pip's tag for a platform, and how the names of its wheels end."""

    tag: str
    ending: str


PLATFORMS: dict[str, Platform] = {
    "linux": Platform("manylinux_2_28_x86_64", "manylinux_2_28_x86_64.whl"),
    "darwin": Platform("macosx_10_15_universal2", "macosx_10_15_universal2.whl"),
    "win32": Platform("win_amd64", "win_amd64.whl"),
}


def build_extension(out_dir: Path, *, all_platforms: bool = False) -> Path:
    """Build `vividtalk-X.Y.Z.zip` in `out_dir` with pyzmq for this platform, or for all.

    Raises:
        InputError: this is not a checkout of the repository.
        OutputError: the folder cannot be written, or pyzmq cannot be downloaded.
    """
    manifest = ROOT / "blender_manifest.toml"
    if not manifest.is_file():
        raise InputError(f"{ROOT} has no blender_manifest.toml", "Build from a clone of the repository")
    wanted = list(PLATFORMS) if all_platforms else [sys.platform]
    if not set(wanted) <= set(PLATFORMS):
        raise InputError(f"no pyzmq is known for the platform {sys.platform}", "Use --all-platforms")
    with tempfile.TemporaryDirectory(prefix="vividtalk-") as folder:
        stage = Path(folder)
        _copy_package(stage)
        wheels = [wheel for name in wanted for wheel in _add_wheels(stage / "wheels", PLATFORMS[name])]
        (stage / manifest.name).write_text(
            _with_wheels(manifest.read_text(encoding="utf-8"), wheels), encoding="utf-8"
        )
        return _pack(stage, out_dir)


def _copy_package(stage: Path) -> None:
    """`blender_addon`'s content at the root, beside it assets and licence."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "blender_addon", stage, ignore=ignore, dirs_exist_ok=True)
    (stage / "assets").mkdir()
    for asset in _ASSETS:
        shutil.copy2(ROOT / asset, stage / "assets")
    shutil.copy2(ROOT / "LICENSE", stage)


def _add_wheels(folder: Path, platform: Platform) -> list[str]:
    """Put pyzmq for Python 3.11 to 3.14 into `folder`; the names of the files.

    Blender ignores an abi3 wheel when another names its exact Python, so that the abi3 wheel of 3.12 is
    shipped under the names of 3.13 (Blender 5.1) and 3.14.
    """
    folder.mkdir(exist_ok=True)
    exact = _wheel("311", "cp311-cp311", platform)
    stable = _wheel("312", "cp312-abi3", platform)
    names = {exact.name: exact}
    for python in ("cp313", "cp314"):
        names[stable.name.replace("cp312-abi3", f"{python}-{python}")] = stable
    for name, source in names.items():
        shutil.copyfile(source, folder / name)
    return sorted(names)


def _wheel(python: str, tags: str, platform: Platform) -> Path:
    """A pyzmq wheel from the user's cache, downloaded when it is not there."""
    cache = _cache_folder()
    pattern = f"pyzmq-{PYZMQ}-{tags}-*{platform.ending}"
    found = sorted(cache.glob(pattern))
    if not found:
        _download(python, platform, cache)
        found = sorted(cache.glob(pattern))
    if not found:
        raise OutputError(f"pip brought no {pattern}", "Report this")
    return found[0]


def _download(python: str, platform: Platform, cache: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", f"pyzmq=={PYZMQ}", "--no-deps"]
    command += ["--only-binary", ":all:", "--platform", platform.tag, "--python-version", python]
    command += ["--dest", str(cache)]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        run = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False)
    except OSError as error:
        raise output_error(cache, error) from error
    except subprocess.TimeoutExpired as error:
        raise OutputError(f"pip did not bring pyzmq {PYZMQ} in time", "Check the network") from error
    if run.returncode:
        said = (run.stderr.strip().splitlines() or ["nothing"])[-1]
        raise OutputError(f"pip cannot download pyzmq {PYZMQ} ({said})", "Check the network")


def _cache_folder() -> Path:
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "vividtalk" / "wheels"


def _with_wheels(manifest: str, wheels: list[str]) -> str:
    """`manifest` with its list of wheels, put before the first table, where top-level keys belong."""
    lines = "".join(f'  "./wheels/{name}",\n' for name in wheels)
    top, table, rest = manifest.partition("\n[")
    return f"{top}\nwheels = [\n{lines}]\n{table}{rest}"


def _pack(stage: Path, out_dir: Path) -> Path:
    number = tomllib.loads((stage / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    target = out_dir / f"vividtalk-{number}.zip"
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out_dir, error) from error
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in stage.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(stage))
    return target


def install_extension(archive: Path, blender: str = "blender") -> str:
    """Install and enable `archive` in the program `blender`, and register this backend for the add-on.

    Returns:
        A line that says what was done.

    Raises:
        InputError: the program cannot be found.
        BackendError: Blender refused the extension or did not answer.
    """
    program = shutil.which(blender)
    if program is None:
        raise InputError(f"the program {blender!r} was not found", "Name Blender's program with --blender")
    command = [program, "--command", "extension", "install-file", "-r", "user_default", "-e"]
    try:
        run = subprocess.run(
            [*command, str(archive.resolve())],
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"{program} did not install {archive} within {_INSTALL_SECONDS} s") from error
    if run.returncode or not _INSTALLED.search(run.stdout):  # Blender exits 0 even when it refused
        lines = f"{run.stdout}\n{run.stderr}".strip().splitlines()
        said = next((line for line in lines if "error" in line.lower()), [*lines, "nothing"][0])
        raise BackendError(f"{program} refused {archive} ({said})", "Blender 4.2 or later is needed")
    registration = register_backend()
    return f"Installed {archive.name} in {program}; it starts {registration.command[0]}"


def register_backend() -> Registration:
    """Tell the add-on of this user that this environment's `vividtalk` is the backend.

    Raises:
        InputError: VividTalk is not installed in this environment.
    """
    scripts = Path(sysconfig.get_path("scripts"))
    program = scripts / ("vividtalk.exe" if sys.platform == "win32" else "vividtalk")
    if not program.is_file():
        raise InputError(f"there is no {program} for the add-on to start", "Install VividTalk with pip first")
    registration = Registration((str(program),), version("vividtalk"))
    write_registration(registration_path(), registration)
    return registration
