"""Talking videos: what is asked for, strip, sound, cancel and resume, undo, stills, heads of portraits."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from common import HAS_SOUND, addon, failure, finish, need, prepare, session, tick_until, write_sound

FRAMES = 96  # 4 s at the startup file's 24 fps
JAW = 17
FACE_NOTE = "only 90 pixels wide"


def _portrait(name: str = "anna.png") -> str:
    path = Path(name).resolve()
    path.write_bytes(b"a picture for all that a scripted backend cares")
    return str(path)


def _own_user_folder() -> None:
    """A user folder of the scenario's own, since frames of an unsaved file outlive it."""
    session()._desk = replace(session()._desk, folder=Path("user").resolve())


def _animated(sound: str = "short.wav", portrait: str = "anna.png") -> tuple[Any, Any]:
    _own_user_folder()
    head = prepare(write_sound(sound))
    assert bpy.ops.vividtalk.animate() == {"FINISHED"}
    bpy.context.scene.vividtalk.video.portrait = _portrait(portrait)
    return head, head.vividtalk.takes[0]


def _asked(job: str = "render") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    folder = Path(os.environ["XDG_RUNTIME_DIR"])
    with np.load(folder / f"{job}.npz") as arrays:
        return json.loads((folder / f"{job}.json").read_text()), dict(arrays)


def _rendered() -> tuple[int, int]:
    """Frames that were rendered, and frames of the movie, as the notice says."""
    words = session().notice.text.split(": ")[1].split()
    return int(words[0]), int(words[2])


def _movies() -> list[Any]:
    return [s for s in addon("scene.compat").all_strips(bpy.context.scene) if s.type == "MOVIE"]


def _render(**arguments: Any) -> None:
    assert bpy.ops.vividtalk.render_video(**arguments) == {"FINISHED"}


def _start() -> None:
    """What pressing the button does."""
    assert bpy.ops.vividtalk.render_video.poll()
    addon("video_ops").start_video(bpy.context)
    addon("runtime").start_timer()


def _edit(take: Any, frames: range) -> None:
    curve = addon("scene.curves").find_curves(take.action)[JAW]
    for point in curve.keyframe_points:
        if int(point.co[0]) in frames:
            point.co[1] = 0.5 + 0.001 * point.co[0]
    curve.update()


def renders_what_is_seen() -> None:
    """The take goes to the backend at the scene's rate with its sound; the movie lies on the timeline."""
    head, take = _animated()
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 10, 40
    scene.frame_set(33)
    _render()
    assert scene.frame_current == 33
    assert _rendered() == (FRAMES, FRAMES)
    params, arrays = _asked()
    assert np.allclose(arrays["weights"], addon("scene.files").take_clip(take).weights, atol=1e-6)
    assert {name: len(array) for name, array in arrays.items()} == {
        "weights": FRAMES,
        "lip": FRAMES,
        "contact": FRAMES,
        "pose": FRAMES,
        "gaze": FRAMES,
    }
    assert params["fps"] == 24.0
    assert (params["size"], params["renderer"], params["relative"]) == (512, "warp", True)
    assert params["audio_path"] == scene.vividtalk.sound_path
    assert (params["start"], params["speed"]) == (0.0, 1.0)
    (strip,) = _movies()
    assert (strip.frame_final_start, strip.frame_final_duration) == (1, FRAMES)
    assert Path(strip.filepath).name == "short-anna.v001.mp4"
    assert (scene.frame_start, scene.frame_end) == (1, FRAMES)
    assert scene.vividtalk.video.result == strip.filepath
    assert head.data.shape_keys.animation_data.action == take.action


def renders_changes_only() -> None:
    """Edited frames are rendered, others come from the cache; the strip shows the next version, trimmed."""
    _, take = _animated()
    _render()
    (strip,) = _movies()
    strip.frame_offset_start, strip.frame_offset_end, strip.channel = 7, 9, 5
    strip.blend_alpha = 0.5
    _edit(take, range(20, 45))
    _render()
    assert _rendered() == (25, FRAMES)
    (strip,) = _movies()
    assert Path(strip.filepath).name == "short-anna.v002.mp4"
    assert (strip.frame_offset_start, strip.frame_offset_end, strip.channel) == (7, 9, 5)
    assert (strip.frame_final_start, strip.frame_final_duration) == (8, FRAMES - 16)
    assert math.isclose(strip.blend_alpha, 0.5)
    _render()
    assert _rendered() == (0, FRAMES)
    right = strip.split(frame=50, split_method="SOFT")
    _render()
    assert {Path(s.filepath).name for s in _movies()} == {"short-anna.v004.mp4"}
    assert (strip.frame_final_end, right.frame_final_start, len(_movies())) == (50, 50, 2)
    bpy.context.scene.vividtalk.video.portrait = _portrait("bertil.png")
    _render()
    assert sorted({Path(s.filepath).name for s in _movies()}) == [
        "short-anna.v004.mp4",
        "short-bertil.v001.mp4",
    ]


def follows_another_length() -> None:
    """Keys after the end and before the start: an untrimmed strip shows them too, in time with the rest."""
    head, take = _animated()
    _render()
    key = head.data.shape_keys
    for frame in (-5, 120):
        key.key_blocks["jawOpen"].value = 0.3
        key.key_blocks["jawOpen"].keyframe_insert("value", frame=frame)
    _render()
    (strip,) = _movies()
    assert (strip.frame_final_start, strip.frame_final_end) == (-5, 121)
    params, arrays = _asked()
    assert len(arrays["weights"]) == 126
    assert math.isclose(params["start"], -6 / 24, abs_tol=1e-6)
    strip.frame_offset_start = 10
    curve = addon("scene.curves").find_curves(take.action)[JAW]
    curve.keyframe_points.remove(curve.keyframe_points[0])
    _render()
    assert (strip.frame_start, strip.frame_final_start, strip.frame_final_end) == (1, 5, 121)


def sound_where_there_is_none() -> None:
    """A line with a strip keeps it, moved or muted; a line without gets one; the movie has what is heard."""
    need(HAS_SOUND, "sound")
    _animated()
    scene, strips = bpy.context.scene, addon("scene.compat").strips(bpy.context.scene)
    (sound,) = [s for s in strips if s.type == "SOUND"]
    sound.frame_start, sound.mute = 13, True
    _render()
    assert sum(s.type == "SOUND" for s in strips) == 1
    assert math.isclose(_asked()[0]["start"], -0.5)
    strips.remove(sound)
    _render()
    (sound,) = [s for s in strips if s.type == "SOUND"]
    assert (sound.frame_final_start, sound.frame_final_duration) == (1, FRAMES)
    assert _asked()[0]["start"] == 0.0
    Path(scene.vividtalk.sound_path).unlink()
    strips.remove(sound)
    _render()
    assert _asked()[0]["audio_path"] == ""
    assert not any(s.type == "SOUND" for s in strips)


def keeps_a_films_rate() -> None:
    """At 23.976 each frame of the movie is a frame of the scene, whose rate stays."""
    _own_user_folder()
    head = prepare(write_sound("short.wav"))
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.001
    bpy.ops.vividtalk.animate()
    scene.vividtalk.video.portrait = _portrait()
    _render()
    assert math.isclose(_asked()[0]["fps"], 24 / 1.001, rel_tol=1e-6)
    (strip,) = _movies()
    assert strip.frame_final_duration == head.vividtalk.takes[0].frames
    assert math.isclose(strip.fps, 24 / 1.001, rel_tol=1e-4)
    assert (scene.render.fps, round(scene.render.fps_base, 4)) == (24, 1.001)


def cancels_and_goes_on() -> None:
    """A cancel leaves no movie and keeps its frames, which the next job does not render again."""
    _animated(portrait="stall.png")
    _start()
    assert not bpy.ops.vividtalk.render_video.poll()
    assert not bpy.ops.vividtalk.animate.poll()
    tick_until(lambda: session().job.done >= 25)
    begin = time.monotonic()
    bpy.ops.vividtalk.cancel()
    notice = finish()
    assert time.monotonic() - begin < 1.0
    assert (notice.level, notice.text.split(": ")[1]) == ("INFO", "cancelled, 25 frames are kept")
    assert not _movies()
    assert not list(session().folder.glob("*.mp4"))
    bpy.context.scene.vividtalk.video.portrait = _portrait("anna.png")
    _render()
    assert _rendered() == (FRAMES - 25, FRAMES)


def survives_a_crash() -> None:
    """A backend that dies gives one message; what it had rendered is there for the next."""
    _animated(portrait="die.png")
    _start()
    notice = finish()
    assert notice.level == "ERROR"
    assert "25 frames are kept" in notice.text
    bpy.context.scene.vividtalk.video.portrait = _portrait("anna.png")
    _render()
    assert _rendered() == (FRAMES - 25, FRAMES)


def ends_when_undone() -> None:
    """Undo of the beginning ends the job with one message; undo of something else does not."""
    _animated(portrait="stall.png")
    bpy.ops.ed.undo_push(message="before")
    _start()
    bpy.ops.ed.undo_push(message="Render")
    bpy.data.objects.new("Other", None)
    bpy.ops.ed.undo_push(message="Other")
    tick_until(lambda: session().job.done >= 25)
    bpy.ops.ed.undo()
    for _ in range(5):
        session().tick()
    assert session().job is not None
    bpy.ops.ed.undo()
    notice = finish()
    assert notice.level == "WARNING"
    assert "was undone" in notice.text
    assert not _movies()


def says_why_not() -> None:
    """No take, no portrait, a missing one, one without a face, no keys, a note: one line each."""
    _own_user_folder()
    prepare(write_sound("short.wav"))
    ops, video = bpy.ops.vividtalk, bpy.context.scene.vividtalk.video
    assert not ops.render_video.poll()
    assert not ops.render_still.poll()
    ops.animate()
    assert not ops.render_video.poll()
    video.portrait = "/nowhere/gone.png"
    for name in ("render_video", "render_still", "head_from_portrait"):
        assert "the portrait '/nowhere/gone.png' does not exist. Choose a picture" in failure(name)
    assert session().job is None
    video.portrait = _portrait("faceless.png")
    assert "no face was found in faceless.png. Choose a picture of a face" in failure("render_video")
    video.portrait = _portrait("small.png")
    _render()
    assert session().notice.level == "WARNING"
    assert FACE_NOTE in session().notice.text
    assert FACE_NOTE in video.notes
    head = bpy.context.scene.vividtalk.head
    addon("scene.takes").new_take(head, "Empty", 0)
    assert "has no keys" in failure("render_video")
    assert len(bpy.data.scenes) == 1


def still_of_the_moment() -> None:
    """A still shows what is seen, without a key too, in one image that is loaded again."""
    head, _ = _animated()
    scene = bpy.context.scene
    for value, count in ((0.25, 1), (0.75, 1)):
        scene.frame_set(40)
        head.data.shape_keys.key_blocks["jawOpen"].value = value
        assert bpy.ops.vividtalk.render_still() == {"FINISHED"}
        images = [image for image in bpy.data.images if image.name.startswith("VividTalk Still")]
        assert len(images) == count
        assert abs(images[0].pixels[0] * 255 - (40 + 160 * value)) < 1.0
        assert len(_asked("still")[1]["weights"]) == 1
    assert scene.frame_current == 40


def moves_at_the_first_save() -> None:
    """The movie of an unsaved file goes with it, beside the .blend; later ones are made there."""
    _animated()
    _render()
    (strip,) = _movies()
    before = Path(strip.filepath)
    assert before.parent == session().folder
    strip.frame_offset_end = 4
    bpy.ops.wm.save_as_mainfile(filepath=str(Path("scene.blend").resolve()))
    assert Path("vividtalk/short-anna.v001.mp4").is_file()
    assert not before.exists()
    bpy.ops.wm.open_mainfile(filepath=str(Path("scene.blend").resolve()))
    (strip,) = _movies()
    assert strip.filepath == "//vividtalk/short-anna.v001.mp4"
    assert (strip.frame_final_duration, strip.frame_duration) == (FRAMES - 4, FRAMES)
    video = bpy.context.scene.vividtalk.video
    assert video.result == "//vividtalk/short-anna.v001.mp4"
    _render()
    assert _rendered() == (0, FRAMES)
    assert strip.filepath == "//vividtalk/short-anna.v002.mp4"
    assert Path(_asked()[0]["cache"]) == Path("vividtalk/frames").resolve()
    Path("copy").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(Path("copy/scene.blend").resolve()), copy=True)
    assert Path("copy/vividtalk/short-anna.v002.mp4").is_file()
    assert bpy.path.abspath(strip.filepath) == str(Path("vividtalk/short-anna.v002.mp4").resolve())
    shutil.rmtree("vividtalk")
    bpy.ops.wm.open_mainfile(filepath=str(Path("copy/scene.blend").resolve()))
    (strip,) = _movies()
    assert strip.filepath == "//vividtalk/short-anna.v002.mp4"


def head_of_a_portrait() -> None:
    """A head with the portrait's face file; its videos use that fit, those of another portrait do not."""
    _own_user_folder()
    scene = bpy.context.scene
    scene.vividtalk.video.portrait = _portrait("anna.png")
    assert bpy.ops.vividtalk.head_from_portrait() == {"FINISHED"}
    head = scene.vividtalk.head
    assert head.name == "anna"
    assert Path(head.vividtalk.face_path).is_file()
    scene.vividtalk.sound_path = write_sound("short.wav")
    bpy.ops.vividtalk.animate()
    _render()
    assert _asked()[0]["fit_path"] == head.vividtalk.face_path
    scene.vividtalk.video.portrait = _portrait("bertil.png")
    _render()
    assert _asked()[0]["fit_path"] == ""


def portrait_of_an_image_strip() -> None:
    """The active image strip's picture becomes the portrait."""
    image = bpy.data.images.new("face", 64, 64)
    image.filepath_raw, image.file_format = str(Path("face.png").resolve()), "PNG"
    image.save()
    scene = bpy.context.scene
    assert not bpy.ops.vividtalk.portrait_from_strip.poll()
    strip = addon("scene.compat").strips(scene).new_image("face", image.filepath_raw, 1, 1)
    scene.sequence_editor.active_strip = strip
    bpy.ops.vividtalk.portrait_from_strip()
    assert Path(scene.vividtalk.video.portrait) == Path("face.png").resolve()
