"""Scenes that are rendered once: the same for everybody, whoever asks first."""

import errno
import os

import numpy as np
import pytest
import torch

from blender_addon.protocol.errors import InputError, OutputError
from models.expression.checkpoint import Checkpoint, ModelIdentity, write_checkpoint
from models.expression.network import ExpressionConfig, ExpressionNetwork
from training.bank import BankShape, SceneBank
from training.batches import BatchConfig
from training.expression import ExpressionRun, ExpressionTask, hearing_bank, training_pool
from training.loop.config import LoopConfig
from training.phones import PHONE_CLASSES

SHAPE = BankShape(scenes=5, features=6, width=3, frames=4)


def counted(calls):
    def render(rng):
        calls.append(1)
        return rng.standard_normal((6, 3)), rng.integers(-100, 40, 4)

    return render


def test_a_scene_is_rendered_once_and_is_the_same_in_any_order(tmp_path):
    first, second = [], []
    bank = SceneBank(tmp_path / "a", SHAPE, counted(first))
    forward = [bank[number] for number in (0, 3, 0, 3)]
    other = SceneBank(tmp_path / "b", SHAPE, counted(second))
    backward = [other[number] for number in (3, 0)][::-1]
    assert len(first) == len(second) == 2
    for (features, phones), (again, same) in zip(forward[:2], backward, strict=True):
        np.testing.assert_array_equal(features, again)
        np.testing.assert_array_equal(phones, same)
    assert not np.array_equal(forward[0][0], forward[1][0])


def test_a_bank_that_is_there_is_used_and_one_of_another_size_made_anew(tmp_path):
    calls = []
    kept = SceneBank(tmp_path, SHAPE, counted(calls))[2]
    again = SceneBank(tmp_path, SHAPE, counted(calls))[2]
    np.testing.assert_array_equal(kept[0], again[0])
    assert len(calls) == 1
    SceneBank(tmp_path, BankShape(4, 6, 3, 4), counted(calls))[2]
    assert len(calls) == 2


def test_a_hearing_batch_holds_the_bank_but_masked_otherwise_each_time(corpus):
    run = ExpressionRun(
        corpus,
        batch=BatchConfig(scenes=2, frames=64, solved=2),
        loop=LoopConfig(steps=50),
        hearing_steps=20,
        hearing_scenes=2,
    )
    task = ExpressionTask(run)
    bank = hearing_bank(training_pool(corpus), run, task._source)
    scenes = {bank[number][1].tobytes(): bank[number][0] for number in range(2)}
    hidden = []
    for step in range(8):
        batch = task.batch(step)
        for features, phones in zip(batch.features.numpy(), batch.phones.numpy(), strict=True):
            different = features != scenes[phones.tobytes()]
            hidden.append(different.mean())
    assert len(scenes) == 2
    assert min(hidden) == 0.0
    assert len(set(hidden)) > 2


def weights(path, config):
    network = ExpressionNetwork(config)
    for parameter in network.parameters():  # branches start at zero: give them something to keep
        torch.nn.init.normal_(parameter, std=0.1)
    write_checkpoint(path, Checkpoint(network, config, ModelIdentity("test", "CC0-1.0", {})))
    return network


def test_a_deeper_network_goes_on_where_a_shallower_one_ended(corpus, tmp_path):
    shallow = ExpressionConfig(PHONE_CLASSES, channels=16, trunk=ExpressionConfig(PHONE_CLASSES).trunk[:2])
    before = weights(tmp_path / "old.safetensors", shallow)
    run = ExpressionRun(corpus, channels=16, start=tmp_path / "old.safetensors")
    after = ExpressionTask(run).network()
    assert len(after.encoder.trunk) > len(before.encoder.trunk)
    features, style, noise = (
        torch.randn(1, 128, 80),
        torch.randn(1, 64, 1)[:, 0].expand(1, 10),
        torch.randn(1, 64, 8),
    )
    with torch.inference_mode():
        old, new = (one.eval()(features, style, noise) for one in (before, after))
    torch.testing.assert_close(old.lip, new.lip, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(old.phones, new.phones, atol=1e-3, rtol=1e-3)


def test_a_network_of_another_width_cannot_go_on(corpus, tmp_path):
    weights(tmp_path / "old.safetensors", ExpressionConfig(PHONE_CLASSES, channels=24))
    with pytest.raises(InputError, match="another shape"):
        ExpressionTask(ExpressionRun(corpus, channels=16, start=tmp_path / "old.safetensors")).network()


def test_a_disk_without_room_for_the_bank_is_one_line(tmp_path, monkeypatch):
    def full(descriptor, start, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OutputError, match=r"features\.f16"):
        SceneBank(tmp_path, SHAPE, counted([]))


def test_where_the_system_cannot_reserve_the_files_are_written_out(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    SceneBank(tmp_path, SHAPE, counted([]))[1]
    assert (tmp_path / "features.f16").stat().st_size == 5 * 6 * 3 * 2
