"""`vividtalk face import`: a face file with what the model has, and one line for what is no model."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from backend.cli import main
from backend.faces import talking_face
from blender_addon.protocol.face import read_face
from tests.models import faceverse_files


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_a_model_becomes_a_face_that_talks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, out = faceverse_files.imported(2), tmp_path / "two.safetensors"
    assert run("face", "import", case.path, "-o", out, "--id", "someone") == 0
    said = capsys.readouterr().out
    count = len(case.model.parts.vertices)
    assert f"FaceVerse v2, {count} vertices, 150 identity parameters, 52 of 52 shapes" in said
    assert "note: it has no eyeball L and no eyeball R" in said
    face = read_face(out)
    assert face.id == "someone"
    assert np.array_equal(face.vertices, case.face.vertices)
    assert np.abs(face.shapes - case.face.shapes).max() < 1e-5
    assert talking_face(out).lips is not None
    assert run("face", "info", out, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["identity"] == 150
    assert facts["lip_fields"] == 16
    assert "shape jawOpen" not in facts["lacks"]


class Harm:
    def __reduce__(self) -> object:
        return os.system, (f"touch {os.environ['HARMED']}",)


def test_what_is_no_model_gets_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARMED", str(tmp_path / "harmed"))
    model, out = tmp_path / "model.npy", tmp_path / "face.safetensors"
    wrong = {
        b"": "neither an .npy file nor a pickle",
        pickle.dumps({"a": Harm()}): "posix.system, which no model needs",
        pickle.dumps(
            {"a": [1]}
        ): "no version of FaceVerse that is known: it has a list of 1; v0 lacks meanshape",
        pickle.dumps([1]): "holds no dict",
    }
    for content, message in wrong.items():
        model.write_bytes(content)
        assert run("face", "import", model, "-o", out) == 1
        said = capsys.readouterr()
        assert message in said.err
        assert len(said.err.splitlines()) == 1
        assert said.out == ""
    assert run("face", "import", tmp_path / "missing.npy", "-o", out) == 1
    assert "there is no file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.npy"]


def test_names_from_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, names = faceverse_files.imported(2), tmp_path / "names.txt"
    names.write_text("\n".join(case.model.names))
    out = tmp_path / "face.safetensors"
    assert run("face", "import", case.path, "-o", out, "--names", names) == 1
    assert "names its expressions itself" in capsys.readouterr().err
    names.write_text("")
    assert run("face", "import", case.path, "-o", out, "--names", names) == 1
    assert "has no names of expressions" in capsys.readouterr().err
