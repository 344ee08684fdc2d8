"""Lip keys: how coefficients move them, and what Refresh Lips changes after an edit."""

from __future__ import annotations

import math

import bpy
import numpy as np
from common import addon, prepare, session, write_sound

JAW_OPEN = 17


def _keys() -> object:
    return bpy.context.scene.vividtalk.head.data.shape_keys


def detail() -> None:
    """A lip key's value is coefficient x lip detail; its mesh is the face file's basis; rest has none."""
    bpy.ops.vividtalk.create_head()
    head = bpy.context.scene.vividtalk.head
    face = addon("protocol.face").read_face(addon("operators")._ASSETS / "head.safetensors")
    count = addon("scene.lip_keys").lip_count(head)
    assert count == len(face.lip_basis) > 0
    key = head.data.shape_keys
    for coefficient, slider in ((0.8, 1.0), (-0.6, 0.5), (0.7, 0.0)):
        key["lip.02"], key["lip_detail"] = coefficient, slider
        key.update_tag()
        bpy.context.view_layer.update()
        assert math.isclose(key.key_blocks["lip.02"].value, coefficient * slider, abs_tol=1e-6)
    flat = np.empty(3 * len(face.vertices), np.float32)
    key.key_blocks["lip.02"].points.foreach_get("co", flat)
    moved = flat.reshape(-1, 3) - face.vertices
    assert np.allclose(moved[face.lip_index], face.lip_basis[1], atol=1e-6)
    assert np.abs(np.delete(moved, face.lip_index, axis=0)).max() < 1e-6
    addon("scene.takes").show_take(head, -1)
    assert key["lip.02"] == 0.0


def rewrites_only_what_changed() -> None:
    """New values where asked, an artist's keys and all other frames to the bit, dense or reduced."""
    curves, rng = addon("scene.curves"), np.random.default_rng(3)
    values = np.convolve(rng.normal(size=(220)), np.hanning(21) / 10, "valid")[:, None].astype(np.float32)
    bpy.ops.vividtalk.create_head()
    head = bpy.context.scene.vividtalk.head
    for keying in (curves.EVERY_FRAME, curves.REDUCED):
        take = addon("scene.takes").new_take(head, "Edited", 0)
        curve = curves.find_curves(take.action)[JAW_OPEN]
        curves.write_due([curve], curves.Motion(values, 10), keying, math.inf)
        curve.keyframe_points.insert(10 + 77.0, 1.5).type = "KEYFRAME"
        before = np.array([curve.evaluate(10 + i) for i in range(len(values))])
        changed = np.array([0, 40, 41, 42, 77, 78, len(values) - 1])
        curves.rewrite(curve, 10, changed, before + 0.25)
        after = np.array([curve.evaluate(10 + i) for i in range(len(values))])
        wanted = before.copy()
        wanted[changed] += 0.25
        wanted[77] = 1.5
        assert np.abs(after - wanted).max() < 2e-3 if keying.reduced else np.abs(after - wanted).max() < 1e-6
        kinds = {round(key.co[0]): key.type for key in curve.keyframe_points}
        assert kinds[87] == "KEYFRAME"
        assert len(kinds) == len(curve.keyframe_points)


def refreshes() -> None:
    """Nothing to do after Animate; after a jaw edit the lips follow there, and an artist's lip key stays."""
    head = prepare(write_sound("lips.wav"))
    bpy.ops.vividtalk.animate()
    assert session().notice.level == "INFO", session().notice
    take = head.vividtalk.takes[0]
    find, count = addon("scene.curves").find_curves, addon("scene.lip_keys").lip_count(head)
    found = find(take.action, count)
    assert len(found) == 52 + count + 2
    assert all(len(curve.keyframe_points) == take.frames for curve in found)
    assert max(abs(key.co[1]) for key in found[52].keyframe_points) > 0.01
    refresh = addon("scene.lips").refresh_lips
    fps = addon("scene.sequencer").scene_fps(bpy.context.scene)
    assert refresh(head, take, fps) == 0
    for key in found[JAW_OPEN].keyframe_points[20:31]:
        key.co[1] += 0.3
    found[JAW_OPEN].update()
    found[52].keyframe_points.insert(26.0, 1.5).type = "KEYFRAME"
    before = [[key.co[1] for key in curve.keyframe_points] for curve in found[52 : 52 + count]]
    assert 0 < refresh(head, take, fps) <= 11
    found = find(take.action, count)
    after = [[key.co[1] for key in curve.keyframe_points] for curve in found[52 : 52 + count]]
    difference = np.abs(np.array(after) - np.array(before)).max(axis=0)
    assert difference[20:31].max() > 0.01
    assert difference[:20].max() == difference[31:].max() == 0.0
    assert after[0][25] == 1.5
    assert bpy.ops.vividtalk.refresh_lips() == {"FINISHED"}


def _take(head: object, values: np.ndarray, name: str) -> object:
    """A take of `head` from frame 1, one value a column and frame."""
    curves = addon("scene.curves")
    take = addon("scene.takes").new_take(head, name, 0)
    found = curves.find_curves(take.action, addon("scene.lip_keys").lip_count(head))
    motion = curves.Motion(values, 1)
    curves.write_due(found[: values.shape[1]], motion, curves.EVERY_FRAME, math.inf)
    return take


def another_take_starts_at_rest() -> None:
    """A take without lip keys does not show the lips of the take before it."""
    bpy.ops.vividtalk.create_head()
    head = bpy.context.scene.vividtalk.head
    key, scene = head.data.shape_keys, bpy.context.scene
    _take(head, np.full((20, 70), 0.4, np.float32), "Lips")
    scene.frame_set(5)
    assert math.isclose(key["lip.03"], 0.4, abs_tol=1e-6)
    _take(head, np.full((20, 52), 0.3, np.float32), "Shapes only")
    scene.frame_set(6)
    assert key["lip.03"] == key.key_blocks["lip.03"].value == key["contact.lips"] == 0.0
    assert math.isclose(key.key_blocks["jawOpen"].value, 0.3, abs_tol=1e-6)


def counts_its_own_keys_only() -> None:
    """An artist's shape keys are no lip keys, and a lip key that was deleted still has its coefficient."""
    bpy.ops.vividtalk.create_head()
    head = bpy.context.scene.vividtalk.head
    lip_count, wanted = addon("scene.lip_keys").lip_count, addon("scene.lip_keys").lip_count(head)
    head.shape_key_add(name="lip.smile", from_mix=False)
    head.shape_key_remove(head.data.shape_keys.key_blocks["lip.05"])
    assert lip_count(head) == wanted
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    assert lip_count(cube) == 0
    for name in ("Basis", "lip.corner"):
        cube.shape_key_add(name=name)
    assert lip_count(cube) == 0


def refreshes_what_is_there() -> None:
    """Moved keys are found where they are; removed curves stay removed; what cannot be done is said."""
    head = prepare(write_sound("lips.wav"))
    bpy.ops.vividtalk.animate()
    take, find = head.vividtalk.takes[0], addon("scene.curves").find_curves
    refresh, count = addon("scene.lips").refresh_lips, addon("scene.lip_keys").lip_count(head)
    fps = addon("scene.sequencer").scene_fps(bpy.context.scene)
    for curve in find(take.action, count):
        for key in curve.keyframe_points:
            key.co[0] += 60.0
        curve.update()
    assert refresh(head, take, fps) == 0
    jaw = find(take.action, count)[JAW_OPEN]
    for key in jaw.keyframe_points[80:86]:
        key.co[1] += 0.3
    jaw.update()
    assert 0 < refresh(head, take, fps) <= 6
    lips = [curve for curve in find(take.action, count) if '["lip.' in curve.data_path]
    assert {len(curve.keyframe_points) for curve in lips} == {take.frames}
    holder = addon("scene.compat").curve_holder(take.action, "KEY")
    for curve in lips:
        holder.fcurves.remove(curve)
    assert refresh(head, take, fps) == 0
    bpy.data.actions.remove(take.action)
    take = head.vividtalk.takes[0]
    assert "no keys" in _refusal(head, take, fps)
    del head.data.shape_keys["lip.16"]
    assert "15 lip keys" in _refusal(head, take, fps)


def _refusal(head: object, take: object, fps: float) -> str:
    error = addon("protocol.errors").VividTalkError
    try:
        addon("scene.lips").refresh_lips(head, take, fps)
    except error as refused:
        return str(refused)
    raise AssertionError("it was refreshed")


def leaves_an_unedited_reduced_take() -> None:
    """Reduced keys stray from the frames they stand for; that is no edit."""
    head = prepare(write_sound("lips.wav"))
    bpy.context.scene.vividtalk.keys = "REDUCED"
    bpy.ops.vividtalk.animate()
    fps = addon("scene.sequencer").scene_fps(bpy.context.scene)
    assert addon("scene.lips").refresh_lips(head, head.vividtalk.takes[0], fps) == 0
