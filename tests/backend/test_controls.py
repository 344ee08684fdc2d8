"""Controls on their way from a client through the pipeline to the model, and layers on their way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.demo import DEMO_VOICE
from backend.exporters import export_file
from backend.media.audio import AudioSpan
from backend.pipeline import AnimateRequest, animate
from backend.serving import animate_handler, style_handler
from backend.streams import MotionModels
from blender_addon.protocol.arkit import ARKIT_INDEX, sided_indices
from blender_addon.protocol.clip import MotionClip, read_clip, write_clip
from blender_addon.protocol.controls import (
    ExpressionControls,
    MotionStyle,
    controls_from_json,
    controls_to_json,
)
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from blender_addon.received import ReceivedMotion

CONTROLS = ExpressionControls(
    articulation=1.25,
    energy=0.5,
    asymmetry=0.75,
    style=MotionStyle(jaw=-0.5, asymmetry=0.25),
    emotions={"happy": ((0.0, 0.0), (1.5, 0.75))},
)
SPAN = AudioSpan(0.0, 3.0)


@dataclass
class Chunk:
    start: int
    contact: Array
    layers: Mapping[str, Array]
    offsets: Array


@dataclass
class ScriptedStream:
    """25 frames a push; the layers add up to the weights."""

    start: int = 0

    def push(self, _samples: Array) -> Chunk:
        rng = np.random.default_rng(self.start)
        layers = {name: rng.random((25, 52), np.float32) / 4 for name in ("speech", "brows", "emotion")}
        chunk = Chunk(self.start, rng.random((25, 2), np.float32), layers, np.zeros((25, 0), np.float32))
        self.start += 25
        return chunk

    def finish(self) -> Chunk:
        return self.push(np.zeros(0, np.float32))


@dataclass
class ScriptedModel:
    """Notes what it was asked."""

    model_id: str = "scripted"
    licence: str = "CC0-1.0"
    asked: list[Any] = field(default_factory=list)

    def stream(self, fps: float, controls: ExpressionControls, seed: int, geometry: Array) -> ScriptedStream:
        assert geometry is None or np.abs(geometry).max() < 0.02
        self.asked.append((fps, controls, seed))
        return ScriptedStream()


def scripted() -> MotionModels:
    return MotionModels(ScriptedModel())


def without_lids(weights: Array) -> Array:
    """The weights but those of eyeSquint and eyeWide, which give way to a closing eye."""
    return np.delete(weights, sided_indices("eyeSquint", "eyeWide"), axis=1)


@dataclass
class Client:
    """Takes what a handler sends."""

    motion: ReceivedMotion = field(default_factory=ReceivedMotion)

    def cancelled(self) -> bool:
        return False

    def raise_if_cancelled(self) -> None:
        pass

    def progress(self, _phase: str, _fraction: float) -> None:
        pass

    def chunk(self, start: int, arrays: Mapping[str, Array]) -> None:
        self.motion.append(start, arrays)


def served(params: Mapping[str, Any], model: ScriptedModel) -> tuple[MotionClip, Mapping[str, Any]]:
    client = Client()
    request = {"audio_path": str(DEMO_VOICE), "fps": 25, "duration": 3.0, **params}
    result = animate_handler(lambda: MotionModels(model))(request, {}, client)
    return client.motion.clip(read_back(result)), result


def read_back(result: Mapping[str, Any]) -> Any:
    from blender_addon.protocol.clip import read_info

    return read_info("the answer", result["info"])


def test_controls_reach_the_model_and_the_header() -> None:
    model = ScriptedModel()
    clip, result = served({"controls": controls_to_json(CONTROLS), "seed": 9}, model)
    assert model.asked == [(25.0, CONTROLS, 9)]
    assert controls_from_json(result["info"]["controls"]) == CONTROLS
    assert controls_from_json(clip.info.controls) == CONTROLS
    assert clip.info.seed == 9


def test_an_older_client_gets_the_defaults() -> None:
    model = ScriptedModel()
    served({}, model)
    assert model.asked == [(25.0, ExpressionControls(), 0)]


@pytest.mark.parametrize(
    ("controls", "words"),
    [
        ({"energy": 3}, "energy is 3"),
        ({"articulation": "loud"}, "controls cannot be read"),
        ({"style": {"jaw": 2}}, "style jaw is 2"),
        ({"style": {"volume": 1}}, "controls cannot be read"),
        ({"emotions": {"bored": [[0, 1]]}}, "no emotion 'bored'"),
        ({"emotions": {"happy": [[1, 0], [0, 1]]}}, "not in time order"),
        ({"head": {"blinks": 5}}, "head blinks is 5"),
        ({"head": {"style": {"nods": 2}}}, "head style nods is 2"),
        ({"head": "still"}, "controls cannot be read"),
        (7, "controls cannot be read"),
        ([1], "controls cannot be read"),
    ],
)
def test_bad_controls_are_one_line(controls: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        served({"controls": controls}, ScriptedModel())


def test_the_wire_brings_the_pipelines_layers() -> None:
    request = AnimateRequest(audio=DEMO_VOICE, span=SPAN, controls=CONTROLS)
    expected = animate(request, scripted())
    clip, _ = served({"controls": controls_to_json(CONTROLS)}, ScriptedModel())
    assert set(clip.layers) == set(expected.layers) == {"speech", "brows", "emotion"}
    for name, tensors in expected.layers.items():
        np.testing.assert_array_equal(clip.layers[name]["weights"], tensors["weights"])
    np.testing.assert_array_equal(clip.weights, expected.weights)
    total = sum(tensors["weights"] for tensors in expected.layers.values())
    np.testing.assert_allclose(without_lids(total), without_lids(expected.weights), atol=1e-6)


def test_no_emotion_layer_without_emotions() -> None:
    clip, _ = served({}, ScriptedModel())
    assert set(clip.layers) == {"speech", "brows"}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "c.safetensors"
    write_clip(path, animate(AnimateRequest(audio=DEMO_VOICE, span=SPAN, controls=CONTROLS), scripted()))
    return path


def test_exports_have_the_sum(stored: Path, tmp_path: Path) -> None:
    import csv
    import json

    clip = read_clip(stored)
    assert controls_from_json(clip.info.controls) == CONTROLS
    export_file(clip, stored, tmp_path / "c.csv")
    export_file(clip, stored, tmp_path / "c.json")
    with (tmp_path / "c.csv").open() as file:
        rows = [[float(value) for value in row[2:54]] for row in list(csv.reader(file))[1:]]
    np.testing.assert_allclose(rows, clip.weights, atol=1e-6)
    document = json.loads((tmp_path / "c.json").read_text())
    np.testing.assert_allclose(document["weights"], clip.weights, atol=1e-5)
    layers = [np.array(part["weights"]) for part in document["layers"].values()]
    assert len(layers) == 3
    np.testing.assert_allclose(without_lids(sum(layers)), without_lids(clip.weights), atol=5e-5)
    assert document["info"]["controls"]["energy"] == 0.5


def told(weights: Array, **params: Any) -> MotionStyle:
    """The style that the job tells from `weights` and the shipped voice, by the scripted model."""
    sound = {"audio_path": str(DEMO_VOICE), "fps": 25, "duration": 3.0}
    result = style_handler(scripted)(sound | params, {"weights": weights}, Client())
    return controls_from_json(result).style


def test_the_style_of_the_models_own_motion_is_average() -> None:
    neutral = animate(AnimateRequest(audio=DEMO_VOICE, span=SPAN), scripted()).weights
    assert told(neutral) == MotionStyle()
    closed_jaw = neutral.copy()
    closed_jaw[:, ARKIT_INDEX["jawOpen"]] *= np.sqrt(2.0) / 2
    told_of_it = told(closed_jaw)
    assert -1.0 <= told_of_it.jaw < -0.8
    assert abs(told_of_it.rounding) < 1e-3


def test_a_style_needs_motion_and_its_sound() -> None:
    neutral = np.zeros((40, 52), np.float32)
    with pytest.raises(InputError, match="cannot be told"):
        told(neutral)
    with pytest.raises(InputError, match="no file"):
        told(neutral, audio_path="/no/such.wav")
    with pytest.raises(InputError, match="no weights"):
        style_handler(scripted)({"audio_path": str(DEMO_VOICE), "fps": 25}, {}, Client())
    with pytest.raises(InputError, match="weights has shape"):
        told(np.zeros((75, 51), np.float32))
