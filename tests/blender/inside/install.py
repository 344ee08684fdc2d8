"""Installing as a user does, and leaving nothing behind."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from pathlib import Path

import addon_utils
import bpy
from common import NAME, disable, enable, prepare, session, start, tick_until, write_sound


def _state() -> dict[str, object]:
    handlers = bpy.app.handlers
    lists = {name: getattr(handlers, name) for name in dir(handlers)}
    return {
        "handlers": {name: len(value) for name, value in lists.items() if isinstance(value, list)},
        "threads": Counter(thread.name for thread in threading.enumerate()),
        "types": {name for name in dir(bpy.types) if "vividtalk" in name.lower()},
        "operators": [name for name in dir(bpy.ops.vividtalk) if not name.startswith("_")],
        "properties": [
            hasattr(kind, "vividtalk")
            for kind in (bpy.types.Object, bpy.types.Scene, bpy.types.WindowManager)
        ],
        "sockets": _open_sockets(),
    }


def _open_sockets() -> int:
    folder = f"/proc/{os.getpid()}/fd"
    if not os.path.isdir(folder):
        return 0
    names = [os.path.join(folder, name) for name in os.listdir(folder)]
    return sum(os.readlink(name).startswith("socket:") for name in names if os.path.islink(name))


def install() -> None:
    """The zip installs into the user's repository, enabled, and brings its own pyzmq."""
    bpy.ops.extensions.package_install_files(
        filepath=os.environ["EXTENSION"], repo="user_default", enable_on_install=True
    )
    assert NAME in bpy.context.preferences.addons
    wheels = Path(os.environ["BLENDER_USER_RESOURCES"], "extensions", ".local")
    assert list(wheels.rglob("zmq/__init__.py")), "its wheel was not unpacked"
    assert f"{NAME}.scene.curves" in sys.modules
    assert bpy.ops.vividtalk.create_head() == {"FINISHED"}
    addon_utils.disable(NAME, default_set=False)


def nothing_is_left() -> None:
    """Disabling in the middle of a job leaves no handler, timer, thread, socket, type or property."""
    before = _state()
    enable()
    import importlib

    tick = importlib.import_module(f"{NAME}.runtime")._tick
    prepare(write_sound("stall.wav"))
    start()
    tick_until(lambda: session().job.motion.frames > 0)
    assert bpy.app.timers.is_registered(tick)
    disable()
    assert not bpy.app.timers.is_registered(tick)
    assert os.environ["BLENDER_USER_RESOURCES"] in sys.modules["zmq"].__file__
    after = _state()
    assert after == before, (before, after)
    enable()
    assert session().job is None
