"""Clips: round trip, header, and refusal of every wrong shape."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.clip import (
    ClipInfo,
    ModelRef,
    MotionClip,
    clip_from_tensors,
    clip_tensors,
    codes_of,
    expression_clip,
    frame_count,
    join_chunks,
    layer_key,
    read_clip,
    spoken_weights,
    write_clip,
)
from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.tensorfile import read_tensors, write_tensors


def full_clip(frames: int = 9) -> MotionClip:
    rng = np.random.default_rng(frames)

    def draw(*shape: int) -> np.ndarray:
        return rng.random(shape).astype(np.float32)

    return MotionClip(
        info=ClipInfo(
            fps=29.97,
            audio_path="a/b.wav",
            seed=3,
            models=(ModelRef("m", "CC0-1.0"),),
            controls={"energy": 1.5, "emotions": {"sad": [[0.0, 0.25]]}},
            edited={"jawOpen": [[0, 4]]},
            phonemes=((0.0, 0.1, "p"),),
        ),
        weights=draw(frames, 52),
        lip=draw(frames, 16),
        contact=draw(frames, 2),
        pose=draw(frames, 6),
        pose_codes=np.arange(-(-frames // 4), dtype=np.int32),
        gaze=draw(frames, 4),
        layers={
            "speech": {"weights": draw(frames, 52), "pose": draw(frames, 6)},
            "blink": {"weights": draw(frames, 52)},
            "gaze": {"weights": draw(frames, 52), "gaze": draw(frames, 4)},
            "breath": {"weights": draw(frames, 52), "pose": draw(frames, 6)},
            "emotion": {"weights": draw(frames, 52)},
        },
    )


def assert_same_layers(back: MotionClip, clip: MotionClip) -> None:
    assert set(back.layers) == set(clip.layers)
    for layer, tensors in clip.layers.items():
        assert set(back.layers[layer]) == set(tensors)
        for name, array in tensors.items():
            np.testing.assert_array_equal(back.layers[layer][name], array)


@pytest.mark.parametrize("frames", [1, 4, 9])
def test_round_trip(tmp_path: Path, frames: int) -> None:
    clip = full_clip(frames)
    write_clip(tmp_path / "c.safetensors", clip)
    back = read_clip(tmp_path / "c.safetensors")
    assert back.info == clip.info
    for name in ("weights", "lip", "contact", "pose", "pose_codes", "gaze"):
        np.testing.assert_array_equal(getattr(back, name), getattr(clip, name))
    assert_same_layers(back, clip)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_chunks_of_any_size_make_the_clip(sizes: list[int]) -> None:
    clip = full_clip(sum(sizes))
    whole, chunks, start = clip_tensors(clip), [], 0
    for size in sizes:
        codes = codes_of(start, size)
        chunk = {name: array[start : start + size] for name, array in whole.items()}
        chunks.append(chunk | {"pose_codes": clip.pose_codes[codes.start : codes.stop]})
        assert all(start <= 4 * t < start + size for t in codes)
        start += size
    back = clip_from_tensors(clip.info, join_chunks(chunks))
    np.testing.assert_array_equal(back.pose_codes, clip.pose_codes)
    np.testing.assert_array_equal(back.pose, clip.pose)
    assert_same_layers(back, clip)


def test_tensors_have_their_names_of_the_file(tmp_path: Path) -> None:
    clip = full_clip()
    write_clip(tmp_path / "c.safetensors", clip)
    assert set(clip_tensors(clip)) == set(read_tensors(tmp_path / "c.safetensors").tensors)
    assert layer_key("breath", "pose") in clip_tensors(clip)
    with pytest.raises(FileFormatError, match="lacks contact"):
        clip_from_tensors(clip.info, {k: v for k, v in clip_tensors(clip).items() if k != "contact"})


def test_spoken_weights_leave_emotions_out_and_life_in() -> None:
    layers = {name: np.full((3, 52), value) for name, value in (("speech", 0.1), ("emotion", 0.5))}
    layers["blink"] = np.full((3, 52), 0.2)
    info = ClipInfo(fps=25, controls={"emotions": {"sad": [[0.0, 1.0]]}, "head": {"blinks": 0.5}})
    clip = expression_clip(info, np.full((3, 52), 0.7), np.zeros((3, 2)), layers=layers)
    np.testing.assert_allclose(spoken_weights(clip), 0.2, atol=1e-6)
    np.testing.assert_array_equal(spoken_weights(replace(clip, info=ClipInfo(fps=25))), clip.weights)


def test_expression_clip_says_what_was_not_computed(tmp_path: Path) -> None:
    clip = expression_clip(ClipInfo(fps=25), np.zeros((5, 52)), np.zeros((5, 2)))
    assert clip.lip.shape == (5, 0)
    assert clip.pose.shape == (0, 6)
    assert clip.gaze.shape == (0, 4)
    assert clip.pose_codes.shape == (0,)
    write_clip(tmp_path / "c.safetensors", clip)
    assert read_clip(tmp_path / "c.safetensors").pose.shape == (0, 6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weights", np.zeros((9, 51), np.float32)),
        ("weights", np.zeros((0, 52), np.float32)),
        ("weights", np.zeros((9, 52), np.float64)),
        ("weights", np.full((9, 52), np.nan, np.float32)),
        ("lip", np.zeros((9, 17), np.float32)),
        ("lip", np.zeros((8, 2), np.float32)),
        ("contact", np.zeros((9, 3), np.float32)),
        ("pose", np.zeros((8, 6), np.float32)),
        ("pose_codes", np.zeros(9, np.int32)),
        ("gaze", np.zeros((9, 2), np.float32)),
        ("layers", {"x": {"weights": np.zeros((3, 52), np.float32)}}),
        ("layers", {"x": {"smell": np.zeros((9, 1), np.float32)}}),
        ("info", ClipInfo(fps=0.0)),
        ("info", ClipInfo(fps=float("nan"))),
    ],
)
def test_wrong_shapes_are_refused(field: str, value: object) -> None:
    with pytest.raises(FileFormatError, match="not a valid motion clip"):
        replace(full_clip(), **{field: value})


def test_headers_of_older_and_newer_clips_are_read(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    write_clip(path, full_clip())
    content = read_tensors(path)
    header = json.loads(content.metadata["vividtalk"])
    del header["controls"]
    header["of a later version"] = 3
    write_tensors(path, content.tensors, {"vividtalk": json.dumps(header)})
    assert read_clip(path).info == replace(full_clip().info, controls={})


@pytest.mark.parametrize(
    "header",
    [
        None,
        "[]",
        "{",
        '{"fps": 25, "format": 1, "controls": 7}',
        '{"fps": "x", "format": 1}',
        '{"fps": 25, "format": 99}',
        '{"format": 1}',
    ],
)
def test_wrong_headers_are_refused_and_name_the_file(tmp_path: Path, header: str | None) -> None:
    path = tmp_path / "c.safetensors"
    write_clip(path, full_clip())
    write_tensors(path, read_tensors(path).tensors, {} if header is None else {"vividtalk": header})
    with pytest.raises(FileFormatError, match=r"c\.safetensors"):
        read_clip(path)


def test_a_clip_without_an_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    write_clip(path, full_clip())
    content = read_tensors(path)
    tensors = {k: v for k, v in content.tensors.items() if k != "gaze"}
    write_tensors(path, tensors, content.metadata)
    with pytest.raises(FileFormatError, match="gaze"):
        read_clip(path)


def test_header_is_json_under_its_documented_key(tmp_path: Path) -> None:
    write_clip(tmp_path / "c.safetensors", full_clip())
    header = json.loads(read_tensors(tmp_path / "c.safetensors").metadata["vividtalk"])
    assert header["fps"] == 29.97
    assert header["models"] == [{"id": "m", "licence": "CC0-1.0"}]


@given(st.floats(0.001, 40_000), st.sampled_from([23.976, 24.0, 25.0, 29.97, 30.0, 60.0]))
def test_frames_cover_the_sound_and_no_more(duration: float, fps: float) -> None:
    frames = frame_count(duration, fps)
    assert frames / fps >= duration - 1e-6
    assert frames == 1 or (frames - 1) / fps < duration


def test_the_arkit_names_are_52() -> None:
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 52
