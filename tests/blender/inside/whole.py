"""From a voice to a .blend with the real backend: what a person does with the shipped voice line."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from common import HAS_SOUND, addon, keys, session
from head import worst_bone

BLEND = Path("talks.blend")
JAW = 17  # jawOpen


def animate() -> None:
    """Demo scene, Animate, save."""
    bpy.ops.vividtalk.create_demo_scene()
    bpy.ops.vividtalk.animate(time_limit=50.0)
    assert session().notice.level == "INFO", session().notice
    bpy.ops.wm.save_as_mainfile(filepath=str(BLEND.resolve()))


def check() -> None:
    """In a new process: names, keys over the sound's length, strip, armature, range; and the mouth speaks."""
    bpy.ops.wm.open_mainfile(filepath=str(BLEND.resolve()))
    scene = bpy.context.scene
    head = scene.vividtalk.head
    names = list(addon("protocol.arkit").ARKIT_NAMES)
    assert [block.name for block in head.data.shape_keys.key_blocks[1:53]] == names
    assert {"neck", "head", "eye.L", "eye.R"} <= set(head.find_armature().pose.bones.keys())
    take = head.vividtalk.takes[0]
    motion = keys(take)
    clip = addon("protocol.clip").read_clip(Path(bpy.path.abspath(take.clip_path)))
    assert np.allclose(motion, clip.weights, atol=1e-6)
    assert clip.pose.shape == (len(motion), 6)
    assert clip.gaze.shape == (len(motion), 4)
    assert np.degrees(np.ptp(clip.pose[:, :3], axis=0)).max() > 2.0
    assert worst_bone(head, clip.pose, step=24) < 1e-4
    lips = addon("scene.lip_keys").lip_count(head)
    assert clip.lip.shape == (len(motion), lips)
    first = addon("scene.curves").find_curves(take.action, lips)[52]
    assert np.allclose([key.co[1] for key in first.keyframe_points], clip.lip[:, 0], atol=1e-6)
    assert (motion >= 0).all()
    assert (motion <= 1).all()
    jaw = motion[:, names.index("jawOpen")]
    assert jaw.max() > 0.15
    assert jaw.min() < 0.05
    assert (scene.frame_start, scene.frame_end) == (1, len(motion))
    if HAS_SOUND:
        strip = addon("scene.compat").strips(scene)[0]
        assert abs(strip.frame_final_duration - len(motion)) <= 1
        fps = scene.render.fps / scene.render.fps_base
        assert math.isclose(clip.info.audio_duration, len(motion) / fps, abs_tol=1.5 / fps)


def portrait() -> None:
    """A take with an open mouth about frame 8."""
    bpy.ops.vividtalk.create_demo_scene()
    scene = bpy.context.scene
    bpy.ops.wm.save_as_mainfile(filepath=str(BLEND.resolve()))
    scene.vividtalk.sound_path = str(Path("line.wav").resolve())
    scene.vividtalk.video.portrait, scene.vividtalk.video.size = "//anna.png", "256"
    bpy.ops.vividtalk.animate(time_limit=50.0)
    head = scene.vividtalk.head
    curve = addon("scene.curves").find_curves(head.vividtalk.takes[0].action)[JAW]
    for key in curve.keyframe_points[4:12]:
        key.co[1] = 0.9
    curve.update()
    bpy.ops.wm.save_mainfile()


def video() -> None:
    """Its talking video, and a still of that frame."""
    bpy.ops.wm.open_mainfile(filepath=str(BLEND.resolve()))
    scene = bpy.context.scene
    bpy.ops.vividtalk.render_video(time_limit=50.0)
    assert "25 of 25 frames rendered" in session().notice.text, session().notice
    (strip,) = [s for s in addon("scene.compat").all_strips(scene) if s.type == "MOVIE"]
    assert (strip.frame_final_start, strip.frame_final_duration) == (1, 25)
    scene.frame_set(8)
    bpy.ops.vividtalk.render_still(time_limit=50.0)
