"""Takes: switch, rename, delete, save and reopen."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from common import HAS_SOUND, addon, expected, keys, need, prepare, write_sound


def switch_rename_delete() -> None:
    """Each job makes a take; choosing one plays its Action; deleting the last leaves a head at rest."""
    head = prepare(write_sound("short.wav"))
    bpy.ops.vividtalk.animate()
    bpy.context.scene.vividtalk.seed = 5
    bpy.ops.vividtalk.animate()
    takes = head.vividtalk.takes
    assert [take.seed for take in takes] == [0, 5]
    assert len({take.name for take in takes}) == 2
    assert head.data.shape_keys.animation_data.action == takes[1].action
    head.vividtalk.active_take = 0
    assert head.data.shape_keys.animation_data.action == takes[0].action
    bpy.context.scene.frame_set(9)
    assert np.isclose(head.data.shape_keys.key_blocks["jawOpen"].value, expected(9)[8, 17], atol=1e-6)
    takes[0].name = "Good one"
    assert takes[0].action.name == "Good one"
    kept = {takes[1].action.name, (takes[1].pose_action or takes[1].action).name}
    bpy.ops.vividtalk.delete_take()
    assert {action.name for action in bpy.data.actions} == kept
    bpy.ops.vividtalk.delete_take()
    assert len(takes) == 0
    assert not bpy.ops.vividtalk.delete_take.poll()
    assert head.data.shape_keys.animation_data.action is None
    assert {block.value for block in head.data.shape_keys.key_blocks[1:]} == {0.0}


def save_and_reopen() -> None:
    """Both takes, keys, names, shapes, clip and strip are there again; the clip moved beside the .blend."""
    head = prepare(write_sound("short.wav"))
    bpy.ops.vividtalk.animate()
    bpy.ops.vividtalk.animate()
    first = Path(head.vividtalk.takes[0].clip_path)
    assert first.is_file()
    shapes = list(head.data.shape_keys.key_blocks.keys())
    blend = Path("project/scene.blend").resolve()
    blend.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    assert not first.exists()
    bpy.ops.wm.read_homefile(app_template="")
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    head = bpy.context.scene.vividtalk.head
    assert list(head.data.shape_keys.key_blocks.keys()) == shapes
    assert head.vividtalk.armature is not None
    for take in head.vividtalk.takes:
        assert np.allclose(keys(take), expected(96), atol=1e-6)
        assert take.clip_path.startswith("//vividtalk/")
        assert take.sound_path == "//../short.wav"
        clip = addon("protocol.clip").read_clip(Path(bpy.path.abspath(take.clip_path)))
        assert np.allclose(clip.weights, expected(96))
    assert head.data.shape_keys.animation_data.action == head.vividtalk.takes[1].action
    if HAS_SOUND:
        strips = addon("scene.compat").strips(bpy.context.scene)
        assert [(strip.type, strip.sound.filepath) for strip in strips] == [("SOUND", "//../short.wav")]


def demo_scene() -> None:
    """Only this sets frame rate and range; then Animate works at once."""
    before = bpy.context.scene
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = before
    assert bpy.ops.vividtalk.create_demo_scene() == {"FINISHED"}
    scene = bpy.context.scene
    assert scene != before
    assert (before.render.fps, before.frame_end) == (24, 250)
    assert scene.render.fps == 25
    assert scene.camera is not None
    assert bpy.ops.vividtalk.animate() == {"FINISHED"}
    assert scene.frame_end == 100


def save_a_copy() -> None:
    """A copy, and a save that fails, have or need their own clips and leave the open file's takes alone."""
    head = prepare(write_sound("short.wav"))
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    unsaved = take.clip_path
    for folder in ("copy", "project/deep", "copy/again"):
        Path(folder).mkdir(parents=True)
    copy = str(Path("copy/scene.blend").resolve())
    bpy.ops.wm.save_as_mainfile(filepath=copy, copy=True)
    assert take.clip_path == unsaved
    assert Path(unsaved).is_file()
    assert len(list(Path("copy/vividtalk").iterdir())) == 1
    bpy.ops.wm.save_as_mainfile(filepath=str(Path("project/deep/scene.blend").resolve()))
    assert not Path(unsaved).exists()
    saved = (take.clip_path, take.sound_path)
    assert saved[1] == "//../../short.wav"
    bpy.ops.wm.save_as_mainfile(filepath=str(Path("copy/again/scene.blend").resolve()), copy=True)
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(Path("missing/scene.blend").resolve()))
        raise AssertionError("a folder that is not there was written to")
    except RuntimeError:
        pass
    assert (take.clip_path, take.sound_path) == saved
    assert Path(bpy.path.abspath(take.clip_path)).is_file()
    bpy.ops.wm.open_mainfile(filepath=copy)
    take = bpy.context.scene.vividtalk.head.vividtalk.takes[0]
    assert take.sound_path == "//../short.wav"
    assert Path(bpy.path.abspath(take.clip_path)).is_file()


def deletes_only_its_own() -> None:
    """Deleting a take that does not play changes nothing that is seen; an artist's shape keys stay."""
    head = prepare("")
    module, key = addon("scene.takes"), head.data.shape_keys
    head.shape_key_add(name="Age", from_mix=False).value = 0.7
    for seed in range(4):
        module.new_take(head, f"Take {seed}", seed)
    head.vividtalk.active_take = 1
    shown = key.animation_data.action
    module.delete_take(head, 3)
    assert (head.vividtalk.active_take, key.animation_data.action) == (1, shown)
    module.delete_take(head, 0)
    assert (head.vividtalk.active_take, key.animation_data.action) == (0, shown)
    key.key_blocks["jawOpen"].value = 0.4
    module.delete_take(head, 1)
    module.delete_take(head, 0)
    assert key.animation_data.action is None
    assert key.key_blocks["jawOpen"].value == 0.0
    assert np.isclose(key.key_blocks["Age"].value, 0.7)


def keeps_the_slot() -> None:
    """An artist's Action that several heads share comes back with the slot that this head had."""
    need(addon("scene.compat").HAS_SLOTS, "slots")
    head = prepare("")
    key = head.data.shape_keys
    action = bpy.data.actions.new("Shared")
    slots = [action.slots.new(id_type="KEY", name=name) for name in ("other", "mine")]
    animation = key.animation_data_create()
    animation.action, animation.action_slot = action, slots[1]
    addon("scene.takes").new_take(head, "Take", 0)
    head.vividtalk.active_take = 0
    assert animation.action == action
    assert animation.action_slot.identifier == "KEmine"
