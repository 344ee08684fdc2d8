"""Training the mapper: batches, losses, a run through the command line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from backend.cli import main
from blender_addon.protocol.errors import InputError
from models.pose import PoseModel
from models.pose.checkpoint import CodebookCheckpoint, PoseIdentity, read_mapper, write_codebook
from models.pose.mapper import MapperConfig
from models.pose.network import CodebookConfig, PoseCodec
from training.loop.fit import fit
from training.pose.data import pose_bank
from training.pose.mapper import MapperRun, MapperTask, map_loss, smoke_run

from .overfitting import overfit

SMALL = MapperConfig(channels=32, layers=2, heads=2, past=8, dropout=0.0)
BOOK = CodebookConfig(channels=16, blocks=1, width=8)


@pytest.fixture(scope="module")
def codebook(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("codebook") / "codebook.safetensors"
    codec = PoseCodec(BOOK)
    codec.scale.fill_(0.03)
    codec.quantiser.codes.mul_(0.2)
    write_codebook(path, CodebookCheckpoint(codec, PoseIdentity("test", "CC0-1.0")))
    return path


@pytest.fixture(scope="module")
def run(corpus, codebook, tmp_path_factory):
    bank = tmp_path_factory.mktemp("bank")
    run = smoke_run(MapperRun(bank=bank, corpus=corpus, codebook=codebook, shape=SMALL))
    pose_bank(bank, corpus, run.motion)
    return run


@pytest.fixture
def task(run):
    return MapperTask(run)


def test_batches_hold_the_codes_of_their_poses(task, run):
    batch = task.batch(0)
    assert batch.codes.shape == (4, run.steps, 2)
    again = task.batch(0)
    assert torch.equal(batch.codes, again.codes)
    assert torch.equal(batch.conditions.sound, again.conditions.sound)
    given = task._codec.quantiser.vectors(batch.codes)
    same = (batch.given == given).all(-1).float().mean()
    assert 0.8 < float(same) <= 1.0  # but for the jumbled ones


def test_sounds_are_left_out_as_often_as_asked(task, run):
    heard = [
        task._trained.draw(50, 8, (0.3, 0.0), np.random.default_rng(i)).conditions.hears for i in range(8)
    ]
    assert float(torch.cat(heard).float().mean()) == pytest.approx(0.7, abs=0.08)


def test_one_batch_can_be_learned(task):
    before, after = overfit(task, 60, 5e-3)
    assert before["entropy"] == pytest.approx(np.log(256), rel=0.1)
    assert after["entropy"] < 0.5 * before["entropy"]
    assert after["map"] < before["map"]


def test_the_map_loss_is_least_where_codes_are_right(task):
    batch = task.batch(1)
    right = 50.0 * functional.one_hot(batch.codes, 256).float()
    wrong = 50.0 * functional.one_hot((batch.codes + 1) % 256, 256).float()
    decoded = task._codec.decoder(task._codec.quantiser.vectors(batch.codes))
    left = (decoded - batch.poses).square().mean()
    assert float(map_loss(right, batch, task._codec)) == pytest.approx(float(left), rel=1e-3)
    assert map_loss(wrong, batch, task._codec) > 2 * left


def test_the_command_trains_and_goes_on_from_weights(run, codebook, tmp_path, capsys):
    arguments = ["train", "pose-mapper", "--smoke", "--corpus", str(run.corpus), "--codebook", str(codebook)]
    arguments += ["--bank", str(run.bank), "--set", "shape.channels=32"]
    assert main([*arguments, "-o", str(tmp_path / "one")]) == 0
    weights = tmp_path / "one" / "pose-mapper.safetensors"
    assert str(weights) in capsys.readouterr().out
    assert "synthetic" in weights.with_suffix(".md").read_text()
    assert main([*arguments, "--from", str(weights), "-o", str(tmp_path / "two")]) == 0
    model = PoseModel.load(codebook, tmp_path / "two" / "pose-mapper.safetensors")
    chunk = model.stream(25.0).finish()
    assert np.isfinite(chunk.pose).all()


def test_weights_for_another_codebook_are_refused(run, tmp_path):
    weights = fit(MapperTask(run), run, tmp_path / "run").weights
    assert read_mapper(weights).network.config.width == BOOK.width
    other = PoseCodec(CodebookConfig(channels=16, blocks=1, width=12))
    path = tmp_path / "other.safetensors"
    write_codebook(path, CodebookCheckpoint(other, PoseIdentity("test", "CC0-1.0")))
    with pytest.raises(InputError, match="another kind of codebook"):
        MapperTask(replace(run, codebook=path, source=weights))
