"""The documented command trains the real network: it survives kills, and soon hears more than loudness."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from backend.cli import main
from models.expression.checkpoint import read_checkpoint
from training.corpus import flite, texts
from training.corpus.build import DEVELOPMENT_SOURCES
from training.corpus.store import Utterance, read_source, write_source
from training.development import predict
from training.evaluate.metrics import Prediction, score
from training.expression import SOURCE_SHARES

from .expression_process import SMALL, command, train_in_process
from .interrupting import assert_same_run, kill_five_times, needs_signals, processes

RATE = 16000
STEPS = 12
needs_flite = pytest.mark.skipif(
    shutil.which("flite") is None or not (texts._FORTUNES / "wisdom").exists(),
    reason="flite or fortunes is not installed",
)


@needs_signals
@pytest.mark.timeout(600)
def test_five_kills_of_the_command_change_nothing(corpus: Path, tmp_path: Path) -> None:
    context = processes("tests.training.expression_process")
    kill_five_times(context, train_in_process, (corpus, tmp_path / "torn", STEPS), STEPS)
    for name in ("torn", "whole"):
        assert main(command(corpus, tmp_path / name, {**SMALL, "loop.steps": STEPS})) == 0
    assert_same_run(tmp_path / "torn", tmp_path / "whole", "expression")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of flite's voices: three to learn from; slt, a woman's, to choose by and, apart, to judge."""
    folder = tmp_path_factory.mktemp("spoken")
    said = list(flite.recordings(6.0, seed=0))
    learnt = [one for one in said if not one.voice.endswith("slt")]
    other = [one for one in said if one.voice.endswith("slt")]
    for name in SOURCE_SHARES:
        write_source(folder, name, learnt)
    for name in DEVELOPMENT_SOURCES:
        write_source(folder, name, other[:4])
    write_source(folder, "judged", other[4:14])
    return folder


def samples_of(utterance: Utterance) -> np.ndarray:
    return np.asarray(utterance.samples, np.float32) / 32768.0


def loudness(utterance: Utterance) -> Prediction:
    """A jaw that follows the sound's level, as the simplest tools do it."""
    window = np.hanning(RATE // 20)
    power = np.convolve(samples_of(utterance) ** 2, window, "same")
    level = np.sqrt(power[:: RATE // 50])
    return Prediction(50.0, {"jawOpen": level / np.percentile(level, 95), "mouthClose": np.zeros(len(level))})


def closure_auc(utterances: Sequence[Utterance], predictions: Sequence[Prediction]) -> float:
    rows = zip(utterances, predictions, strict=True)
    return score([(one.phones, one.duration, drawn) for one, drawn in rows]).closure_auc


@needs_flite
@pytest.mark.timeout(600)
def test_a_small_training_beats_loudness(spoken: Path, tmp_path: Path) -> None:
    settings = {
        "channels": 48,
        "hearing_steps": 60,
        "hearing_scenes": 200,
        "development_share": 1,
        "batch.scenes": 4,
        "batch.frames": 128,
        "batch.solved": 2,
        "loop.steps": 110,
        "loop.learning_rate": "6e-3",
        "loop.warm_up": 20,
        "loop.ema": 0.95,
        "loop.validate_every": 20,
    }
    assert main(command(spoken, tmp_path, settings)) == 0
    judged = read_source(spoken, "judged")
    weights = read_checkpoint(tmp_path / "expression.safetensors")
    ours = closure_auc(judged, [predict(weights, samples_of(one)) for one in judged])
    assert ours > closure_auc(judged, [loudness(one) for one in judged]) + 0.08
