"""Motion as it plays, sampled for a video: against Blender's own evaluation at the playhead."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from common import addon, prepare, write_sound
from head import about, evaluated
from mathutils import Vector

PLAYHEAD = 33
FRAMES = range(1, 97)  # 4 s at the startup file's 24 fps


def _animated(sound: str) -> tuple[Any, Any]:
    head = prepare(write_sound(sound))
    assert bpy.ops.vividtalk.animate() == {"FINISHED"}
    return head, head.vividtalk.takes[0]


def _played(head: Any, take: Any, frames: range = FRAMES) -> Any:
    """The motion; nothing of it may be left, and the playhead stays."""
    scene, data = bpy.context.scene, (bpy.data.scenes, bpy.data.objects, bpy.data.actions)
    scene.frame_set(PLAYHEAD)
    head.data.shape_keys.key_blocks["cheekPuff"].value = 0.37  # not keyed
    before = [len(kind) for kind in data], _coordinates(head)
    motion = addon("scene.sampling").played_frames(head, take, frames)
    assert scene.frame_current == PLAYHEAD
    after = [len(kind) for kind in data], _coordinates(head)
    assert before[0] == after[0]
    assert np.array_equal(before[1], after[1])
    assert len(motion.weights) == len(frames)
    assert motion.first == frames.start
    assert {array.dtype for array in motion.arrays.values()} == {np.dtype(np.float32)}
    return motion


def _coordinates(head: Any) -> np.ndarray:
    mesh = evaluated(head).to_mesh()
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def _face() -> Any:
    return addon("protocol.face").read_face(addon("operators")._ASSETS / "head.safetensors")


def _check_mesh(head: Any, motion: Any, frames: tuple[int, ...]) -> None:
    """The mesh before its bones move it is the face file's sum of the sampled weights and lips."""
    face = _face()
    modifier = next(modifier for modifier in head.modifiers if modifier.type == "ARMATURE")
    modifier.show_viewport = False
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        row = frame - motion.first
        wanted = face.vertices + np.tensordot(motion.weights[row], face.shapes, 1)
        wanted[face.lip_index] += np.tensordot(motion.lip[row], face.lip_basis, 1)
        assert np.abs(_coordinates(head) - wanted).max() < 2e-6, frame
    modifier.show_viewport = True


def _check_bones(head: Any, motion: Any) -> None:
    """The head bone is where the face file's formula puts it; the eyes look where the gaze says."""
    rig, pivot = head.vividtalk.armature, Vector(head.vividtalk.pivot)
    head.hide_viewport = True
    for row, pose in enumerate(motion.pose.astype(float)):
        bpy.context.scene.frame_set(motion.first + row)
        bones = evaluated(rig).pose.bones
        moved = about(pivot, pose)
        rest = bones["head"].bone.matrix_local
        off = np.abs(np.array(bones["head"].matrix - moved @ rest)).max()
        assert off < 1e-4, (row, off)  # constraints of partial influence scale a little
        for eye, name in enumerate(("eye.L", "eye.R")):
            look = moved.to_3x3().inverted() @ (bones[name].tail - bones[name].head).normalized()
            pitch, yaw = motion.gaze[row, 2 * eye : 2 * eye + 2]
            wanted = (np.sin(yaw) * np.cos(pitch), -np.cos(yaw) * np.cos(pitch), np.sin(pitch))
            assert np.allclose(look, wanted, atol=1e-4), (row, name)
    head.hide_viewport = False


def follows_edits_and_emotions() -> None:
    """Edited keys, keyed emotions, lip detail, an artist's driver and a muted key: as the mesh has them."""
    head, take = _animated("lips.wav")
    key = head.data.shape_keys
    for block in ("jawOpen", "mouthSmileLeft"):
        curve = addon("scene.curves").find_curves(take.action)[list(_names()).index(block)]
        for point in curve.keyframe_points[20:40]:
            point.co[1] = 0.8 * point.co[1] + 0.05
        curve.update()
    for name, values in (("happy", (0.0, 0.4)), ("sad", (0.3, 0.1)), ("surprised", (0.0, 0.35))):
        for frame, value in zip((10, 70), values, strict=True):
            key[f"emotion.{name}"] = value
            key.keyframe_insert(f'["emotion.{name}"]', frame=frame)
    key["lip_detail"] = 0.6
    driver = key.key_blocks["tongueOut"].driver_add("value").driver
    driver.expression = "frame / 200"
    key.key_blocks["mouthFunnel"].mute = True
    own = head.shape_key_add(name="Wart", from_mix=False)
    own.value = 0.5
    motion = _played(head, take)
    assert np.allclose(motion.weights[:, _names().index("tongueOut")], np.array(FRAMES) / 200, atol=1e-6)
    assert not motion.weights[:, _names().index("mouthFunnel")][:9].any()
    assert np.abs(motion.lip).max() > 0.05
    assert np.ptp(motion.contact[:, 0]) > 0.5
    assert motion.left_out == ("Wart",)
    own.mute = True
    assert motion.weights.max() < 1.0, "the test's own mesh has no limit at 1"
    _check_mesh(head, motion, (1, 15, 37, 60, 96))
    assert _played(head, take).left_out == ()


def _names() -> tuple[str, ...]:
    return tuple(addon("protocol.arkit").ARKIT_NAMES)


def follows_bones_and_looks() -> None:
    """Edited bones, strengths that are keyed, eyes that look at an object; the hidden rig too."""
    head, take = _animated("head.wav")
    rig = head.vividtalk.armature
    rig["head.yaw"], rig["head.shift"] = 0.4, 0.5
    for frame, value in ((1, 1.0), (90, 0.2)):
        rig["head.pitch"] = value
        rig.keyframe_insert('["head.pitch"]', frame=frame)
    target = bpy.data.objects.new("There", None)
    bpy.context.scene.collection.objects.link(target)
    target.location = (0.3, -1.0, 0.2)
    addon("scene.look_at").look_at(rig, target)
    rig["look_at"] = 0.7
    rig.location, rig.rotation_euler = (1.0, 2.0, 0.5), (0.0, 0.0, 0.3)
    rig.hide_viewport = True
    motion = _played(head, take)
    rig.hide_viewport = False
    assert motion.pose.shape == (96, 6)
    assert np.ptp(motion.pose[:, 2]) > 0.1
    assert np.abs(motion.gaze).max() > 0.1
    _check_bones(head, motion)


def follows_correction_tracks() -> None:
    """An ADD track above the take's strip in the NLA corrects what is sampled."""
    head, take = _animated("short.wav")
    key = head.data.shape_keys
    block = key.key_blocks["browInnerUp"]
    block.slider_min = -1.0
    animation, action = key.animation_data, take.action
    slot = getattr(animation, "action_slot", None)
    animation.action = None
    for frame, value in ((1, 0.2), (96, -0.1)):
        block.value = value
        block.keyframe_insert("value", frame=frame)
    correction, other = animation.action, getattr(animation, "action_slot", None)
    animation.action = None
    for name, source, chosen in (("take", action, slot), ("correction", correction, other)):
        track = animation.nla_tracks.new()
        strip = track.strips.new(name, 1, source)
        if chosen is not None:
            strip.action_slot = chosen
        strip.blend_type = "REPLACE" if name == "take" else "ADD"
    motion = _played(head, take)
    column = _names().index("browInnerUp")
    truth = []
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        truth.append(block.value)
    assert np.allclose(motion.weights[:, column], truth, atol=1e-6)
    plain = [addon("scene.curves").find_curves(action)[column].evaluate(frame) for frame in FRAMES]
    assert np.abs(np.array(truth) - plain).max() > 0.1


def follows_an_object() -> None:
    """A take that moves an empty: its turn from where it was, and eyes still by the head's own bones."""
    head = prepare(write_sound("head.wav"))
    empty = bpy.data.objects.new("Mover", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.location, empty.rotation_euler = (0.4, 0.1, 0.2), (0.3, 0.1, -0.5)
    bpy.context.view_layer.update()
    rest = empty.matrix_basis.copy()
    head.vividtalk.pose_target = empty
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    motion = _played(head, take)
    assert np.abs(motion.pose[:, 2]).max() > 0.3
    for row in range(0, 96, 5):
        bpy.context.scene.frame_set(motion.first + row)
        wanted = about(Vector(), motion.pose[row].astype(float))
        assert np.abs(np.array(rest @ wanted - empty.matrix_basis)).max() < 1e-5
    sent = addon("scene.files").take_clip(take).pose
    assert np.allclose(motion.pose, sent, atol=1e-4)


def sees_the_moment() -> None:
    """A still shows a slider that was moved and not keyed, and the frame at the playhead."""
    head, take = _animated("head.wav")
    scene, blocks = bpy.context.scene, head.data.shape_keys.key_blocks
    scene.frame_set(50)
    blocks["jawOpen"].value = 0.9
    graph = bpy.context.evaluated_depsgraph_get()
    now = addon("scene.sampling").seen_now(head, take, graph, 50)
    assert np.isclose(now.weights[0, _names().index("jawOpen")], 0.9)
    truth = addon("scene.files").take_clip(take)
    assert np.allclose(now.pose[0], truth.pose[49], atol=1e-4)
    assert np.allclose(now.gaze[0], truth.gaze[49], atol=2e-4)
