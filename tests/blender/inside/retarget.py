"""A take onto other heads: which curves appear, what they hold, and what stays an artist's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from common import addon, prepare

FRAMES = 40
VISEMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U")


def head_with_take() -> Any:
    """A head whose take moves all shapes in a known way, edited at one key."""
    head = prepare("")
    takes, curves = addon("scene.takes"), addon("scene.curves")
    take = takes.new_take(head, "Line", 3)
    motion = curves.Motion(known(FRAMES), 11)
    curves.write_due(curves.find_curves(take.action), motion, curves.EVERY_FRAME, float("inf"))
    return head


def known(frames: int) -> np.ndarray:
    """[frames, 52] a speaking mouth: p, a, u, and a blink; an independent statement of the test's motion."""
    arkit = addon("protocol.arkit").ARKIT_INDEX
    weights = np.zeros((frames, 52))
    for f in range(frames):
        phase = f % 3
        if phase == 0:
            weights[f, [arkit[n] for n in ("jawOpen", "mouthClose")]] = 0.12
            weights[f, [arkit[n] for n in ("mouthPressLeft", "mouthPressRight")]] = 0.3
        elif phase == 1:
            weights[f, arkit["jawOpen"]] = 0.6
            weights[f, [arkit[n] for n in ("mouthLowerDownLeft", "mouthLowerDownRight")]] = 0.28
        else:
            weights[f, arkit["mouthPucker"]] = 0.75
        weights[f, arkit["eyeBlinkLeft"]] = f / frames
    return weights


def other(names: list[str], title: str = "Other") -> Any:
    """A selected mesh object with shape keys."""
    mesh = bpy.data.meshes.new(title)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    item = bpy.data.objects.new(title, mesh)
    bpy.context.scene.collection.objects.link(item)
    for name in ["Basis", *names]:
        item.shape_key_add(name=name).value = 0.0
    item.select_set(True)
    return item


def values(owner: Any, path: str, index: int = 0) -> np.ndarray:
    """[FRAMES] what an owner's own action holds at `path`."""
    holder = addon("scene.compat").curve_holder(owner.animation_data.action, owner.id_type)
    curve = next(c for c in holder.fcurves if c.data_path == path and c.array_index == index)
    return np.array([curve.evaluate(11 + f) for f in range(FRAMES)])


def by_detected_map() -> None:
    """A head with spelled-out ARKit names gets the edited take, frame by frame, in an Action of its own."""
    head = head_with_take()
    curve = addon("scene.curves").find_curves(head.vividtalk.takes[0].action)[17]
    curve.keyframe_points[4].co[1] = 0.9
    curve.update()
    arkit = addon("protocol.arkit").ARKIT_NAMES
    target = other([name.replace("Left", "_L").replace("Right", "_R") for name in arkit])
    assert bpy.ops.vividtalk.apply_to_other() == {"FINISHED"}
    key = target.data.shape_keys
    assert len(addon("scene.compat").curve_holder(key.animation_data.action, "KEY").fcurves) == 52
    wanted = known(FRAMES)
    wanted[4, 17] = 0.9
    assert np.allclose(values(key, 'key_blocks["jawOpen"].value'), wanted[:, 17], atol=1e-6)
    assert np.allclose(values(key, 'key_blocks["eyeBlink_L"].value'), wanted[:, 0], atol=1e-6)
    bpy.context.scene.frame_set(15)
    assert np.isclose(key.key_blocks["jawOpen"].value, 0.9, atol=1e-5)
    points = addon("scene.compat").curve_holder(key.animation_data.action, "KEY").fcurves[0].keyframe_points
    assert len(points) == FRAMES
    assert {point.type for point in points} == {"GENERATED"}
    assert head.data.shape_keys.animation_data.action == head.vividtalk.takes[0].action


def visemes_and_own_keys() -> None:
    """Visemes are mixed from the mouth; an artist's Action is kept with all its keys; drivers hold."""
    head_with_take()
    names = [f"viseme_{n}" for n in VISEMES]
    target = other(names)
    key = target.data.shape_keys
    key.key_blocks["viseme_FF"].value = 0.5
    key.key_blocks["viseme_FF"].keyframe_insert("value", frame=5)
    mine = key.animation_data.action
    key.key_blocks["viseme_CH"].driver_add("value")
    bpy.ops.vividtalk.apply_to_other()
    assert key.animation_data.action != mine
    assert mine.use_fake_user
    kept = addon("scene.compat").curve_holder(mine, "KEY").fcurves
    assert [tuple(point.co) for point in kept[0].keyframe_points] == [(5.0, 0.5)]
    rows = {name: values(key, f'key_blocks["{name}"].value') for name in names if name != "viseme_CH"}
    for f in range(FRAMES):
        best = max(rows, key=lambda name: rows[name][f])
        assert best == ("viseme_PP", "viseme_aa", "viseme_U")[f % 3], (f, best)
    paths = [
        c.data_path for c in addon("scene.compat").curve_holder(key.animation_data.action, "KEY").fcurves
    ]
    assert 'key_blocks["viseme_CH"].value' not in paths
    bpy.context.scene.frame_set(12)
    assert key.key_blocks["viseme_aa"].value > 0.6


def bones_and_properties() -> None:
    """An own map drives a bone and a custom property, each in its owner's Action."""
    head_with_take()
    target = other(["open"])
    target["smile"] = 0.0
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.data.edit_bones.new("jaw")
    bone.tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    rig.select_set(False)
    target.select_set(True)
    rig.pose.bones["jaw"].rotation_mode = "XYZ"
    target.modifiers.new("Armature", "ARMATURE").object = rig
    path = Path("rig.json").resolve()
    channels = [
        {"target": "open", "terms": {"jawOpen": 1}},
        {
            "target": "jaw",
            "kind": "bone",
            "path": "rotation_euler",
            "axis": 0,
            "terms": {"jawOpen": -0.5},
            "low": -1,
        },
        {"target": "smile", "kind": "property", "terms": {"mouthPucker": 1}},
    ]
    path.write_text(json.dumps({"name": "rig", "channels": channels}))
    assert bpy.ops.vividtalk.apply_to_other(map_name="FILE", map_path=str(path)) == {"FINISHED"}
    wanted = known(FRAMES)
    arkit = addon("protocol.arkit").ARKIT_INDEX
    assert np.allclose(values(rig, 'pose.bones["jaw"].rotation_euler'), -0.5 * wanted[:, 17], atol=1e-6)
    assert np.allclose(values(target, '["smile"]'), wanted[:, arkit["mouthPucker"]], atol=1e-6)
    bpy.context.scene.frame_set(12)
    assert np.isclose(rig.pose.bones["jaw"].rotation_euler[0], -0.3, atol=1e-5)
    assert np.isclose(target.data.shape_keys.key_blocks["open"].value, 0.6, atol=1e-5)


def says_why_not() -> None:
    """Without take or target it cannot be pressed; unknown shapes and linked data are refused in words."""
    head = prepare("")
    assert not bpy.ops.vividtalk.apply_to_other.poll()
    target = other(["Smile", "Age"])
    assert not bpy.ops.vividtalk.apply_to_other.poll()
    addon("scene.takes").new_take(head, "Empty", 0)
    assert bpy.ops.vividtalk.apply_to_other.poll()
    assert "has no keys" in refusal()
    take = head.vividtalk.takes[0]
    curves = addon("scene.curves")
    motion = curves.Motion(known(5), 1)
    curves.write_due(curves.find_curves(take.action), motion, curves.EVERY_FRAME, float("inf"))
    assert bpy.ops.vividtalk.apply_to_other() == {"CANCELLED"}
    assert target.data.shape_keys.animation_data is None
    assert "Choose a map" in reason(target)
    linked = link_a_copy(target)
    target.select_set(False)
    linked.select_set(True)
    assert "linked from another file" in addon("scene.retarget").why_not(linked)
    assert not bpy.ops.vividtalk.apply_to_other.poll()


def refusal() -> str:
    """The error of the operator."""
    try:
        bpy.ops.vividtalk.apply_to_other()
    except RuntimeError as error:
        return str(error)
    raise AssertionError("it was accepted")


def reason(target: Any) -> str:
    """Why no map fits."""
    try:
        addon("scene.retarget").fitting_map(target, None)
    except addon("protocol.errors").VividTalkError as error:
        return str(error)
    raise AssertionError("a map fitted")


def link_a_copy(target: Any) -> Any:
    """`target` linked back from a file."""
    path = str(Path("library.blend").resolve())
    bpy.data.libraries.write(path, {target})
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = [target.name]
    linked = next(item for item in bpy.data.objects if item.library is not None)
    bpy.context.scene.collection.objects.link(linked)
    return linked


def undo_and_reduced() -> None:
    """Undo takes everything back; reduced keys are fewer and stay near the motion."""
    head_with_take()
    target = other(list(addon("protocol.arkit").ARKIT_NAMES))
    title = target.name
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.vividtalk.apply_to_other(keys="REDUCED")
    key = target.data.shape_keys
    assert np.allclose(values(key, 'key_blocks["eyeBlinkLeft"].value'), known(FRAMES)[:, 0], atol=0.006)
    holder = addon("scene.compat").curve_holder(key.animation_data.action, "KEY")
    blink = next(c for c in holder.fcurves if "eyeBlinkLeft" in c.data_path)
    assert len(blink.keyframe_points) < FRAMES / 3
    actions = len(bpy.data.actions)
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    key = bpy.data.objects[title].data.shape_keys
    assert key.animation_data is None or key.animation_data.action is None
    assert len(bpy.data.actions) == actions - 1
