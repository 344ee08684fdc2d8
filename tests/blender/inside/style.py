"""Controls that go with a job, other brows for a take, and styles from references."""

from __future__ import annotations

import json
import os
from pathlib import Path

import bpy
import numpy as np
from common import addon, expected, failure, finish, keys, prepare, session, tick_until, write_sound

FRAMES = 96  # 4 s at the startup file's 24 fps
STRENGTHS = ("pitch", "yaw", "roll", "shift", "blinks", "gaze", "breath", "blink_rate", "guidance")
MOVING = ("energy", "nods", "turns", "tilts")
HEAD = {**dict.fromkeys(STRENGTHS, 1.0), "style": dict.fromkeys(MOVING, 0.0)}
BROW, JAW = 43, 17  # browInnerUp, jawOpen
LIPS = [
    i
    for i, name in enumerate(addon("protocol.arkit").ARKIT_NAMES)
    if name.startswith(("jaw", "mouth", "tongue")) or name == "cheekPuff"
]


def _asked() -> dict[str, object]:
    return dict(json.loads((Path(os.environ["XDG_RUNTIME_DIR"]) / "params.json").read_text()))


def controls_go_with_the_job() -> None:
    """The sliders, at their ends too, reach the backend, the take and the clip's header."""
    head = prepare(write_sound("short.wav"))
    bpy.ops.vividtalk.animate()
    plain = {"articulation": 1.0, "energy": 1.0, "asymmetry": 0.3, "emotions": {}, "head": HEAD}
    names = ("jaw", "rounding", "spread", "effort", "sharpness", "asymmetry")
    assert _asked()["controls"] == {**plain, "style": dict.fromkeys(names, 0.0)}
    controls = bpy.context.scene.vividtalk.controls
    controls.articulation, controls.energy, controls.asymmetry = 1.7, 0.3, 0.0
    controls.style.jaw, controls.style.asymmetry = -1.0, 0.35
    controls.head.turns, controls.head.blink_rate = 0.35, 3.0
    bpy.ops.vividtalk.animate()
    sent = _asked()["controls"]
    assert sent["head"] == HEAD | {"blink_rate": 3.0, "style": HEAD["style"] | {"turns": 0.35}}
    assert (sent["articulation"], sent["energy"], sent["asymmetry"]) == (1.7, 0.3, 0.0)
    assert sent["style"] == {**dict.fromkeys(names, 0.0), "jaw": -1.0, "asymmetry": 0.35}
    takes = head.vividtalk.takes
    assert np.isclose(takes[0].controls.articulation, 1.0)
    assert np.isclose(takes[1].controls.articulation, 1.7)
    assert np.isclose(takes[1].controls.style.asymmetry, 0.35)
    clip = addon("protocol.clip").read_clip(Path(takes[1].clip_path))
    assert clip.info.controls == sent
    assert set(clip.layers) == {"speech", "brows"}
    assert np.allclose(sum(part["weights"] for part in clip.layers.values()), clip.weights)


def _points(take: object) -> list[list[tuple[float, ...]]]:
    found = addon("scene.curves").find_curves(take.action)
    return [
        [(*key.co, *key.handle_left, *key.handle_right) for key in curve.keyframe_points] for curve in found
    ]


def rerolls_brows() -> None:
    """Other brows; lips, an artist's keys and moved keys to the bit as they were; the clip says so."""
    head = prepare(write_sound("short.wav"))
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    brow = addon("scene.curves").find_curves(take.action)[BROW]
    brow.keyframe_points[30].co[1] += 0.4
    brow.keyframe_points[40].co[1] = 0.9
    brow.keyframe_points[40].type = "KEYFRAME"
    brow.update()
    before, truth = _points(take), expected(FRAMES, 1)
    truth[30, BROW], truth[40, BROW] = brow.keyframe_points[30].co[1], 0.9
    assert bpy.ops.vividtalk.reroll(parts={"BROWS"}) == {"FINISHED"}
    assert session().notice.level == "INFO", session().notice
    take = head.vividtalk.takes[0]
    assert len(head.vividtalk.takes) == 1
    after = _points(take)
    assert all(after[i] == before[i] for i in LIPS)
    assert np.allclose(keys(take), np.where(np.isin(range(52), LIPS), expected(FRAMES), truth), atol=1e-6)
    clip = addon("protocol.clip").read_clip(Path(take.clip_path))
    wanted = np.where(np.isin(range(52), LIPS), expected(FRAMES), expected(FRAMES, 1))
    assert np.allclose(clip.weights, wanted, atol=1e-6)
    assert np.allclose(clip.layers["brows"]["weights"][:, BROW], wanted[:, BROW], atol=1e-6)
    assert clip.info.seed == 0
    asked = {"style": HEAD["style"], "blink_rate": 1.0}
    assert clip.info.edited == {"brows": [{"seed": 1, "energy": 1.0, "head": asked, "frames": [0, FRAMES]}]}
    bpy.ops.vividtalk.reroll(parts={"BROWS"})
    assert _asked()["seed"] == 2
    assert np.isclose(keys(take)[30, BROW], truth[30, BROW])
    assert np.isclose(keys(take)[31, BROW], expected(FRAMES, 2)[31, BROW])


def rerolls_a_range() -> None:
    """Within the preview range only, with a soft change at its ends; none where the take ends."""
    head = prepare(write_sound("short.wav"))
    scene = bpy.context.scene
    scene.vividtalk.start_frame = 11
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 41, 500
    bpy.ops.vividtalk.reroll(parts={"BROWS"})
    old, new, now = expected(FRAMES), expected(FRAMES, 1), keys(take)
    assert np.allclose(now[:30], old[:30], atol=1e-6)
    assert np.allclose(now[30 + 5 :, BROW], new[30 + 5 :, BROW], atol=1e-6)
    share = ((now - old)[30:35, BROW] / (new - old)[30:35, BROW]).tolist()
    assert share == sorted(share)
    assert 0.0 < share[0] < 0.2
    scene.frame_preview_start, scene.frame_preview_end = 1, 5
    assert "preview range" in failure("reroll", parts={"BROWS"})


def a_reroll_that_fails_changes_nothing() -> None:
    """Cancelled, refused, dropped, with another sound: keys and clip stay; a removed take ends it."""
    sound = write_sound("short.wav")
    head = prepare(sound)
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    before, clip = _points(take), Path(take.clip_path).read_bytes()
    for name, words in (("stall", "stay as they were"), ("fail", "Record it again")):
        take.sound_path = write_sound(f"{name}.wav")
        addon("head_ops").start_reroll(bpy.context, frozenset({"brows"}))
        if name == "stall":
            tick_until(lambda: session().job.motion.frames > 0)
            bpy.ops.vividtalk.cancel()
        assert words in finish().text
    take.sound_path = str(Path("gone.wav").resolve())
    assert "does not exist" in failure("reroll", parts={"BROWS"})
    assert _points(take) == before
    assert Path(take.clip_path).read_bytes() == clip
    Path(take.clip_path).unlink()
    take.sound_path = sound
    bpy.ops.vividtalk.reroll(parts={"BROWS"})
    assert session().notice.level == "INFO", session().notice
    assert _points(take) != before
    take.sound_path = write_sound("stall.wav")
    addon("head_ops").start_reroll(bpy.context, frozenset({"brows"}))
    assert not bpy.ops.vividtalk.animate.poll()
    assert not bpy.ops.vividtalk.reroll.poll()
    tick_until(lambda: session().job.motion.frames > 0)
    session().give_up()
    assert session().notice.text.endswith("see the console")
    addon("head_ops").start_reroll(bpy.context, frozenset({"brows"}))
    tick_until(lambda: session().job.motion.frames > 0)
    addon("scene.takes").delete_take(head, 0)
    assert "was removed" in finish().text
    assert not bpy.ops.vividtalk.reroll.poll()


def styles_from_references() -> None:
    """A take's curves as edited, or a clip's, set the sliders; a failure leaves them."""
    head = prepare(write_sound("short.wav"))
    bpy.ops.vividtalk.animate()
    take, style = head.vividtalk.takes[0], bpy.context.scene.vividtalk.controls.style
    curve = addon("scene.curves").find_curves(take.action)[JAW]
    style.spread = 0.5
    for point in curve.keyframe_points:
        point.co[1] = 0.25
    curve.update()
    assert bpy.ops.vividtalk.style_from_take() == {"FINISHED"}
    assert np.isclose(style.jaw, 0.25, atol=1e-6)
    assert np.isclose(style.effort, FRAMES / 1000)
    assert style.spread == 0.0
    assert bpy.ops.vividtalk.style_from_clip(filepath=take.clip_path) == {"FINISHED"}
    assert np.isclose(style.jaw, expected(FRAMES)[:, JAW].mean(), atol=1e-6)
    assert "no_clip" in failure("style_from_clip", filepath=write_sound("no_clip.safetensors"))
    assert np.isclose(style.jaw, expected(FRAMES)[:, JAW].mean(), atol=1e-6)
