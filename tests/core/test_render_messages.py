"""What the jobs `render` and `still` send: it comes back, and damage is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.protocol.errors import ProtocolError
from blender_addon.protocol.render import (
    FrameNotice,
    RenderParams,
    RenderResult,
    file_part,
    frame_file,
    notice_arrays,
    params_json,
    read_notices,
    read_params,
    read_result,
    result_json,
)

KEYS = st.binary(min_size=16, max_size=16).map(bytes.hex)
NOTICES = st.lists(st.builds(FrameNotice, st.integers(0, 2**31 - 1), KEYS, st.booleans()), min_size=1)


@given(NOTICES)
def test_notices_come_back(notices: list[FrameNotice]) -> None:
    assert read_notices(notice_arrays(notices)) == notices


def test_params_and_result_come_back_from_json() -> None:
    params = RenderParams(23.976, "/a/b.png", relative=False, size=256, output_path="/x.mp4", start=1.5)
    assert read_params(json.loads(json.dumps(params_json(params)))) == params
    result = RenderResult(3, 1, 640, 480, [1, 2, 30, 40], notes=["a small face"], seconds=0.25)
    assert read_result(json.loads(json.dumps(result_json(result)))) == result
    assert read_params({"fps": 25, "what a later version says": 1}) == RenderParams(25.0)


@pytest.mark.parametrize("wrong", [{}, {"fps": "25"}, {"fps": 25, "relative": 1}, {"fps": 25, "size": -1}])
def test_wrong_params_are_refused(wrong: dict) -> None:
    with pytest.raises(ProtocolError):
        read_params(wrong)


def test_damaged_chunks_are_refused() -> None:
    good = notice_arrays([FrameNotice(4, "ab" * 16, True), FrameNotice(5, "cd" * 16, False)])
    for name in good:
        with pytest.raises(ProtocolError, match=name):
            read_notices({other: array for other, array in good.items() if other != name})
        with pytest.raises(ProtocolError, match="lengths"):
            read_notices({**good, name: good[name][:1]})


def test_parts_of_a_file_are_no_notices() -> None:
    part = {"file": np.frombuffer(b"\0\xff", np.uint8)}
    assert (file_part(part), read_notices(part)) == (b"\0\xff", [])
    assert file_part(notice_arrays([FrameNotice(0, "00" * 16, True)])) == b""


def test_a_frame_has_one_place() -> None:
    notice = FrameNotice(0, "0f" * 16, True)
    assert frame_file(Path("c"), notice.key) == Path("c") / "0f" / ("0f" * 16 + ".png")
    assert frame_file(Path("c"), replace(notice, key="1f" * 16).key) != frame_file(Path("c"), notice.key)
