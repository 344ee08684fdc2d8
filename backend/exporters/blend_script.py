"""Builds a .blend in a process of its own: `python -m backend.exporters.blend_script ORDER.json`.

It needs the `bpy` module, and uses the add-on's own functions, so that the file is what the add-on makes.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from blender_addon import properties
from blender_addon.controls import write_controls, write_strengths
from blender_addon.protocol.clip import MotionClip, read_clip, spoken_weights
from blender_addon.protocol.controls import controls_from_json
from blender_addon.protocol.errors import OutputError, VividTalkError
from blender_addon.protocol.face import read_face
from blender_addon.received import ReceivedMotion
from blender_addon.scene import (
    curves,
    demo,
    emotion_keys,
    files,
    head_keys,
    head_pose,
    heads,
    lip_keys,
    sequencer,
    takes,
)

_FIRST_FRAME = 1


@dataclass(frozen=True)
class BlendOrder:
    """What to build: the clip and face files, the sound or "", where to save, and what to call that.

    `face_path` is where the head finds its face file later, "" for the built-in head.
    """

    clip: str
    face: str
    face_path: str
    audio: str
    out: str
    name: str


def build(order: BlendOrder) -> None:
    """Build the demo scene of `order` in the factory startup file and save it."""
    bpy.ops.wm.read_factory_settings(use_empty=False)
    bpy.context.preferences.filepaths.save_version = 0
    scene = bpy.context.scene
    for content in (bpy.data.objects, bpy.data.collections):
        for item in list(content):
            content.remove(item)
    clip = read_clip(Path(order.clip))
    demo.set_frame_rate(scene, clip.info.fps)
    head = heads.create_head(bpy.context, read_face(Path(order.face)))
    head.vividtalk.face_path = order.face_path
    demo.light_and_frame(scene, head)
    take = _add_take(head, clip)
    files.embed_clip(take, Path(order.clip))
    if order.audio:
        _add_packed_sound(order.audio, clip)
    scene.sync_mode = "AUDIO_SYNC"
    scene.frame_start, scene.frame_end = _FIRST_FRAME, _FIRST_FRAME + clip.frames - 1
    scene.frame_set(_FIRST_FRAME)
    demo.look_through_camera(bpy.data.screens)
    _save(order)


def _add_take(head: Any, clip: MotionClip) -> Any:
    take = takes.new_take(head, "Take", clip.info.seed)
    take.start_frame, take.frames = _FIRST_FRAME, clip.frames
    take.sound_path = Path(clip.info.audio_path).name
    keying = curves.default_keying(clip.duration)
    lips = lip_keys.lip_count(head)
    received = ReceivedMotion()
    received.append(0, {"weights": spoken_weights(clip), "lip": clip.lip, "contact": clip.contact})
    motion = curves.Motion(received.values(lips), _FIRST_FRAME)
    found = curves.find_curves(take.action, lips)[: motion.values.shape[1]]
    curves.write_due(found, motion, keying, math.inf)
    _add_pose(head, take, clip, keying)
    asked = controls_from_json(clip.info.controls)
    write_controls(take.controls, asked)
    write_strengths(take, asked.head)
    emotion_keys.key_emotions(take.action, asked.emotions, _FIRST_FRAME, clip.info.fps)
    return take


def _add_pose(head: Any, take: Any, clip: MotionClip, keying: curves.Keying) -> None:
    """The clip's head pose, if it has one, on the head's own bones."""
    target = head_pose.pose_target(head)
    if target is not None and len(clip.pose):
        track = head_keys.HeadTrack()
        track.extend(target, clip.pose)
        track.write(take, target, track.motion(target, _FIRST_FRAME), keying, math.inf)


def _add_packed_sound(audio: str, clip: MotionClip) -> None:
    """The sound inside the .blend, so that the file can be moved alone."""
    info = clip.info
    line = sequencer.VoiceLine(audio, _FIRST_FRAME, info.audio_offset, info.audio_duration or None)
    strip = sequencer.add_sound(bpy.context, line)
    strip.sound.pack()
    strip.sound.filepath = f"//{Path(audio).name}"


def _save(order: BlendOrder) -> None:
    try:
        bpy.ops.wm.save_as_mainfile(filepath=order.out, compress=True, check_existing=False)
    except RuntimeError as error:
        said = str(error).strip().removeprefix("Error: ")
        raise OutputError(f"Blender cannot write {order.name}: {said}", "Check the free space") from error


def main() -> int:
    """Run the order named on the command line; an expected failure is one JSON line on stdout."""
    logging.basicConfig(level=logging.WARNING)
    order = BlendOrder(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    properties.register()
    try:
        build(order)
    except VividTalkError as error:
        sys.stdout.write(json.dumps({"code": error.code, "what": error.what, "hint": error.hint}) + "\n")
        return 1
    finally:
        properties.unregister()
    return 0


if __name__ == "__main__":
    sys.exit(main())
