"""`vividtalk face person`: what a seed and named parameters make, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.cli import main
from blender_addon.protocol.face import read_face
from models.face import load_head


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_a_seed_makes_the_same_person_again_and_another_seed_another(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "again", "two")]
    for path, seed in zip(paths, (3, 3, 4), strict=True):
        assert run("face", "person", "-o", path, "--seed", seed, "--id", "person") == 0
    one, again, two = (read_face(path) for path in paths)
    assert one.id == "person"
    assert np.array_equal(one.vertices, again.vertices)
    assert np.abs(one.vertices - two.vertices).max() > 0.001


def test_a_named_parameter_adds_its_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, head = tmp_path / "wide.safetensors", load_head()
    assert run("face", "person", "-o", out, "--set", "noseWidth=1.5") == 0
    assert "noseWidth +1.5" in capsys.readouterr().out
    person = read_face(out)
    nose = head.region == head.region_names.index("nose")
    field = head.identity[head.identity_names.index("noseWidth")]
    assert np.abs(person.vertices - head.vertices - 1.5 * field)[nose].max() < 1e-5
    assert person.id == "wide"


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("nosewidth=1", 1, "noseWidth"),
        ("noseWidth=99", 1, "out of range"),
        ("noseWidth", 2, "NAME=VALUE"),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, code: int, said: str
) -> None:
    out = tmp_path / "p.safetensors"
    assert run("face", "person", "-o", out, "--set", setting) == code
    assert said in capsys.readouterr().err
    assert not out.exists()
