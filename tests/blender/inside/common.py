"""What scenarios share: the installed extension's modules, sounds, a loop over ticks."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import addon_utils
import bpy
import numpy as np
import sounds

NAME = "bl_ext.user_default.vividtalk"
HAS_SOUND: bool = bpy.app.build_options.audaspace


class NotHereError(Exception):
    """This Blender lacks what a scenario is about."""


def need(has: bool, what: str) -> None:
    """Skip the scenario, visibly, where Blender does not have `what`."""
    if not has:
        raise NotHereError(what)


def enable() -> None:
    """Enable the installed extension for this process."""
    assert addon_utils.enable(NAME, default_set=True) is not None, "the extension cannot be enabled"


def disable() -> None:
    """Disable it."""
    addon_utils.disable(NAME)


def addon(module: str) -> ModuleType:
    """A module of the installed extension, such as `scene.curves`."""
    return importlib.import_module(f"{NAME}.{module}")


def write_sound(name: str) -> str:
    """Four seconds of sound in the working folder; its absolute path."""
    return str(sounds.write_sound(Path(name).resolve(), 4.0))


def prepare(sound: str) -> Any:
    """A head and a sound, ready to animate; the head."""
    bpy.ops.vividtalk.create_head()
    settings = bpy.context.scene.vividtalk
    settings.source, settings.sound_path = "FILE", sound
    return settings.head


def session() -> Any:
    """The add-on's session."""
    return addon("runtime").session()


def tick_until(condition: Callable[[], bool], seconds: float = 20.0) -> list[float]:
    """Tick as the timer would, until `condition` holds; how long each tick took, seconds."""
    deadline, spent = time.monotonic() + seconds, []
    while not condition():
        assert time.monotonic() < deadline, f"waited too long; the notice is {session().notice}"
        begin = time.perf_counter()
        session().tick()
        spent.append(time.perf_counter() - begin)
        time.sleep(0.01)
    return spent


def start() -> None:
    """What pressing Animate does: a background Blender would run the operator to its end."""
    assert bpy.ops.vividtalk.animate.poll()
    addon("operators").start_job(bpy.context)
    addon("runtime").start_timer()


def finish() -> Any:
    """Tick until the job has ended; the notice."""
    tick_until(lambda: session().job is None)
    return session().notice


def failure(name: str = "animate", **arguments: Any) -> str:
    """What an operator reports when it cannot start."""
    try:
        getattr(bpy.ops.vividtalk, name)(**arguments)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("it was accepted")


def keys(take: Any) -> np.ndarray:
    """[n, 52] key values of a take, whose keys must be on consecutive frames from its start."""
    curves = addon("scene.curves").find_curves(take.action)
    n = min(len(curve.keyframe_points) for curve in curves)
    values = np.empty((n, 52), np.float32)
    for i, curve in enumerate(curves):
        pairs = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", pairs)
        assert np.array_equal(pairs[: 2 * n : 2], take.start_frame + np.arange(n))
        values[:, i] = pairs[1 : 2 * n : 2]
    return values


def expected(frames: int, seed: int = 0) -> np.ndarray:
    """What the fake backend sends: an independent statement of its rule."""
    other = ("brow", "eye", "cheekSquint", "noseSneer")
    names = addon("protocol.arkit").ARKIT_NAMES
    drawn = [7 * seed * name.startswith(other) for name in names]
    share = [0 if name.startswith("eyeBlink") else 1 / 100 for name in names]
    columns = zip(range(52), drawn, share, strict=True)
    return np.array([(np.arange(frames) * 53 + i + d) % 101 * s for i, d, s in columns], "f4").T
