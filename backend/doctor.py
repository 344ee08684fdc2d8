"""Checks of the installation: each says what it found and, when it fails, what to do."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.processes import install_hint
from blender_addon.protocol.clip import ModelRef
from blender_addon.protocol.errors import VividTalkError

MIN_FREE_BYTES = 500 << 20
_DRAWN_SIDE = 320  # pixels of the picture in which a face must be found
OPTIONAL = ("portrait extra", "blender extra", "extension link")


@dataclass(frozen=True)
class Check:
    """One check's result. `hint` says what to do when `ok` is false."""

    name: str
    ok: bool
    detail: str
    hint: str


def diagnose() -> list[Check]:
    """Run every check; a check that fails never stops the others."""
    return [
        _run("python", _python, "Install Python 3.11 and create the environment again"),
        _run("torch", _torch, "Install the environment again: python3.11 -m backend.bootstrap demo"),
        _run("sound and video", _codecs, "Install the environment again: PyAV lacks a codec"),
        _run("expression model", _expression_model, "Check out models/assets again"),
        _run("pose model", _pose_model, "Check out models/assets again"),
        _run("built-in head", _head, "Check out models/assets again"),
        _run("backend process", _backend_process, "Run 'vividtalk serve' and read what it says"),
        _run("disk space", _disk, "Free some disk space"),
        _run("portrait extra", _portrait_extra, f"For talking videos. {install_hint('portrait')}"),
        _run("blender extra", _blender_extra, f"For .blend export. {install_hint('blender')}"),
        _run("extension link", _extension_link, "For use in Blender: vividtalk addon install"),
    ]


def is_healthy(checks: list[Check]) -> bool:
    """True when every check that is not optional passed."""
    return all(check.ok or check.name in OPTIONAL for check in checks)


def _run(name: str, examine: Callable[[], str], hint: str) -> Check:
    try:
        return Check(name, True, examine(), "")
    except VividTalkError as error:
        return Check(name, False, error.what, error.hint or hint)
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {error}", hint)


def _python() -> str:
    if not (3, 11) <= sys.version_info[:2] < (3, 13):
        raise VividTalkError(f"Python {platform.python_version()} is not supported")
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _torch() -> str:
    import torch

    from backend.devices import choose_device

    device = choose_device("auto")
    total = float(torch.ones(8, device=device).sum())
    if total != 8.0:
        raise VividTalkError(f"a sum on {device} gave {total}")
    return f"{torch.__version__}, computes on {device}"


def _codecs() -> str:
    import av

    missing = [name for name in ("libx264", "aac") if name not in av.codecs_available]
    if missing:
        raise VividTalkError(f"no encoder for {', '.join(missing)}")
    return f"PyAV {av.__version__} with H.264 and AAC"


def _expression_model() -> str:
    from backend.devices import load_motion_models, warm_up

    models = load_motion_models("auto", head=False)
    warm_up(models)
    return _described(models.refs)


def _pose_model() -> str:
    from backend.devices import POSE_DEVICE, warm_up_pose
    from models.pose import PoseModel

    model = PoseModel.load(device=POSE_DEVICE)
    warm_up_pose(model)
    return _described(model.models)


def _described(refs: Sequence[ModelRef]) -> str:
    return ", ".join(f"{ref.id} ({ref.licence})" for ref in refs)


def _head() -> str:
    from models.face import load_head

    face = load_head(None)
    return f"{face.id}: {len(face.vertices)} vertices, {len(face.shapes)} shapes"


def _backend_process() -> str:
    from backend.bench import running_backend

    with running_backend("cpu") as (_, seconds):
        return f"answers {seconds:.1f} s after its start"


def _disk() -> str:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < MIN_FREE_BYTES:
        raise VividTalkError(f"only {free >> 20} MB free in {tempfile.gettempdir()}")
    return f"{free >> 30} GB free in {tempfile.gettempdir()}"


def _portrait_extra() -> str:
    missing = [name for name in ("mediapipe", "cv2", "PIL") if importlib.util.find_spec(name) is None]
    if missing:
        raise VividTalkError(f"{', '.join(missing)} cannot be imported")
    from models.portrait.fitting import fit_portrait
    from models.portrait.studio import studio_portrait

    fit = fit_portrait(studio_portrait(_DRAWN_SIDE).picture)
    return f"a drawn face is found and fitted to {fit.error:.1%} of the distance between its eyes"


def _blender_extra() -> str:
    if importlib.util.find_spec("bpy") is None:
        raise VividTalkError("the bpy module is not installed")
    return "bpy is installed"


def _extension_link() -> str:
    from blender_addon.protocol.handoff import read_registration, registration_path

    registration = read_registration(registration_path())
    if registration is None:
        raise VividTalkError("no Blender extension knows this backend")
    program = Path(registration.command[0])
    if not program.exists():
        raise VividTalkError(f"the extension would start {program}, which is gone")
    return f"the extension starts {program}"
