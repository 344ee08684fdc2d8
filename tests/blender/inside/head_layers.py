"""Strengths and locks of a take's layers, rerolls of its head, and where it can go instead of bones."""

from __future__ import annotations

import bpy
import numpy as np
from common import addon, failure, prepare, session, write_sound
from head import FRAMES, about, evaluated, take_clip, worst_bone
from mathutils import Vector

BLINK, LOOK, BROW, SNEER, JAW = "eyeBlinkLeft", "eyeLookOutLeft", "browInnerUp", "noseSneerLeft", "jawOpen"


def _curve(take: object, shape: str) -> object:
    names = addon("protocol.arkit").ARKIT_NAMES
    return addon("scene.curves").find_curves(take.action)[names.index(shape)]


def _values(take: object, shape: str) -> np.ndarray:
    return np.array([key.co[1] for key in _curve(take, shape).keyframe_points])


def _pose_keys(head: object, take: object) -> np.ndarray:
    """[n, 12] keys of the head pose."""
    curves = addon("scene.takes").pose_curves(take, addon("scene.head_pose").pose_target(head))
    return np.array([[key.co[1] for key in curve.keyframe_points] for curve in curves]).T


def _layer(clip: object, layer: str, shape: str) -> np.ndarray:
    return clip.layers[layer]["weights"][:, addon("protocol.arkit").ARKIT_NAMES.index(shape)]


def strengths_rewrite_what_was_computed() -> None:
    """Each slider scales its layer in the sums; moved keys and locked groups stay; 1 gives back what was."""
    head = prepare(write_sound("head.wav"))
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    clip = take_clip(take)
    before = {shape: _values(take, shape) for shape in (BLINK, LOOK, BROW, SNEER, JAW)}
    still = _pose_keys(head, take)
    moved = _curve(take, BLINK).keyframe_points[20]
    moved.co[1] = 0.95
    take.strength_blink = 0.5
    expected = _layer(clip, "brows", BLINK) + 0.5 * _layer(clip, "blink", BLINK)
    expected[20] = 0.95
    assert np.allclose(_values(take, BLINK), expected, atol=1e-6)
    take.strength_gaze = 2.0
    assert np.allclose(_values(take, LOOK), np.clip(2 * _layer(clip, "gaze", LOOK), 0, 1), atol=1e-6)
    take.lock_brows = True
    take.strength_brows, take.strength_breath = 0.0, 2.0
    assert np.array_equal(_values(take, BROW), before[BROW])
    assert np.array_equal(_values(take, SNEER), before[SNEER])
    assert np.array_equal(_values(take, JAW), before[JAW])
    pose = clip.pose + clip.layers["breath"]["pose"]
    assert np.abs(_pose_keys(head, take) - still).max() > 0.001
    assert worst_bone(head, pose, step=16) < 1e-4
    for layer in ("blink", "gaze", "breath"):
        setattr(take, f"strength_{layer}", 1.0)
    assert np.allclose(_pose_keys(head, take), still, atol=1e-6)
    assert np.allclose(_values(take, LOOK), before[LOOK], atol=1e-6)


def locks_outlive_a_new_take() -> None:
    """The next take of the voice gets a copy of what is locked, and all else new."""
    head = prepare(write_sound("head.wav"))
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    take.lock_head = take.lock_gaze = True
    _curve(take, LOOK).keyframe_points[7].co[1] = 0.77
    bpy.context.scene.vividtalk.seed = 4
    bpy.ops.vividtalk.animate()
    first, second = head.vividtalk.takes
    assert second.lock_head
    assert second.lock_gaze
    assert not second.lock_brows
    assert np.array_equal(_pose_keys(head, first), _pose_keys(head, second))
    assert np.array_equal(_values(first, LOOK), _values(second, LOOK))
    assert np.abs(_values(first, BROW) - _values(second, BROW)).max() > 0.1
    bpy.context.scene.vividtalk.sound_path = write_sound("headlong.wav")
    bpy.ops.vividtalk.animate()
    assert not head.vividtalk.takes[2].lock_head
    assert len(_pose_keys(head, head.vividtalk.takes[2])) > FRAMES


def rerolls_the_head_in_a_range() -> None:
    """Outside the range keys stay to the bit, 10 frames inside they are the new ones, between they blend."""
    head = prepare(write_sound("head.wav"))
    bpy.ops.vividtalk.animate()
    take, scene = head.vividtalk.takes[0], bpy.context.scene
    before, old = take_clip(take), _pose_keys(head, take)
    curve = addon("scene.takes").pose_curves(take, addon("scene.head_pose").pose_target(head))[1]
    curve.keyframe_points[50].co[1] += 0.2
    edited = _pose_keys(head, take)[50, 1]
    jaw, brow, look = (_values(take, shape) for shape in (JAW, BROW, LOOK))
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 31, 70
    assert bpy.ops.vividtalk.reroll() == {"FINISHED"}
    assert session().notice.level == "INFO", session().notice
    after, now = take_clip(take), _pose_keys(head, take)
    assert np.array_equal(now[:30], old[:30])
    assert np.array_equal(now[70:], old[70:])
    assert now[50, 1] == edited
    assert np.array_equal(_values(take, JAW), jaw)
    assert np.array_equal(_values(take, BROW), brow)
    changed = np.flatnonzero(_values(take, LOOK) != look)
    assert changed.min() >= 30
    assert changed.max() < 70
    bpy.context.scene.vividtalk.seed = 1
    bpy.ops.vividtalk.animate()
    other = take_clip(head.vividtalk.takes[1])
    fresh = other.pose - other.layers["breath"]["pose"] + before.layers["breath"]["pose"]
    assert np.allclose(after.pose[39:61], fresh[39:61], atol=1e-6)
    assert np.array_equal(after.pose_codes[8:17], other.pose_codes[8:17])
    assert np.array_equal(after.pose_codes[:8], before.pose_codes[:8])
    assert np.array_equal(after.pose_codes[18:], before.pose_codes[18:])
    jump = np.abs(fresh - before.pose)[28:72].max(axis=0)
    own = np.abs(np.diff(np.stack([fresh, before.pose]), 2, axis=1)).max(axis=(0, 1))
    bend = np.abs(np.diff(after.pose, 2, axis=0)).max(axis=0)
    assert (bend <= 2 * own + 0.062 * jump + 1e-6).all()  # 5.77 / 10^2 is the bend of the smoothest change
    assert after.info.edited["head"][0]["frames"] == [30, 70]
    assert after.info.edited["head"][0]["seed"] == 1


def rerolls_what_is_chosen_and_free() -> None:
    """Only what is chosen and not locked; nothing left to reroll is said; a clip without a head too."""
    head = prepare(write_sound("head.wav"))
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    brow, blink, pose = _values(take, BROW), _values(take, BLINK), _pose_keys(head, take)
    take.lock_brows = True
    bpy.ops.vividtalk.reroll(parts={"BROWS", "BLINKS"})
    assert np.array_equal(_values(take, BROW), brow)
    assert np.array_equal(_pose_keys(head, take), pose)
    assert np.abs(_values(take, BLINK) - blink).max() > 0.1
    assert set(take_clip(take).info.edited) == {"blinks"}
    assert "locked" in failure("reroll", parts={"BROWS"})
    bpy.context.scene.vividtalk.sound_path = write_sound("short.wav")
    bpy.ops.vividtalk.animate()
    assert "has no head layer" in failure("reroll", parts={"HEAD"})


def eyes_look_at_a_target() -> None:
    """The eyes point at the target as far as they turn, by the slider, and go back when it is removed."""
    head = prepare("")
    rig = head.vividtalk.armature
    rig.location = (0.5, 0.2, 1.0)
    objects = len(bpy.data.objects)
    assert bpy.ops.vividtalk.look_at() == {"FINISHED"}
    target = addon("scene.look_at").looks_at(rig)

    def angle(place: tuple[float, float, float]) -> float:
        target.location = rig.location + Vector(place)
        bone = evaluated(rig).pose.bones["eye.L"]
        eye = rig.matrix_world @ bone.head
        return (rig.matrix_world @ bone.tail - eye).angle(target.matrix_world.translation - eye)

    assert angle((0.1, -0.8, 0.1)) < 1e-3
    assert angle((-0.3, -0.8, -0.1)) < 1e-3
    assert angle((1.0, 0.5, 0.0)) > 0.5
    rig["look_at"] = 0.5
    rig.update_tag()
    half = angle((0.1, -0.8, 0.1))
    rig["look_at"] = 0.0
    rig.update_tag()
    assert np.isclose(half, 0.5 * angle((0.1, -0.8, 0.1)), rtol=0.05)
    bpy.ops.vividtalk.stop_looking()
    assert len(bpy.data.objects) == objects
    assert "look_at" not in rig
    assert not any("look at" in driver.data_path for driver in rig.animation_data.drivers)
    assert not bpy.ops.vividtalk.stop_looking.poll()
    lamp = bpy.data.objects["Light"]
    head.select_set(False)
    lamp.select_set(True)
    bpy.context.view_layer.objects.active = lamp
    bpy.ops.vividtalk.look_at()
    assert addon("scene.look_at").looks_at(rig) == lamp
    bpy.ops.vividtalk.stop_looking()
    assert bpy.data.objects.get("Light") == lamp


def an_object_moves_instead() -> None:
    """An empty that lies anywhere turns and shifts in its own axes; the head object about the pivot."""
    head = prepare(write_sound("head.wav"))
    empty = bpy.data.objects.new("Other", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.location, empty.rotation_euler = (1.0, 2.0, 3.0), (0.3, -0.4, 2.0)
    empty.rotation_mode = "YXZ"
    bpy.context.view_layer.update()
    rest = empty.matrix_world.copy()
    for chosen, pivot in ((empty, Vector()), (head, Vector(head.vividtalk.pivot))):
        head.vividtalk.pose_target = chosen
        start = chosen.matrix_world.copy()
        bpy.ops.vividtalk.animate()
        pose = take_clip(head.vividtalk.takes[-1]).pose
        for frame in range(0, FRAMES, 7):
            bpy.context.scene.frame_set(1 + frame)
            wanted = start @ about(pivot, pose[frame])
            assert np.abs(np.array(evaluated(chosen).matrix_world - wanted)).max() < 1e-4
    assert np.abs(np.array(empty.matrix_world - rest)).max() < 1e-5
    empty.rotation_mode = "QUATERNION"
    head.vividtalk.pose_target = empty
    assert "Euler" in failure()
    assert session().job is None


def another_rig_moves_instead() -> None:
    """Named bones of another armature turn as the head does; what is missing is said."""
    head = prepare(write_sound("head.wav"))
    data = bpy.data.armatures.new("Body")
    body = bpy.data.objects.new("Body", data)
    bpy.context.scene.collection.objects.link(body)
    bpy.context.view_layer.objects.active = body
    bpy.ops.object.mode_set(mode="EDIT")
    last = None
    for name, tail in (("spine", (0, 0.1, 1.4)), ("neck", (0, 0.02, 1.55)), ("skull", (0.02, 0, 1.7))):
        bone = data.edit_bones.new(name)
        bone.head, bone.tail, bone.parent = (last.tail if last else (0, 0, 1)), tail, last
        bone.use_connect, bone.roll = last is not None, 0.7
        last = bone
    bpy.ops.object.mode_set(mode="OBJECT")
    head.vividtalk.pose_target = body
    assert "head bone" in failure()
    head.vividtalk.neck_bone, head.vividtalk.head_bone = "neck", "skull"
    assert "Euler" in failure()
    for bone in body.pose.bones:
        bone.rotation_mode = "ZXY"
    assert bpy.ops.vividtalk.animate() == {"FINISHED"}
    pose = take_clip(head.vividtalk.takes[-1]).pose
    for frame in range(0, FRAMES, 9):
        bpy.context.scene.frame_set(1 + frame)
        for name, share in (("neck", 0.5), ("skull", 1.0)):
            bone = evaluated(body).pose.bones[name]
            turned = (bone.matrix @ bone.bone.matrix_local.inverted()).to_3x3()
            wanted = about(Vector(), share * pose[frame]).to_3x3()
            assert np.abs(np.array(turned - wanted)).max() < 1e-4
    head.vividtalk.neck_bone = "skull"
    head.vividtalk.head_bone = "neck"
    assert "does not hang on" in failure()
