"""Chunks as they come, against plain concatenation; chunks that make no sense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.protocol.clip import ClipInfo
from blender_addon.protocol.errors import ProtocolError
from blender_addon.protocol.tensorfile import Array
from blender_addon.received import ReceivedMotion


def _chunk(frames: int, value: float = 0.5, lips: int | None = None) -> dict[str, Array]:
    chunk = {
        "weights": np.full((frames, 52), value, np.float32),
        "contact": np.full((frames, 2), value + 1, np.float32),
    }
    if lips is not None:
        chunk["lip"] = np.full((frames, lips), value + 2, np.float32)
    return chunk


@given(st.lists(st.integers(0, 700), min_size=1, max_size=8), st.sampled_from([None, 0, 1, 16]))
def test_any_split_gives_the_whole(sizes: list[int], lips: int | None) -> None:
    motion = ReceivedMotion()
    parts = [_chunk(size, float(i), lips) for i, size in enumerate([*sizes, 1])]
    for part in parts:
        motion.append(motion.frames, part)
    clip = motion.clip(ClipInfo(fps=25.0))
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    assert np.array_equal(clip.weights, whole["weights"])
    assert np.array_equal(clip.contact, whole["contact"])
    assert np.array_equal(clip.lip, whole.get("lip", np.zeros((clip.frames, 0))))
    if lips:
        columns = (whole["weights"], whole["lip"], whole["contact"])
        assert np.array_equal(motion.values(lips), np.concatenate(columns, axis=1))
    assert np.array_equal(motion.values(7), whole["weights"])


def test_another_number_of_lip_coefficients_is_refused() -> None:
    motion = ReceivedMotion()
    motion.append(0, _chunk(5, lips=8))
    for lips in (None, 7, 17):
        with pytest.raises(ProtocolError, match="no usable lip"):
            motion.append(5, _chunk(5, lips=lips))
    assert motion.frames == 5


def _layered(frames: int, value: float, *names: str) -> dict[str, Array]:
    layers = {
        f"layer.{name}.weights": np.full((frames, 52), value + i, np.float32) for i, name in enumerate(names)
    }
    return _chunk(frames, value, lips=3) | layers


@given(st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_layers_are_kept_whatever_the_split(sizes: list[int]) -> None:
    motion = ReceivedMotion()
    parts = [_layered(size, float(i), "speech", "emotion") for i, size in enumerate(sizes)]
    for part in parts:
        motion.append(motion.frames, part)
    clip = motion.clip(ClipInfo(fps=25.0))
    assert set(clip.layers) == {"speech", "emotion"}
    for name in ("speech", "emotion"):
        whole = np.concatenate([part[f"layer.{name}.weights"] for part in parts])
        assert np.array_equal(clip.layers[name]["weights"], whole)
    assert motion.values(3).shape == (clip.frames, 52 + 3 + 2)


def test_a_layer_that_fails_to_come_is_refused() -> None:
    motion = ReceivedMotion()
    motion.append(0, _layered(5, 0.0, "speech", "brows"))
    with pytest.raises(ProtocolError, match=r"from frame 5 has no usable layer\.brows\.weights"):
        motion.append(5, _layered(5, 0.0, "speech"))
    with pytest.raises(ProtocolError, match=r"no usable layer\.brows"):
        motion.append(5, _layered(5, float("nan"), "brows") | _layered(5, 0.0, "speech"))
    assert motion.frames == 5


@pytest.mark.parametrize("start", [0, 9, 11])
def test_a_gap_or_a_repetition_is_refused(start: int) -> None:
    motion = ReceivedMotion()
    motion.append(0, _chunk(10))
    with pytest.raises(ProtocolError, match="out of order"):
        motion.append(start, _chunk(5))
    assert motion.frames == 10


@pytest.mark.parametrize(
    "arrays",
    [
        {"weights": np.zeros((5, 52), np.float32)},
        {"weights": np.zeros((5, 51), np.float32), "contact": np.zeros((5, 2), np.float32)},
        {"weights": np.zeros((5, 52), np.float32), "contact": np.zeros((4, 2), np.float32)},
        _chunk(5, float("nan")),
    ],
)
def test_unusable_arrays_are_refused(arrays: dict[str, Array]) -> None:
    motion = ReceivedMotion()
    with pytest.raises(ProtocolError, match="no usable"):
        motion.append(0, arrays)
    assert motion.frames == 0
