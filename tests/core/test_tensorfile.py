"""The NumPy reader and writer against the `safetensors` library, and against damage."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blender_addon.protocol.errors import FileFormatError, InputError, OutputError, VividTalkError
from blender_addon.protocol.tensorfile import atomic_path, check_writable, read_tensors, write_tensors

arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float16, np.int32, np.uint8, np.int64, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)
names = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(tensors=st.dictionaries(names, arrays, max_size=5))
def test_the_library_reads_what_we_write(tmp_path_factory: pytest.TempPathFactory, tensors) -> None:
    path = tmp_path_factory.mktemp("t") / "x.safetensors"
    write_tensors(path, tensors, {"note": "é"})
    for ours in (safetensors.numpy.load_file(path), read_tensors(path).tensors):
        assert set(ours) == set(tensors)
        for name, array in tensors.items():
            assert ours[name].dtype == array.dtype
            np.testing.assert_array_equal(ours[name], array)
    assert read_tensors(path).metadata == {"note": "é"}


@settings(max_examples=30, deadline=None)
@given(tensors=st.dictionaries(names, arrays, max_size=4))
def test_we_read_what_the_library_writes(tmp_path_factory: pytest.TempPathFactory, tensors) -> None:
    path = tmp_path_factory.mktemp("t") / "x.safetensors"
    safetensors.numpy.save_file(tensors, path, {"a": "b"})
    content = read_tensors(path)
    for name, array in tensors.items():
        np.testing.assert_array_equal(content.tensors[name], array)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_of_ours_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("t") / "x.safetensors"
    write_tensors(path, {"a": np.arange(12, dtype=np.float32).reshape(3, 4)}, {"k": "v"})
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    message = ""
    try:
        read_tensors(path)
    except VividTalkError as error:
        message = str(error)
    assert not message or (str(path) in message and "\n" not in message)


def test_sizes_are_checked_before_anything_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    entry = {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 1 << 62]}
    header = json.dumps({"a": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(FileFormatError, match="does not fit"):
        read_tensors(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing"):
        read_tensors(tmp_path / "nothing.safetensors")
    with pytest.raises(OutputError, match="cannot write"):
        write_tensors(tmp_path / "no" / "x.safetensors", {}, {})
    with pytest.raises(OutputError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(OutputError):
        check_writable(tmp_path / "no" / "x")


@pytest.mark.skipif(os.name == "nt", reason="POSIX links and pipes")
def test_links_are_followed_and_pipes_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link, target = tmp_path / "link.safetensors", tmp_path / "real" / "x.safetensors"
    link.symlink_to(target)
    write_tensors(link, {"a": np.zeros(2, np.float32)}, {})
    assert link.is_symlink()
    assert read_tensors(target).tensors["a"].shape == (2,)
    os.mkfifo(tmp_path / "pipe")
    for check in (check_writable, lambda path: write_tensors(path, {}, {})):
        with pytest.raises(OutputError, match="device or pipe"):
            check(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()


def test_files_get_the_permissions_of_the_users_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "umask", None)  # to ask for it is to change it, in all threads
    write_tensors(tmp_path / "ours", {}, {})
    (tmp_path / "theirs").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_text("old")

    def fail_halfway() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert [p.name for p in tmp_path.iterdir()] == ["x.bin"]
    assert path.read_text() == "old"
