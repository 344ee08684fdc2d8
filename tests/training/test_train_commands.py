"""`vividtalk train ...` as a person types it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from backend.cli import main
from models.expression import ExpressionModel
from models.sync import SyncModel
from training.expression import ExpressionRun
from training.loop.yaml_config import read_config


def run(*arguments: object) -> int:
    return main(["train", *map(str, arguments)])


def test_the_printed_settings_are_a_settings_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--seed", 4, "--set", "loop.learning_rate=1e-3", "--set", "batch.scenes=3")
    assert run("expression", "--print-config", *options) == 0
    text = capsys.readouterr().out
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    settings = read_config(ExpressionRun, path)
    assert (settings.loop.seed, settings.loop.learning_rate, settings.batch.scenes) == (4, 1e-3, 3)
    assert settings.loop.precision == ExpressionRun().loop.precision
    assert run("expression", "--print-config", "--config", path, "--steps", 30077) == 0
    assert yaml.safe_load(capsys.readouterr().out)["loop"] == yaml.safe_load(text)["loop"] | {"steps": 30077}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("expression", "--set", "loop.stepz=3"), "there is no setting loop.stepz"),
        (("expression", "--set", "loop.steps=x"), "loop.steps must be a whole number"),
        (("expression", "--set", "loop=["), "is not a YAML value"),
        (("expression", "--steps", "0"), "steps must be 1 or more"),
        (("expression", "--steps", "500"), "of 500 steps none draws a mouth"),
        (("sync", "--set", "scenes=1"), "leave nothing to tell apart"),
        (("expression", "--config", "none.yaml"), "there is no file none.yaml"),
        (("corpus", "--set", "minutes=0"), "more than 0 minutes"),
    ],
)
def test_wrong_settings_are_one_line(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "corpus").mkdir()  # so that nothing is rendered when the settings are taken for right
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    printed = capsys.readouterr()
    assert words in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


def test_the_variants_have_settings_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("expression", "--variant", "autoregressive", "--print-config", "--set", "layers=3") == 0
    settings = yaml.safe_load(capsys.readouterr().out)
    assert (settings["layers"], settings["encoder"]) == (3, None)
    assert run("expression", "--print-config", "--set", "layers=3") == 1
    assert "no setting layers" in capsys.readouterr().err


def test_a_setting_without_a_value_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("expression", "--set", "loop.steps") == 2
    assert "KEY=VALUE" in capsys.readouterr().err


def test_a_smoke_run_writes_weights_that_load_and_then_refuses_another_seed(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("expression", "--corpus", corpus, "-o", tmp_path / "run", "--smoke")
    assert run(*command) == 0
    assert "score" in capsys.readouterr().out
    assert ExpressionModel.load(tmp_path / "run" / "expression.safetensors").licence == "CC0-1.0"
    assert run(*command) == 0
    assert run(*command, "--seed", "9") == 1
    assert "loop.seed (0, now 9)" in capsys.readouterr().err


def test_the_sync_expert_has_the_options_of_every_training(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sync", "--print-config", "--seed", 5, "--set", "scenes=4") == 0
    settings = yaml.safe_load(capsys.readouterr().out)
    assert (settings["loop"]["seed"], settings["scenes"]) == (5, 4)
    assert run("sync", "--corpus", corpus, "-o", tmp_path / "run", "--smoke") == 0
    assert SyncModel.load(tmp_path / "run" / "sync.safetensors").checkpoint.licence == "CC0-1.0"
    assert str(corpus) not in (tmp_path / "run" / "sync.md").read_text()


def test_a_run_out_of_time_says_how_to_go_on(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("expression", "--corpus", corpus, "-o", tmp_path / "run", "--smoke")
    assert run(*command, "--set", "loop.minutes=1e-9") == 0
    assert "stopped after step 1 of 6; the same command goes on" in capsys.readouterr().out


def test_a_corpus_that_is_there_is_not_rendered_again(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("corpus", "-o", corpus) == 1
    assert "is there already" in capsys.readouterr().err
