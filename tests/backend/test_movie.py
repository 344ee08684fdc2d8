"""Frames are rendered once, kept exactly, and put together as the movie that rendering all of them gives."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("cv2")

from backend.movie.cache import FrameCache
from backend.movie.keys import frame_key, rounded, source_key
from backend.movie.movie import make_take, render_frames, render_movie, stream_movie
from blender_addon.protocol.errors import CancelledError, InputError, OutputError
from blender_addon.protocol.render import FrameNotice, frame_file
from models.video.motion import FrameMotion
from tests.backend.drawn_portrait import BOX, background, crop_of, drawn_scene, wandering

FPS = 25.0


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def movie_frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture
def cache(tmp_path: Path) -> FrameCache:
    return FrameCache(tmp_path / "frames")


def test_an_edit_renders_its_frames_only(tmp_path: Path, cache: FrameCache) -> None:
    """The 3 s in 60 s of the specification, in the small: 12 frames of 200."""
    scene, portrait = drawn_scene()
    motions = wandering(200)
    whole: list[FrameNotice] = []
    assert render_movie(make_take(scene, motions, FPS), cache, tmp_path / "1.mp4", None, whole.append) == 200
    assert [notice.frame for notice in whole] == list(range(200))
    before = contents(cache.folder)
    edited = [*motions[:90], *wandering(12, seed=1), *motions[102:]]
    told: list[FrameNotice] = []
    assert render_movie(make_take(scene, edited, FPS), cache, tmp_path / "2.mp4", None, told.append) == 12
    assert portrait.drawn == 212
    assert [notice.frame for notice in told if notice.rendered] == list(range(90, 102))
    assert {name: data for name, data in contents(cache.folder).items() if name in before} == before
    reference, took = movie_frames(tmp_path / "1.mp4"), movie_frames(tmp_path / "2.mp4")
    assert len(took) == 200
    for place in (*range(75), *range(125, 200)):  # pieces that were not touched
        np.testing.assert_array_equal(took[place], reference[place])
    left, top, width, height = BOX
    for place, motion in enumerate(edited):
        crop = took[place][top : top + height, left : left + width]
        assert np.abs(crop.astype(int) - crop_of(rounded(motion))).mean() < 8


def test_kept_frames_are_exact(cache: FrameCache) -> None:
    scene, _ = drawn_scene()
    take = make_take(scene, wandering(9), FPS)
    notices: list[FrameNotice] = []
    assert render_frames(take, cache, notices.append) == 9
    for notice, motion in zip(notices, take.motions, strict=True):
        assert frame_file(cache.folder, notice.key).is_file()
        np.testing.assert_array_equal(cache.read(notice.key), crop_of(motion))
    assert render_frames(take, cache, notices.append) == 0


def test_a_movie_shows_the_picture_round_the_face(tmp_path: Path, cache: FrameCache) -> None:
    scene, _ = drawn_scene()
    take = make_take(scene, wandering(3), 23.976)
    render_movie(take, cache, tmp_path / "kept.mp4", None, lambda _: None)
    stream_movie(take, tmp_path / "streamed.mp4", None, lambda _: None)
    for name in ("kept.mp4", "streamed.mp4"):
        (first, *_) = movie_frames(tmp_path / name)
        assert first.shape == (82, 100, 3)  # an odd side has grown
        around = np.abs(first[:81].astype(int) - background())
        assert around[:, : BOX[0] - 4].mean() < 4


@pytest.mark.parametrize("failure", [RuntimeError, CancelledError])
def test_what_was_rendered_stays(tmp_path: Path, cache: FrameCache, failure: type[Exception]) -> None:
    scene, portrait = drawn_scene()
    take = make_take(scene, wandering(120), FPS)

    def stop(notice: FrameNotice) -> None:
        if notice.frame == 60 and failure is CancelledError:
            raise CancelledError("cancelled")

    portrait.fail_after = 60 if failure is RuntimeError else None
    with pytest.raises(failure):
        render_movie(take, cache, tmp_path / "x.mp4", None, stop)
    assert not (tmp_path / "x.mp4").exists()
    assert not [path for path in cache.folder.rglob(".*") if path.is_file()]
    rendered, portrait.fail_after = portrait.drawn, None
    assert rendered >= 60
    again = render_movie(take, cache, tmp_path / "x.mp4", None, lambda _: None)
    assert again <= 120 - 60
    assert len(movie_frames(tmp_path / "x.mp4")) == 120


def test_a_full_disk_is_one_clear_line(
    tmp_path: Path, cache: FrameCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, _ = drawn_scene()
    take = make_take(scene, wandering(40), FPS)
    real, written = Path.write_bytes, []

    def write(self: Path, data: bytes) -> int:
        written.append(self)
        if len(written) > 10:
            raise OSError(28, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(OutputError, match="No space left"):
        render_movie(take, cache, tmp_path / "x.mp4", None, lambda _: None)
    monkeypatch.undo()
    assert len([name for name in contents(cache.folder) if name.endswith(".png")]) == 10


def test_a_damaged_frame_is_rendered_again(cache: FrameCache) -> None:
    scene, _ = drawn_scene()
    take = make_take(scene, wandering(4), FPS)
    render_frames(take, cache, lambda _: None)
    frame_file(cache.folder, take.keys[1]).write_bytes(b"")
    frame_file(cache.folder, take.keys[2]).write_bytes(b"not a picture")
    assert render_frames(take, cache, lambda _: None) == 2


def test_the_least_recently_used_goes(tmp_path: Path) -> None:
    scene, _ = drawn_scene()
    take = make_take(scene, wandering(20), FPS)
    cache = FrameCache(tmp_path / "c")
    render_movie(take, cache, tmp_path / "x.mp4", None, lambda _: None)
    files = [frame_file(cache.folder, key) for key in take.keys]
    for age, file in enumerate(files):
        os.utime(file, (1000 + age, 1000 + age))
    pieces = sum(path.stat().st_size for path in (cache.folder / "pieces").iterdir())
    kept = sum(file.stat().st_size for file in files[8:])
    (cache.folder / "mine.txt").write_text("not of the cache")
    FrameCache(cache.folder, kept + pieces).trim()
    assert [file.exists() for file in files] == [False] * 8 + [True] * 12
    assert (cache.folder / "mine.txt").exists()
    assert render_frames(take, cache, lambda _: None) == 8


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        FrameCache(tmp_path / "file" / "c")


@given(st.integers(0, 51), st.floats(-1, 1))
def test_noise_changes_no_key_and_motion_does(channel: int, sign: float) -> None:
    (motion,) = (rounded(each) for each in wandering(1, seed=channel))
    noisy = replace(motion, weights=motion.weights + np.float32(1e-5 * sign))
    assert frame_key("p", noisy) == frame_key("p", motion)
    np.testing.assert_array_equal(rounded(noisy).weights, motion.weights)
    moved = motion.weights.copy()
    moved[channel] += 0.002
    assert frame_key("p", replace(motion, weights=moved)) != frame_key("p", motion)
    assert frame_key("q", motion) != frame_key("p", motion)


def test_parts_of_a_motion_are_told_apart() -> None:
    empty, one = np.zeros(0, np.float32), np.ones(4, np.float32)
    weights, pose = np.zeros(52, np.float32), np.zeros(6, np.float32)
    keys = {
        frame_key("p", FrameMotion(weights, lip, pose, gaze))
        for lip, gaze in ((empty, one), (one, empty), (empty, empty), (one, one))
    }
    assert len(keys) == 4
    with pytest.raises(InputError, match="not numbers"):
        rounded(FrameMotion(weights, empty, pose * np.nan, empty))


def test_rounding_is_below_what_is_seen() -> None:
    for motion in wandering(50):
        near = rounded(motion)
        assert np.abs(near.weights - motion.weights).max() <= 2**-13
        assert np.abs(near.pose - motion.pose)[:3].max() <= 2**-15
        assert np.abs(near.pose - motion.pose)[3:].max() <= 2**-18


def test_all_that_frames_depend_on_is_in_the_key() -> None:
    from models.face import load_head
    from models.portrait.fit import PortraitFit
    from models.render.camera import Pinhole

    face = load_head()
    camera = Pinhole(np.eye(3), np.array([0, 0, 1.0]), 900.0, (50.0, 40.0))
    own = np.zeros(52, np.float32)
    fit = PortraitFit(
        face, np.zeros(3), own, np.zeros(4), camera, np.zeros((9, 3)), np.zeros((478, 3)), (100, 80), 0.0
    )
    keys = [
        source_key("sha", fit, "warp", 512),
        source_key("sha2", fit, "warp", 512),
        source_key("sha", fit, "warp", 256),
        source_key("sha", replace(fit, weights=own + 0.1), "warp", 512),
        source_key("sha", replace(fit, camera=replace(camera, focal=901.0)), "warp", 512),
        source_key("sha", replace(fit, face=replace(face, vertices=face.vertices * 1.01)), "warp", 512),
        source_key("sha", replace(fit, light=np.ones((9, 3))), "warp", 512),
    ]
    assert len(set(keys)) == len(keys)
    assert source_key("sha", fit, "warp", 512) == keys[0]


def test_a_removed_folder_is_no_disaster(tmp_path: Path) -> None:
    scene, _ = drawn_scene()
    take = make_take(scene, wandering(30), FPS)
    cache = FrameCache(tmp_path / "c")
    render_movie(take, cache, tmp_path / "x.mp4", None, lambda _: None)
    shutil.rmtree(cache.folder)
    assert render_movie(take, FrameCache(cache.folder), tmp_path / "x.mp4", None, lambda _: None) == 30
