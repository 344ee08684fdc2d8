"""An exported .blend, opened in a new process; once with the extension, and as a picture."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import bpy
import numpy as np
from common import HAS_SOUND, addon, keys


def reopened() -> None:
    """52 named keys, a take with the clip's keys, an armature, the packed sound, rate and range."""
    expected = json.loads(os.environ["EXPECTED"])
    bpy.ops.wm.open_mainfile(filepath=os.environ["BLEND"])
    scene = bpy.context.scene
    head = next(item for item in bpy.data.objects if item.vividtalk.face_id)
    names = addon("protocol.arkit").ARKIT_NAMES
    assert [block.name for block in head.data.shape_keys.key_blocks[1:53]] == list(names)
    assert head.find_armature() == head.vividtalk.armature
    take = head.vividtalk.takes[0]
    weights = np.load(expected["weights"])
    assert np.allclose(keys(take), weights, atol=1e-6)
    assert math.isclose(scene.render.fps / scene.render.fps_base, expected["fps"], rel_tol=1e-6)
    assert (scene.frame_start, scene.frame_end) == (1, expected["frames"])
    assert scene.sync_mode == "AUDIO_SYNC"
    curves = addon("scene.emotion_keys").emotion_curves(take.action)
    assert list(curves) == [f"emotion.{name}" for name in expected["emotions"]]
    for name, wanted in expected["emotions"].items():
        points = curves[f"emotion.{name}"].keyframe_points
        assert np.allclose([tuple(point.co) for point in points], wanted, atol=1e-4)
    assert np.isclose(take.controls.energy, 1.5)
    assert np.isclose(take.controls.style.jaw, 0.5)
    scene.frame_set(50)
    values = [block.value for block in head.data.shape_keys.key_blocks[1:53]]
    assert np.allclose(values, weights[49], atol=1e-6)
    graph = bpy.context.evaluated_depsgraph_get()
    bone = head.vividtalk.armature.evaluated_get(graph).pose.bones["head"]
    axis, angle = (bone.matrix @ bone.bone.matrix_local.inverted()).to_quaternion().to_axis_angle()
    assert np.allclose(np.array(axis) * angle, expected["turn"], atol=1e-4)
    strips = addon("scene.compat").strips(scene)
    assert [(s.type, s.frame_final_start) for s in strips] == [("SOUND", 1)]
    if HAS_SOUND:
        assert abs(strips[0].frame_final_duration - expected["sound"]) <= 1
        assert strips[0].sound.packed_file is not None
    assert str(Path(os.environ["BLEND"]).parent) not in strips[0].sound.filepath


def picture() -> None:
    """A small render by Cycles, [s, s, 3] linear, in picture.npy."""
    bpy.ops.wm.open_mainfile(filepath=os.environ["BLEND"])
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.max_bounces = 4, 2
    scene.render.resolution_x = scene.render.resolution_y = 96
    scene.render.resolution_percentage = 100
    scene.render.use_sequencer = False
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(Path("picture.png").resolve())
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.empty(96 * 96 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    np.save("picture.npy", pixels.reshape(96, 96, 4)[..., :3])
