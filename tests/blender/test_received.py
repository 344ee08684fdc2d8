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


def _chunk(frames: int, value: float = 0.5) -> dict[str, Array]:
    return {
        "weights": np.full((frames, 52), value, np.float32),
        "contact": np.full((frames, 2), value, np.float32),
    }


@given(st.lists(st.integers(0, 700), min_size=1, max_size=8))
def test_any_split_gives_the_whole(sizes: list[int]) -> None:
    motion = ReceivedMotion()
    parts = [_chunk(size, float(i)) for i, size in enumerate([*sizes, 1])]
    for part in parts:
        motion.append(motion.frames, part)
    clip = motion.clip(ClipInfo(fps=25.0))
    assert np.array_equal(clip.weights, np.concatenate([part["weights"] for part in parts]))
    assert np.array_equal(clip.contact, np.concatenate([part["contact"] for part in parts]))


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
