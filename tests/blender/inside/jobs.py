"""Animate: keys as they come, cancel, failure, a killed backend, undo, another file."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import threading
import time
from pathlib import Path

import bpy
import numpy as np
from common import addon, expected, failure, finish, keys, prepare, session, start, tick_until, write_sound

FRAMES = 96  # 4 s at the startup file's 24 fps
SMOOTH_FRAMES = 720  # 30 s
_IGNORE = 1  # SIG_IGN, as the operating system has it


def streams() -> None:
    """Keys arrive before the job has ended; at the end all are there, exact, linear, GENERATED, grouped."""
    head = prepare(write_sound("steady.wav"))
    scene = bpy.context.scene
    scene.frame_end = 50
    start()
    assert not bpy.ops.vividtalk.animate.poll()
    tick_until(lambda: len(keys(head.vividtalk.takes[0])) > 0)
    early = keys(head.vividtalk.takes[0])
    assert 0 < len(early) < FRAMES
    assert session().job is not None
    assert finish().level == "INFO"
    take = head.vividtalk.takes[0]
    assert np.allclose(keys(take), expected(FRAMES), atol=1e-6)
    curve = addon("scene.curves").find_curves(take.action)[17]
    assert curve.group.name == "Jaw"
    key = curve.keyframe_points[30]
    assert (key.interpolation, key.type, key.handle_left_type) == ("LINEAR", "GENERATED", "AUTO_CLAMPED")
    assert (scene.frame_start, scene.frame_end, scene.sync_mode) == (1, FRAMES, "AUDIO_SYNC")
    assert (scene.render.fps, scene.render.fps_base) == (24, 1.0)
    scene.frame_set(41)
    assert np.isclose(head.data.shape_keys.key_blocks["jawOpen"].value, expected(41)[40, 17], atol=1e-6)
    clip = addon("protocol.clip").read_clip(Path(take.clip_path))
    assert np.allclose(clip.weights, expected(FRAMES))
    assert take.clip_data


def stays_within_its_time() -> None:
    """At least half of the ticks that key 30 s of motion take less than 8 ms, also on a busy machine."""
    prepare(write_sound("smooth.wav"))
    start()
    spent = tick_until(lambda: session().job is None)
    assert np.median(spent) < 0.008, sorted(spent)


def reduces() -> None:
    """Reduced keys, written block by block, stay within their error on every frame and are fewer."""
    head = prepare(write_sound("smooth.wav"))
    bpy.context.scene.vividtalk.keys = "REDUCED"
    start()
    tick_until(lambda: head.vividtalk.takes[0].frames > 0)
    assert session().job.motion.frames < SMOOTH_FRAMES
    assert "reduced to keys within 0.005" in finish().text
    take = head.vividtalk.takes[0]
    curves = addon("scene.curves").find_curves(take.action)
    motion = addon("protocol.clip").read_clip(Path(take.clip_path)).weights
    assert len(motion) == SMOOTH_FRAMES == take.frames
    for column, curve in enumerate(curves):
        values = np.array([curve.evaluate(1 + frame) for frame in range(SMOOTH_FRAMES)])
        assert np.abs(values - motion[:, column]).max() <= 0.005 + 1e-6
        assert len(curve.keyframe_points) < SMOOTH_FRAMES / 3
        frames = [key.co[0] for key in curve.keyframe_points]
        assert frames == sorted(set(frames))
        assert {key.interpolation for key in curve.keyframe_points} == {"BEZIER"}


def runs_without_interface() -> None:
    """EXEC_DEFAULT runs the job to its end, and its time limit cancels it."""
    head = prepare(write_sound("short.wav"))
    assert bpy.ops.vividtalk.animate() == {"FINISHED"}
    assert len(keys(head.vividtalk.takes[0])) == FRAMES
    bpy.context.scene.vividtalk.sound_path = write_sound("stall.wav")
    begin = time.monotonic()
    assert bpy.ops.vividtalk.animate(time_limit=1.5) == {"FINISHED"}
    assert time.monotonic() - begin < 4.0
    assert "cancelled" in session().notice.text
    assert 0 < head.vividtalk.takes[1].frames < FRAMES


def cancels() -> None:
    """Cancel takes effect within a second and keeps the keys that came."""
    head = prepare(write_sound("stall.wav"))
    start()
    tick_until(lambda: head.vividtalk.takes[0].frames > 0)
    begin = time.monotonic()
    bpy.ops.vividtalk.cancel()
    assert "cancelled" in finish().text
    assert time.monotonic() - begin < 1.0
    assert np.allclose(keys(head.vividtalk.takes[0]), expected(25), atol=1e-6)
    assert not bpy.ops.vividtalk.cancel.poll()


def reports_a_failure() -> None:
    """A sound that the backend refuses gives one message with its hint, and no empty take."""
    head = prepare(write_sound("short.wav"))
    bpy.ops.vividtalk.animate()
    bpy.context.scene.vividtalk.sound_path = write_sound("fail.wav")
    start()
    notice = finish()
    assert notice.level == "ERROR"
    assert "fail.wav cannot be read. Record it again" in notice.text
    assert [take.name for take in head.vividtalk.takes] == ["short"]
    assert head.data.shape_keys.animation_data.action == head.vividtalk.takes[0].action


def survives_a_killed_backend() -> None:
    """kill -9: one message, the keys are kept, the next job starts a new backend."""
    head = prepare(write_sound("stall.wav"))
    start()
    tick_until(lambda: head.vividtalk.takes[0].frames > 0)
    handoff = Path(os.environ["XDG_RUNTIME_DIR"]) / "vividtalk" / "backend.json"
    first = json.loads(handoff.read_text())["pid"]
    os.kill(first, signal.SIGKILL)
    notice = finish()
    assert notice.level == "ERROR"
    assert "25 frames are kept" in notice.text
    assert np.allclose(keys(head.vividtalk.takes[0]), expected(25), atol=1e-6)
    bpy.context.scene.vividtalk.sound_path = write_sound("short.wav")
    assert bpy.ops.vividtalk.animate() == {"FINISHED"}
    assert json.loads(handoff.read_text())["pid"] != first
    assert len(keys(head.vividtalk.takes[1])) == FRAMES


def dies() -> None:
    """Blender crashes in mid-job; the backend's process id is printed for the test outside."""
    prepare(write_sound("stall.wav"))
    start()
    tick_until(lambda: session().job.motion.frames > 0)
    handoff = Path(os.environ["XDG_RUNTIME_DIR"]) / "vividtalk" / "backend.json"
    print("backend", json.loads(handoff.read_text())["pid"], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def stops_when_undone() -> None:
    """Undo takes the take away: the job stops with one message and its clip stays on disk."""
    head = prepare(write_sound("stall.wav"))
    bpy.ops.ed.undo_push(message="before")
    start()
    bpy.ops.ed.undo_push(message="Animate")
    tick_until(lambda: session().job.motion.frames > 0)
    bpy.ops.ed.undo()
    head = bpy.data.objects["Head"]
    assert len(head.vividtalk.takes) == 0
    notice = finish()
    assert notice.level == "WARNING"
    assert "was removed" in notice.text
    path = Path(notice.text.split("its motion is in ")[1])
    assert np.allclose(addon("protocol.clip").read_clip(path).weights, expected(25))


def stops_when_the_head_is_deleted() -> None:
    """So does deleting the head."""
    head = prepare(write_sound("stall.wav"))
    start()
    tick_until(lambda: session().job.motion.frames > 0)
    bpy.data.objects.remove(head)
    assert "was removed" in finish().text


def stops_on_ctrl_c() -> None:
    """Ctrl-C without a user interface cancels within a second; Python goes on after the operator.

    Blender's own handler, of which Python knows nothing, is there again afterwards; here it is "ignore".
    """
    head = prepare(write_sound("stall.wav"))
    ctypes.pythonapi.PyOS_setsig(signal.SIGINT, ctypes.c_void_p(_IGNORE))
    pressed = []

    def press() -> None:
        while not len(head.vividtalk.takes) or not head.vividtalk.takes[0].frames:
            time.sleep(0.05)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    bpy.ops.vividtalk.animate()
    assert time.monotonic() - pressed[0] < 1.0
    assert "cancelled, 25 frames are kept" in session().notice.text
    assert ctypes.pythonapi.PyOS_getsig(signal.SIGINT) == _IGNORE


def writes_again_what_undo_took() -> None:
    """Undo of something else takes keys away; the next ticks write them again."""
    prepare(write_sound("steady.wav"))
    start()
    bpy.ops.ed.undo_push(message="Animate")
    bpy.data.objects.new("Other", None)
    bpy.ops.ed.undo_push(message="Other")
    tick_until(lambda: bpy.data.objects["Head"].vividtalk.takes[0].frames > 30)
    bpy.ops.ed.undo()
    head = bpy.data.objects["Head"]
    assert len(keys(head.vividtalk.takes[0])) == 0
    finish()
    assert np.allclose(keys(head.vividtalk.takes[0]), expected(FRAMES), atol=1e-6)


def detaches_on_load() -> None:
    """Opening another file stops the job; nothing of it reaches the new file."""
    prepare(write_sound("stall.wav"))
    start()
    tick_until(lambda: session().job.motion.frames > 0)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path("saved.blend").resolve()))
    bpy.ops.wm.open_mainfile(filepath=str(Path("saved.blend").resolve()))
    assert session().job is None
    assert "stopped" in session().notice.text
    session().tick()


def keeps_an_artists_keys() -> None:
    """Keys that an artist set in the range of a running job stay; an own Action becomes a take."""
    head = prepare(write_sound("steady.wav"))
    block = head.data.shape_keys.key_blocks["browInnerUp"]
    block.value = 0.7
    block.keyframe_insert("value", frame=12)
    own = head.data.shape_keys.animation_data.action
    start()
    takes = head.vividtalk.takes
    assert takes[0].action == own
    assert own.use_fake_user
    tick_until(lambda: takes[1].frames > 0)
    curve = addon("scene.curves").find_curves(takes[1].action)[0]
    curve.keyframe_points[3].co[1] = 0.123
    curve.keyframe_points[3].type = "EXTREME"
    finish()
    curve = addon("scene.curves").find_curves(head.vividtalk.takes[1].action)[0]
    assert np.isclose(curve.keyframe_points[3].co[1], 0.123)
    assert curve.keyframe_points[3].type == "EXTREME"
    assert len(curve.keyframe_points) == FRAMES


def fills_in_around_keys_ahead() -> None:
    """A key that an artist sets or drags ahead of what has come: all else is still filled in."""
    head = prepare(write_sound("steady.wav"))
    start()
    tick_until(lambda: 25 <= head.vividtalk.takes[0].frames <= 50)
    curves = addon("scene.curves").find_curves(head.vividtalk.takes[0].action)
    own = curves[17].keyframe_points.insert(81, 0.5, keyframe_type="EXTREME")
    own.interpolation = "LINEAR"
    curves[3].keyframe_points[10].co[0] = 120.0
    curves[3].update()
    finish()
    curves = addon("scene.curves").find_curves(head.vividtalk.takes[0].action)
    values = [key.co[1] for key in curves[17].keyframe_points]
    truth = expected(FRAMES)[:, 17]
    truth[80] = 0.5
    assert np.allclose(values, truth, atol=1e-6)
    frames = [key.co[0] for key in curves[3].keyframe_points]
    assert frames == [*(f for f in range(1, FRAMES + 1) if f != 11), 120]


def reduces_around_keys_ahead() -> None:
    """So it is with reduced keys: the motion is there up to the artist's key and after it."""
    head = prepare(write_sound("smooth.wav"))
    bpy.context.scene.vividtalk.keys = "REDUCED"
    start()
    tick_until(lambda: head.vividtalk.takes[0].frames > 0)
    curve = addon("scene.curves").find_curves(head.vividtalk.takes[0].action)[17]
    curve.keyframe_points.insert(801, 0.5, keyframe_type="EXTREME")
    finish()
    take = head.vividtalk.takes[0]
    curve = addon("scene.curves").find_curves(take.action)[17]
    motion = addon("protocol.clip").read_clip(Path(take.clip_path)).weights[:, 17]
    values = np.array([curve.evaluate(1 + frame) for frame in range(SMOOTH_FRAMES)])
    assert np.abs(values - motion).max() <= 0.005 + 1e-6
    assert curve.evaluate(801) == 0.5


def leaves_nothing_when_the_link_is_over() -> None:
    """A backend that does not start in time: its reason is told; no take, strip or sound stays."""
    head = prepare(write_sound("short.wav"))
    connect = session().connect

    def connect_in_vain(_command: tuple[str, ...]) -> None:
        connect((str(Path("missing").resolve()),))
        deadline = time.monotonic() + 10.0
        while session().connected and time.monotonic() < deadline:
            time.sleep(0.01)

    session().connect = connect_in_vain
    assert "missing" in failure()
    assert len(head.vividtalk.takes) == 0
    assert len(addon("scene.compat").strips(bpy.context.scene)) == 0
    assert len(bpy.data.sounds) == 0
    session().connect = connect
    assert bpy.ops.vividtalk.animate() == {"FINISHED"}
    assert len(keys(head.vividtalk.takes[0])) == FRAMES
    client = session()._client
    connect((str(Path("other").resolve()),))
    assert session()._client is not client, "the program was changed, but not the connection"


def waits_for_a_render() -> None:
    """While a render runs no operator edits, and no key is set; a deleted head cannot be animated."""
    head = prepare(write_sound("steady.wav"))
    start()
    tick_until(lambda: head.vividtalk.takes[0].frames > 0)
    compat = addon("scene.compat")
    compat.rendering = lambda: True
    count = len(keys(head.vividtalk.takes[0]))
    came = session().job.motion.frames
    tick_until(lambda: session().job.motion.frames > came)
    assert len(keys(head.vividtalk.takes[0])) == count
    for name in ("animate", "create_head", "create_demo_scene", "delete_take"):
        assert not getattr(bpy.ops.vividtalk, name).poll()
    compat.rendering = lambda: False
    finish()
    assert bpy.ops.vividtalk.animate.poll()
    bpy.context.scene.collection.objects.unlink(head)
    assert bpy.context.scene.vividtalk.head == head
    assert not bpy.ops.vividtalk.animate.poll()


def survives_renames_and_errors() -> None:
    """Renamed head and scene are found; after an error of our own the motion is on disk."""
    head = prepare(write_sound("stall.wav"))
    scene = bpy.context.scene
    scene.frame_end = 5
    start()
    head.name, scene.name = "Anna", "Take one"
    tick_until(lambda: head.vividtalk.takes[0].frames > 0)
    assert session().job.head == "Anna"
    assert scene.frame_end == 25
    runtime = addon("runtime")
    runtime._conclude = lambda _job, _notice: None  # it needs an event loop
    session().job.key = None
    runtime._tick()
    assert session().job is None
    path = Path(session().notice.text.split("its motion is in ")[1])
    session().close()
    assert np.allclose(addon("protocol.clip").read_clip(path).weights, expected(25))
