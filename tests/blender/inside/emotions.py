"""Emotions: how they move the head, and how an artist's keys for them go with takes and to others."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from common import addon, keys, prepare, write_sound

EMOTIONS = ("happy", "sad", "angry", "surprised")


def _table() -> dict[str, dict[str, float]]:
    """The emotions' poses with both sides spelled out."""
    names = addon("protocol.arkit").ARKIT_NAMES
    return {
        emotion: {name: w for s, w in pose.items() for name in names if name in (s, f"{s}Left", f"{s}Right")}
        for emotion, pose in addon("protocol.emotions").EMOTION_POSES.items()
    }


def _coordinates(head: object) -> np.ndarray:
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    mesh = head.evaluated_get(graph).to_mesh()
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def _set(head: object, **values: float) -> None:
    key = head.data.shape_keys
    for name, value in values.items():
        key[name.replace("_", ".")] = value
    key.update_tag()


def _mixed(face: object, emotion: str) -> np.ndarray:
    """[V, 3] the emotion's offsets from the face file, by the table alone."""
    names = list(addon("protocol.arkit").ARKIT_NAMES)
    return sum(weight * face.shapes[names.index(name)] for name, weight in _table()[emotion].items())


def move_the_head() -> None:
    """Each adds its mix of the ARKit shapes, two add up, and all make way for speech."""
    bpy.ops.vividtalk.create_head()
    head = bpy.context.scene.vividtalk.head
    face = addon("protocol.face").read_face(addon("operators")._ASSETS / "head.safetensors")
    blocks = head.data.shape_keys.key_blocks
    assert {f"emotion.{name}" for name in EMOTIONS} <= set(blocks.keys())
    assert not any(block.value for block in blocks[1:])
    for name in EMOTIONS:
        _set(head, **{f"emotion_{name}": 0.6})
        assert np.abs(_coordinates(head) - face.vertices - 0.6 * _mixed(face, name)).max() < 1e-5
        _set(head, **{f"emotion_{name}": 0.0})
    _set(head, emotion_happy=0.5, emotion_surprised=1.0)
    blocks["eyeBlinkLeft"].value = 0.3
    spoken = 0.3 * face.shapes[list(addon("protocol.arkit").ARKIT_NAMES).index("eyeBlinkLeft")]
    wanted = face.vertices + 0.5 * _mixed(face, "happy") + _mixed(face, "surprised") + spoken
    assert np.abs(_coordinates(head) - wanted).max() < 1e-5
    blocks["eyeBlinkLeft"].value = 0.0
    _make_way(head, face)


def _make_way(head: object, face: object) -> None:
    """At random speech, contacts and emotions the mesh is what the evaluated weights say."""
    scene = bpy.context.scene
    rng, lips, count = np.random.default_rng(5), addon("scene.lip_keys").lip_count(head), 6
    take = addon("scene.takes").new_take(head, "Drawn", 0)
    values = np.zeros((count, 52 + lips + 2), np.float32)
    mouth = [i for i, n in enumerate(addon("protocol.arkit").ARKIT_NAMES) if n.startswith(("mouth", "jaw"))]
    values[:, mouth] = 0.4 * rng.random((count, len(mouth)))
    values[:, -2:] = np.maximum(0, rng.uniform(-0.5, 1.0, (count, 2)))
    found = addon("scene.curves").find_curves(take.action, lips)
    motion = addon("scene.curves").Motion(values, 1)
    addon("scene.curves").write_due(found, motion, addon("scene.curves").EVERY_FRAME, math.inf)
    for name in EMOTIONS:
        _key_emotion(head, name, *((frame, rng.uniform(0, 0.5)) for frame in range(1, count + 1)))
    weights = addon("scene.evaluated").evaluated_motion(head, take).values[:, :52]
    assert weights.max() < 1.0
    for frame in range(count):
        scene.frame_set(frame + 1)
        wanted = face.vertices + np.tensordot(weights[frame], face.shapes, 1)
        assert np.abs(_coordinates(head) - wanted).max() < 2e-5


def _key_emotion(head: object, name: str, *points: tuple[float, float]) -> None:
    """As the panel's slider does it."""
    key = head.data.shape_keys
    for frame, value in points:
        key[f"emotion.{name}"] = value
        key.keyframe_insert(f'["emotion.{name}"]', frame=frame)


def are_keyed_over_time() -> None:
    """Keys go into the take, beside the speech keys, which stay; what reads the motion sees the sum."""
    head = prepare(write_sound("lips.wav"))
    bpy.ops.vividtalk.animate()
    take, scene = head.vividtalk.takes[0], bpy.context.scene
    before = keys(take)
    _key_emotion(head, "happy", (1, 0.0), (21, 1.0))
    curves = addon("scene.emotion_keys").emotion_curves(take.action)
    assert list(curves) == ["emotion.happy"]
    assert curves["emotion.happy"].group.name == "Emotion"
    assert np.array_equal(keys(take), before)
    spoken = addon("scene.evaluated").spoken_motion(head, take).values
    motion = addon("scene.evaluated").evaluated_motion(head, take).values
    assert np.allclose(spoken[:, :52], before, atol=1e-6)
    names = list(addon("protocol.arkit").ARKIT_NAMES)
    for frame in (6, 11, 30):
        scene.frame_set(frame)
        happy = head.data.shape_keys["emotion.happy"]
        assert frame != 11 or 0.3 < happy < 0.7
        assert frame != 30 or happy == 1.0
        added = motion[frame - 1, :52] - before[frame - 1]
        for i, name in enumerate(names):
            most = happy * _table()["happy"].get(name, 0.0)
            least = most if not name.startswith("mouth") else 0.0
            assert motion[frame - 1, i] == 1.0 or least - 1e-5 <= added[i] <= most + 1e-5, (frame, name)
    assert motion[:, :52].max() <= 1.0
    retargeted = addon("scene.retarget").take_motion(head).values
    assert np.array_equal(retargeted, motion[:, :52])


def lips_are_solved_with_them() -> None:
    """Refresh Lips leaves frames without the emotion alone and solves others for the sum."""
    head = prepare(write_sound("lips.wav"))
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    fps = addon("scene.sequencer").scene_fps(bpy.context.scene)
    refresh = addon("scene.lips").refresh_lips
    _key_emotion(head, "happy", (40, 0.0), (50, 1.0), (60, 1.0), (70, 0.0))
    before = addon("scene.evaluated").spoken_motion(head, take).values
    assert 0 < refresh(head, take, fps) <= 31
    after = addon("scene.evaluated").spoken_motion(head, take).values
    changed = np.flatnonzero(np.abs(after - before).max(axis=1))
    assert changed.min() >= 40
    assert changed.max() < 70
    assert np.array_equal(after[:, :52], before[:, :52])
    assert refresh(head, take, fps) == 0


def go_with_takes() -> None:
    """Another take of the voice keeps the keys; a take of another voice, and no take, have none."""
    head = prepare(write_sound("short.wav"))
    scene, key = bpy.context.scene, head.data.shape_keys
    _key_emotion(head, "sad", (1, 0.2), (30, 0.8))
    key["emotion.angry"] = 0.35
    bpy.ops.vividtalk.animate()
    takes = head.vividtalk.takes
    assert [take.name for take in takes][1:] == ["short"]
    first = [(tuple(p.co), p.interpolation) for p in _sad(takes[1]).keyframe_points]
    assert [co[0] for co, _ in first] == [1.0, 30.0]
    bpy.ops.vividtalk.animate()
    again = _sad(takes[2])
    assert [(tuple(p.co), p.interpolation) for p in again.keyframe_points] == first
    again.keyframe_points[1].co[1] = 0.5
    assert math.isclose(_sad(takes[1]).keyframe_points[1].co[1], 0.8, abs_tol=1e-6)
    scene.frame_set(30)
    scene.vividtalk.sound_path = write_sound("steady.wav")
    bpy.ops.vividtalk.animate()
    assert _sad(takes[3]) is None
    scene.frame_set(31)
    assert key["emotion.sad"] == key.key_blocks["emotion.sad"].value == 0.0
    assert math.isclose(key["emotion.angry"], 0.35, abs_tol=1e-6), "a slider that has no keys stays"
    head.vividtalk.active_take = 1
    scene.frame_set(30)
    assert math.isclose(key.key_blocks["emotion.sad"].value, 0.8, abs_tol=1e-5)


def _sad(take: object) -> object:
    return addon("scene.emotion_keys").emotion_curves(take.action).get("emotion.sad")


def are_added_to_older_heads() -> None:
    """A head without emotions animates, and gets them by a button."""
    head = prepare(write_sound("short.wav"))
    key = head.data.shape_keys
    assert not bpy.ops.vividtalk.add_emotions.poll()
    for block in [block for block in key.key_blocks if block.name.startswith("emotion.")]:
        key.driver_remove(f'key_blocks["{block.name}"].value')
        head.shape_key_remove(block)
    for name in EMOTIONS:
        del key[f"emotion.{name}"]
    bpy.ops.vividtalk.animate()
    take = head.vividtalk.takes[0]
    assert np.allclose(
        addon("scene.evaluated").evaluated_motion(head, take).values[:, :52], keys(take), atol=1e-6
    )
    assert bpy.ops.vividtalk.add_emotions() == {"FINISHED"}
    _key_emotion(head, "angry", (3, 0.5))
    assert list(addon("scene.emotion_keys").emotion_curves(take.action)) == ["emotion.angry"]
    bpy.ops.wm.save_as_mainfile(filepath=str(Path("old.blend").resolve()))
    bpy.ops.wm.open_mainfile(filepath=str(Path("old.blend").resolve()))
    head = bpy.context.scene.vividtalk.head
    bpy.context.scene.frame_set(5)
    assert math.isclose(head.data.shape_keys.key_blocks["emotion.angry"].value, 0.5, abs_tol=1e-6)
