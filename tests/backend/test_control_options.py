"""How to speak, from the command line into the clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.cli import main
from backend.demo import DEMO_VOICE
from backend.devices import load_expression_model
from backend.pipeline import AnimateRequest, animate
from backend.reference import reference_style
from backend.streams import MotionModels
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.clip import read_clip, spoken_weights
from blender_addon.protocol.controls import (
    ExpressionControls,
    HeadControls,
    MotionStyle,
    PoseStyle,
    controls_from_json,
)
from models.expression import ExpressionModel


@pytest.fixture(scope="module")
def model() -> ExpressionModel:
    return load_expression_model("cpu")


def test_options_reach_the_clip(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    options = [
        *("--articulation", "1.2", "--energy", "1.5", "--asymmetry", "0.1", "--seed", "7"),
        *("--style", "jaw=0.5", "--style", "sharpness=-0.25"),
        *("--emotion", "sad=0.5", "--emotion", "happy=0:0,1.5:0.75"),
        *("--head-strength", "yaw=1.5,blinks=0.5", "--head-strength", "blink_rate=3"),
        *("--head-style", "energy=.5,nods=-.25"),
    ]
    assert main(["animate", str(DEMO_VOICE), "-o", str(out), *options]) == 0
    clip = read_clip(out)
    assert clip.info.seed == 7
    assert controls_from_json(clip.info.controls) == ExpressionControls(
        articulation=1.2,
        energy=1.5,
        asymmetry=0.1,
        style=MotionStyle(jaw=0.5, sharpness=-0.25),
        emotions={"sad": ((0.0, 0.5),), "happy": ((0.0, 0.0), (1.5, 0.75))},
        head=HeadControls(yaw=1.5, blinks=0.5, blink_rate=3.0, style=PoseStyle(energy=0.5, nods=-0.25)),
    )
    smile = clip.layers["emotion"]["weights"][:, ARKIT_INDEX["mouthSmileLeft"]]
    assert smile[0] == 0
    assert smile[40:].mean() > 0.3


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--emotion", "bored=1", "there is no emotion 'bored'"),
        ("--emotion", "happy", "'happy' is not NAME=VALUE"),
        ("--emotion", "happy=0:x", "'x' is not a number"),
        ("--emotion", "happy=2:1,1:0", "not in time order"),
        ("--emotion", "happy=1.5", "intensity of happy is 1.5"),
        ("--style", "jaw=big", "'big' is not a number"),
        ("--style", "nose=1", "there is no style 'nose'"),
        ("--style", "jaw=2", "style jaw is 2"),
        ("--energy", "5", "energy is 5"),
        ("--articulation", "nan", "articulation is nan"),
        ("--head-strength", "yaw=3", "head yaw is 3"),
        ("--head-strength", "yaw=1,neck=1", "there is no head strength 'neck'"),
        ("--head-strength", "0.5", "'0.5' is not NAME=VALUE"),
        ("--head-style", "nods=far", "'far' is not a number"),
        ("--head-style", "hops=1", "there is no head style 'hops'"),
        ("--style-from", "missing.safetensors", "missing.safetensors"),
    ],
)
def test_wrong_options_say_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    out = tmp_path / "x.safetensors"
    assert main(["animate", str(DEMO_VOICE), "-o", str(out), option, value]) in (1, 2)
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_the_style_of_a_clip_is_found_again(model: ExpressionModel) -> None:
    """Against the network's own answer to a style: nothing asked, nothing found; a wide jaw is found wide."""
    for jaw, low, high in ((0.0, -0.1, 0.1), (0.8, 0.3, 1.0), (-0.8, -1.0, -0.3)):
        request = AnimateRequest(
            audio=DEMO_VOICE,
            controls=ExpressionControls(style=MotionStyle(jaw=jaw), emotions={"surprised": ((0.0, 0.7),)}),
        )
        found = reference_style(spoken_weights(animate(request, MotionModels(model))), request, model)
        assert low <= found.jaw <= high
        assert np.abs(found.vector()[1:4]).max() < 0.35
