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
