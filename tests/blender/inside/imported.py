"""A face file that was imported, talking: its head's vertices on every frame of a clip."""

from __future__ import annotations

import math
import os
from pathlib import Path

import bpy
import numpy as np
from common import addon


def talks() -> None:
    """The head of FACE with the keys of CLIP: evaluated vertices [F, V, 3] in vertices.npy."""
    face = addon("protocol.face").read_face(Path(os.environ["FACE"]))
    clip = addon("protocol.clip").read_clip(Path(os.environ["CLIP"]))
    head = addon("scene.heads").create_head(bpy.context, face)
    curves, lips = addon("scene.curves"), addon("scene.lip_keys").lip_count(head)
    assert lips == len(face.lip_basis) > 0
    bones = [bone.name for bone in head.find_armature().data.bones]
    assert bones == ["collar", *(bone.name for bone in face.bones)]
    take = addon("scene.takes").new_take(head, "Take", 0)
    values = np.concatenate([clip.weights, clip.lip, clip.contact], 1)
    found = curves.find_curves(take.action, lips)
    curves.write_due(found, curves.Motion(values, 1), curves.EVERY_FRAME, math.inf)
    target = addon("scene.head_pose").pose_target(head)
    track = addon("scene.head_keys").HeadTrack()
    track.extend(target, clip.pose)
    track.write(take, target, track.motion(target, 1), curves.EVERY_FRAME, math.inf)
    frames = []
    for frame in range(clip.frames):
        bpy.context.scene.frame_set(1 + frame)
        graph = bpy.context.evaluated_depsgraph_get()
        mesh = head.evaluated_get(graph).to_mesh()
        flat = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", flat)
        frames.append(flat.reshape(-1, 3))
    np.save("vertices.npy", np.stack(frames))
