"""How a FaceVerse file is read: plain data comes out as Python's own pickle has it, nothing else does."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import pickletools
import struct
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from blender_addon.protocol.errors import FileFormatError, InputError
from models.face.faceverse.pickled import read_pickled

NUMBERS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
KINDS = st.sampled_from(["<f2", "<f4", ">f4", "<f8", "|u1", "<i4", ">i8", "|b1", "<U5"])
ARRAYS = KINDS.flatmap(
    lambda kind: arrays.arrays(np.dtype(kind), arrays.array_shapes(max_dims=3, max_side=4))
)
VALUES = st.recursive(
    NUMBERS | st.text() | ARRAYS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pickles")


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, np.ndarray):
        return (
            bool(np.array_equal(ours, theirs, equal_nan=theirs.dtype.kind == "f"))
            and ours.shape == theirs.shape
        )
    if isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(same(ours[name], theirs[name]) for name in theirs)
    if isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs) and isinstance(ours, type(theirs))


@settings(max_examples=30, deadline=None)
@given(content=st.dictionaries(st.text(), VALUES), protocol=st.sampled_from([3, 4, 5]), bare=st.booleans())
def test_plain_data_comes_out_as_it_went_in(
    folder: Path, content: dict[str, Any], protocol: int, bare: bool
) -> None:
    path = folder / "plain.npy"
    wrapped = content if bare else np.array(content, dtype=object)
    header = b"" if bare else _npy_header()
    path.write_bytes(header + pickle.dumps(wrapped, protocol))
    assert same(read_pickled(path), content)


def test_as_numpy_saves_it(folder: Path) -> None:
    path = folder / "saved.npy"
    content = {
        "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "scalar": np.float32(1.5),
        "names": np.array(["a", "b"], dtype=object),
        "empty": np.zeros((0, 3)),
        "inner": {"skin": np.ones(2, bool)},
    }
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    read = read_pickled(path)
    assert np.array_equal(read["fortran"], content["fortran"])
    assert read["scalar"] == 1.5
    assert read["names"] == ["a", "b"]
    assert read["empty"].shape == (0, 3)
    assert read["inner"]["skin"].all()
    with pytest.raises(ValueError, match="read-only"):
        read["fortran"][0, 0] = 1.0


def _npy_header() -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
    return stream.getvalue()


class Calls:
    """Unpickled by Python, it would call `function` with `arguments`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._how = (function, arguments)

    def __reduce__(self) -> Any:
        return self._how


def _state(shape: Any, kind: bytes, data: bytes) -> bytes:
    """A pickle of a dict with one array that claims `shape` and dtype code `kind`, with bytes `data`."""
    sound = pickle.dumps({"a": np.zeros(3, "<f4")}, 3)
    sound = sound.replace(pickle.dumps((3,), 3)[2:-1].replace(b"q\x00", b""), pickle.dumps(shape, 3)[2:-1])
    return sound.replace(b"f4", kind).replace(b"C\x0c" + bytes(12), b"C" + bytes([len(data)]) + data)


def hostile(folder: Path) -> dict[str, bytes]:
    """Name -> pickle."""
    touch = f"touch {folder / 'harmed'}"
    calls = {
        "os.system": Calls(os.system, touch),
        "eval": Calls(builtins.eval, f"open({str(folder / 'harmed')!r}, 'w')"),
        "exec": Calls(builtins.exec, "raise SystemExit"),
        "subprocess": Calls(subprocess.check_call, ["touch", str(folder / "harmed")]),
        "np.save": Calls(np.save, str(folder / "harmed"), 1),
        "np.fromfile": Calls(np.fromfile, "/dev/zero"),
        "np.ones": Calls(np.ones, (1 << 40,)),
        "getattr": Calls(builtins.getattr, "os", "system"),
        "ndarray itself": Calls(np.ndarray, (1 << 33,), "u1"),
        "np.memmap": Calls(np.memmap, str(folder / "harmed"), "u1", "w+", 0, (4,)),
        "path": Path("/etc/passwd"),
        "complex": 1j,
        "set": {1, 2},
        "datetime": np.array(["2026-01-01"], "M8[D]"),
    }
    found = {name: pickle.dumps({"meanshape": call}, 4) for name, call in calls.items()}
    found |= {
        f"{name} in an array": pickle.dumps({"a": np.array([call], object)}, 4)
        for name, call in calls.items()
    }
    found["record"] = pickle.dumps({"a": np.zeros(2, [("a", "f4")])}, 4)
    found["nested"] = pickle.dumps({"a": [{"b": (1, [calls["os.system"]])}]}, 2)
    found["protocol 0"] = pickle.dumps({"a": calls["os.system"]}, 0)
    found["inst"] = b"\x80\x02(S'" + touch.encode() + b"'\nios\nsystem\n."
    found["extension"] = b"\x80\x02\x82\x01."
    found["persistent"] = b"\x80\x02U\x01aQ."
    return found | _misshapen()


def _misshapen() -> dict[str, bytes]:
    whole = pickle.dumps({"a": np.arange(100.0)}, 4)
    deep: Any = []
    for _ in range(60):
        deep = [deep]
    wide: Any = [0] * 50
    for _ in range(6):
        wide = [wide] * 50
    loop: list[Any] = []
    loop.append(loop)
    return {
        "huge shape": _state((1 << 30, 1 << 30), b"f4", bytes(12)),
        "negative shape": _state((-3,), b"f4", bytes(12)),
        "many dimensions": _state((1,) * 40, b"f4", bytes(4)),
        "object data as bytes": _state((3,), b"O8", bytes(24)),
        "no size": _state((1 << 30,), b"U0", b""),
        "short data": _state((3,), b"f8", bytes(12)),
        "unknown type": _state((3,), b"c8", bytes(12)),
        "4 GB claimed": b"\x80\x04}\x8c\x01a\x8e" + struct.pack("<Q", 1 << 32) + b"abc",
        "4 GB text": b"\x80\x04}X" + struct.pack("<I", (1 << 32) - 1) + b"abc",
        "frame beyond the end": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"}.",
        "memo beyond all": b"\x80\x02}r\xff\xff\xff\xff0.",
        "memo that is not there": b"\x80\x02h\x07.",
        "no dict": pickle.dumps([1, 2, 3], 4),
        "number": pickle.dumps(7, 4),
        "keys that are no names": pickle.dumps({(1, 2): 3}, 4),
        "array of numbers": pickle.dumps(np.arange(3.0), 4),
        "deep": pickle.dumps({"a": deep}, 4),
        "wide": pickle.dumps({"a": wide}, 4),
        "itself": pickle.dumps({"a": loop}, 4),
        "nothing on the stack": b"\x80\x02.",
        "only marks": b"\x80\x02" + b"(" * 500 + b"t" * 600 + b".",
        "type as data": pickle.dumps({"a": np.dtype("f4")}, 4),
        **{f"cut at {n}": whole[:n] for n in (0, 1, 2, 5, 11, 40, 90, len(whole) // 2, len(whole) - 1)},
    }


def test_hostile_files_do_nothing_but_an_error(tmp_path: Path) -> None:
    listed = hostile(tmp_path)
    assert len(listed) > 50
    path = tmp_path / "model.npy"
    tracemalloc.start()
    for number, (name, pickled) in enumerate(listed.items()):
        path.write_bytes((b"" if number % 2 else _npy_header()) + pickled)
        with pytest.raises(InputError) as raised:
            read_pickled(path)
        assert "\n" not in str(raised.value), name
        assert "model.npy" in str(raised.value), name
        assert len(str(raised.value)) < 600, name
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [each.name for each in tmp_path.iterdir()] == ["model.npy"]
    assert peak < 64 << 20


def test_python_would_have_run_one_of_them(tmp_path: Path) -> None:
    pickle.loads(hostile(tmp_path)["os.system"])
    assert (tmp_path / "harmed").exists()


def test_the_global_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.npy"
    path.write_bytes(_npy_header() + hostile(tmp_path)["os.system"])
    with pytest.raises(FileFormatError, match=r"posix\.system|nt\.system"):
        read_pickled(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_damage_gives_an_error_or_plain_data(folder: Path, data: st.DataObject) -> None:
    whole = bytearray(pickle.dumps({"a": np.arange(20.0), "names": ["x", "y"], "n": {"b": np.float64(2)}}, 4))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "damaged.npy"
    path.write_bytes(bytes(whole))
    try:
        content = read_pickled(path)
    except InputError:
        return
    assert isinstance(content, dict)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    with path.open("wb") as file:
        file.truncate(4 << 30)  # takes no room on the disk
    with pytest.raises(FileFormatError, match=r"4\.0 GiB"):
        read_pickled(path)


def test_files_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "other.npy"
    np.save(path, np.arange(5))
    with pytest.raises(FileFormatError, match="array of int64"):
        read_pickled(path)
    path.write_bytes(b"PK\x03\x04 a zip file")
    with pytest.raises(FileFormatError, match="neither"):
        read_pickled(path)
    with pytest.raises(InputError, match="there is no file"):
        read_pickled(tmp_path / "missing.npy")


def test_the_instructions_are_those_that_models_need(tmp_path: Path) -> None:
    """What NumPy writes for a dict of arrays uses nothing that is refused, in any protocol it may choose."""
    content = {"a": np.arange(300.0), "b": ["x"] * 300, "c": {"d": np.int64(3)}, "e": np.array(["p", "q"])}
    for protocol in (3, 4, 5):
        pickled = pickle.dumps(np.array(content, dtype=object), protocol)
        assert {code.name for code, _, _ in pickletools.genops(pickled)} >= {"STOP", "REDUCE", "BUILD"}
        (tmp_path / "m.npy").write_bytes(_npy_header() + pickled)
        assert len(read_pickled(tmp_path / "m.npy")["b"]) == 300
