"""Sound strips, frame rates, ranges."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import bpy
from common import HAS_SOUND, addon, failure, keys, need, prepare, write_sound


def _params() -> Any:
    return json.loads((Path(os.environ["XDG_RUNTIME_DIR"]) / "params.json").read_text())


def frame_rates() -> None:
    """23.976, 29.97, 59.94: the backend samples at the scene's rate, which stays; frames cover the sound."""
    head = prepare(write_sound("short.wav"))
    scene = bpy.context.scene
    for number, (fps, base) in enumerate(((24, 1.001), (30, 1.001), (60, 1.001), (25, 1.0))):
        scene.render.fps, scene.render.fps_base = fps, base
        bpy.ops.vividtalk.animate()
        assert math.isclose(_params()["fps"], fps / base, rel_tol=1e-6)
        assert scene.render.fps == fps
        assert math.isclose(scene.render.fps_base, base, rel_tol=1e-6)
        assert len(keys(head.vividtalk.takes[number])) == math.ceil(4.0 * fps / scene.render.fps_base - 1e-6)


def start_frame_and_range() -> None:
    """Keys begin at the start frame; the range grows and never shrinks."""
    head = prepare(write_sound("short.wav"))
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 20, 1000
    scene.vividtalk.start_frame = 10
    bpy.ops.vividtalk.animate()
    assert (scene.frame_start, scene.frame_end) == (10, 1000)
    scene.vividtalk.start_frame = 950
    bpy.ops.vividtalk.animate()
    assert (scene.frame_start, scene.frame_end) == (10, 1045)
    assert head.vividtalk.takes[1].start_frame == 950
    assert len(keys(head.vividtalk.takes[1])) == 96


def sound_is_added_once() -> None:
    """A file's sound gets one strip, at its start frame, over the sound's length."""
    need(HAS_SOUND, "sound")
    prepare(write_sound("short.wav"))
    scene = bpy.context.scene
    scene.vividtalk.start_frame = 7
    bpy.ops.vividtalk.animate()
    bpy.ops.vividtalk.animate()
    strips = addon("scene.compat").strips(scene)
    assert [(s.type, s.frame_final_start, s.frame_final_duration) for s in strips] == [("SOUND", 7, 96)]
    scene.vividtalk.start_frame = 200
    bpy.ops.vividtalk.animate()
    assert len(strips) == 2


def trim_and_offset() -> None:
    """A strip's trim and place decide which part of the sound is spoken, and where the keys lie."""
    need(HAS_SOUND, "sound")
    head = prepare("")
    scene = bpy.context.scene
    scene.sequence_editor_create()
    strip = addon("scene.compat").strips(scene).new_sound("line", write_sound("short.wav"), 1, 101)
    strip.frame_offset_start = 24
    strip.frame_offset_end = 12
    scene.sequence_editor.active_strip = strip
    scene.vividtalk.source = "STRIP"
    bpy.ops.vividtalk.animate()
    params = _params()
    assert (params["start"], params["duration"], params["speed"]) == (1.0, 2.5, 1.0)
    take = head.vividtalk.takes[0]
    assert take.start_frame == 125
    assert len(keys(take)) == 60
    assert len(addon("scene.compat").strips(scene)) == 1


def hard_split() -> None:
    """Each half of a strip that was split hard plays its own part at its own speed; no sound is left over."""
    need(HAS_SOUND, "sound")
    prepare("")
    scene = bpy.context.scene
    scene.sequence_editor_create()
    left = addon("scene.compat").strips(scene).new_sound("line", write_sound("short.wav"), 1, 1)
    right = left.split(frame=37, split_method="HARD")
    scene.vividtalk.source = "STRIP"
    for strip, start, duration in ((left, 0.0, 1.5), (right, 1.5, 2.5)):
        scene.sequence_editor.active_strip = strip
        bpy.ops.vividtalk.animate()
        params = _params()
        assert (params["start"], params["duration"], params["speed"]) == (start, duration, 1.0)
    assert [sound.name for sound in bpy.data.sounds] == ["short.wav"]


def wrong_strips() -> None:
    """No strip, a strip without its file, another frame rate: each one line that says what to do."""
    need(HAS_SOUND, "sound")
    prepare("")
    scene = bpy.context.scene
    scene.vividtalk.source = "STRIP"
    assert "Select a sound strip" in failure()
    scene.sequence_editor_create()
    sound = write_sound("gone.wav")
    strip = addon("scene.compat").strips(scene).new_sound("line", sound, 1, 1)
    scene.sequence_editor.active_strip = strip
    Path(sound).unlink()
    assert "does not exist" in failure()


def sequencers_own_scene() -> None:
    """5.0: strips go to the sequencer's scene and keys' range to the head's; their frame rates must agree."""
    need(hasattr(bpy.context.workspace, "sequencer_scene"), "scene for the sequencer")
    head = prepare(write_sound("short.wav"))
    scene, cut = bpy.context.scene, bpy.data.scenes.new("Cut")
    bpy.context.workspace.sequencer_scene = cut
    bpy.ops.vividtalk.animate()
    assert len(addon("scene.compat").strips(scene)) == 0
    assert len(cut.sequence_editor.strips) == 1
    assert scene.frame_end == 250
    cut.render.fps = 30
    assert "another frame rate" in failure()
    assert len(head.vividtalk.takes) == 1
