"""Training the sync expert, the pairs that judge it, and motion from files."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.cli import main
from backend.exporters.table import export_csv
from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.clip import ClipInfo, expression_clip, write_clip
from blender_addon.protocol.errors import FileFormatError, InputError
from models.face import load_head
from models.sync import MEASURES, MouthMeter, SyncModel
from models.sync.checkpoint import Calibration, SyncCheckpoint
from models.sync.matching import Peak
from models.sync.network import RATE, SyncConfig, SyncNetwork
from training import sync as sync_training
from training.evaluate.motion_file import read_motion
from training.loop.config import LoopConfig
from training.phones import phones_of
from training.sync import SyncRun, SyncTask
from training.sync_motion import DENSE, filmed, seen_motion, spoken_measures, with_manner
from training.sync_pairs import Judged, auc, calibrated, draw_pairs

SMALL = SyncConfig(audio_channels=16, motion_channels=16, audio_layers=1, motion_layers=1, width=16)


@pytest.fixture(scope="module")
def meter():
    return MouthMeter.of(load_head())


@pytest.fixture
def task(corpus):
    return SyncTask(SyncRun(corpus, scenes=4, frames=160, shape=SMALL, loop=LoopConfig(seed=3, steps=2)))


def test_a_batch_depends_on_seed_and_step_alone(task):
    torch.manual_seed(0)
    first = task.batch(5)
    torch.manual_seed(0)
    again, other = task.batch(5), task.batch(6)
    for name in ("features", "measures", "known", "spoken"):
        assert torch.equal(getattr(first, name), getattr(again, name)), name
    assert not torch.equal(first.measures, other.measures)
    assert first.features.shape == (4, 320, 80)
    assert first.measures.shape == (4, 160, 5)


def test_one_batch_can_be_learned(task):
    torch.manual_seed(1)
    network, batch = task.network(), task.batch(0)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        total = task.losses(network, batch)["total"]
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(float(total.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_sameness_everywhere_costs_the_logarithm_of_the_shifts():
    alike = torch.ones(2, 160, 160)
    loss = sync_training._shift_loss(alike, torch.tensor(10.0))
    assert float(loss) == pytest.approx(math.log(101), rel=1e-5)


def test_the_loss_is_least_where_shifts_are_none():
    near = torch.arange(200)[:, None] - torch.arange(200)
    costs = [
        float(
            sync_training._shift_loss(torch.exp(-0.5 * ((near + shift) / 1.5) ** 2)[None], torch.tensor(10.0))
        )
        for shift in (-8, -4, 0, 4, 8)
    ]
    assert costs.index(min(costs)) == 2
    assert costs[1] == pytest.approx(costs[3], rel=1e-4)


def test_weights_that_the_task_writes_are_loaded(task, tmp_path, monkeypatch):
    monkeypatch.setattr(sync_training, "_CALIBRATION_PAIRS", 4)
    monkeypatch.setattr(sync_training, "_CHECK_PAIRS", 4)
    network = task.network()
    scores = task.validate(network)
    assert set(scores) == {"score", "within_40_ms", "auc"}
    facts = type("Facts", (), {"seed": 3, "step": 2, "scores": scores, "steps": 2, "seconds": 1.0})()
    facts.parameters, facts.device, facts.config = 10, "cpu", "seed: 3\n"
    task.write(tmp_path / "sync.safetensors", network, facts)
    model = SyncModel.load(tmp_path / "sync.safetensors")
    assert model.checkpoint.config == SMALL
    assert model.checkpoint.training["step"] == 2
    assert "CC0-1.0" in task.card(facts)


def test_motion_says_the_phones(meter):
    phones = phones_of(
        [(0.0, 0.4, "sil"), (0.4, 0.7, "a"), (0.7, 0.8, "m"), (0.8, 1.1, "a"), (1.1, 1.5, "sil")]
    )
    gaps = []
    for seed in range(20):
        gap = spoken_measures(phones, 1.5, meter, np.random.default_rng(seed))[:, 0]
        gaps.append([gap[int(t * DENSE)] for t in (0.55, 0.75, 0.95)])
    before, closed, after = np.array(gaps).T
    assert np.mean(closed < 0.3 * np.minimum(before, after)) >= 0.9  # phones are moved by up to some 40 ms
    assert np.median(closed) < 1e-3


def test_cameras_and_manners_keep_time(meter):
    """On average, what a camera sees goes best with the motion at the same time."""
    rng = np.random.default_rng(0)
    names = ["sil", *(n for i in range(12) for n in ("a", "m", "i", "u")[i % 4 :]), "sil"]
    phones = phones_of([(0.12 * i, 0.12 * (i + 1), name) for i, name in enumerate(names)])
    plain = spoken_measures(phones, 4.0, meter, np.random.default_rng(1))[:, 0]
    lags = []
    for _ in range(12):
        seen, fps = filmed(with_manner(np.repeat(plain[:, None], 5, 1), rng), rng)
        dense = np.interp(np.arange(len(plain)) / DENSE, np.arange(len(seen)) / fps, seen[:, 0])
        shifts = range(-24, 25)
        lags.append(max(shifts, key=lambda s: np.corrcoef(np.roll(plain, s)[50:-50], dense[50:-50])[0, 1]))
    assert abs(np.mean(lags)) / DENSE < 0.015


def test_hidden_measures_are_said_to_be_unknown(meter):
    phones = phones_of([(0.0, 1.0, "a"), (1.0, 2.0, "i")])
    known = {tuple(seen_motion(phones, 100, meter, np.random.default_rng(s))[1]) for s in range(40)}
    assert (1, 1, 1, 1, 1) in known
    assert (1, 1, 0, 0, 0) in known


def test_pairs_of_sound_and_late_motion(task, meter):
    pairs = draw_pairs(task._unheard, meter, 3, (1.0, 2.0), seed=0)
    for pair in pairs:
        assert len(pair.samples) / 16000 == pytest.approx(len(pair.motion) / pair.fps, abs=2 / pair.fps)
        assert abs(pair.offset) <= 0.4


def test_auc_counts_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 30), rng.integers(-1, 4, 20)
    count = sum((x > y) + 0.5 * (x == y) for x in a for y in b)
    assert auc(a.tolist(), b.tolist()) == pytest.approx(count / 600)


def test_calibration_is_at_least_as_likely_as_the_truth():
    rng = np.random.default_rng(1)
    truth = Calibration(-2.0, 4.0, 3.0)
    own, foreign = [], []
    while min(len(own), len(foreign)) < 400:
        peak, weight = Peak(0.0, rng.uniform(0, 0.8), rng.uniform(0, 0.4)), 1.5
        odds = truth.bias + weight * (truth.margin * peak.margin + truth.lead * peak.lead)
        (own if rng.random() < 1 / (1 + np.exp(-odds)) else foreign).append(peak)
    judged = Judged(np.zeros(400), own[:400], foreign[:400], np.full(400, 1.5**2))

    def likelihood(c: Calibration) -> float:
        def odds(peaks):
            return np.array([c.bias + 1.5 * (c.margin * p.margin + c.lead * p.lead) for p in peaks])

        return -np.logaddexp(0, -odds(judged.own)).mean() - np.logaddexp(0, odds(judged.foreign)).mean()

    found = calibrated(judged)
    assert likelihood(found) >= likelihood(truth) - 5e-3
    assert found.margin > 0
    assert found.lead > 0


@pytest.fixture(scope="module")
def model(meter):
    checkpoint = SyncCheckpoint(SyncNetwork(SMALL), SMALL, Calibration(0, 1, 1), meter, "test", "CC0-1.0")
    return SyncModel(checkpoint)


def test_a_clip_and_its_table_are_the_same_motion(model, tmp_path):
    weights = np.random.default_rng(2).uniform(0, 0.5, (40, len(ARKIT_NAMES))).astype(np.float32)
    clip = expression_clip(ClipInfo(fps=30.0, audio_offset=1.5), weights, np.zeros((40, 2)))
    write_clip(tmp_path / "clip.safetensors", clip)
    export_csv(clip, tmp_path / "clip.csv")
    from_clip = read_motion(tmp_path / "clip.safetensors", model)
    from_table = read_motion(tmp_path / "clip.csv", model, fps=30.0)
    assert (from_clip.fps, from_clip.start) == (30.0, 1.5)
    assert np.allclose(from_clip.measures, from_table.measures, atol=1e-6)
    with pytest.raises(InputError, match="frames per second"):
        read_motion(tmp_path / "clip.csv", model)


def test_a_table_of_measures_leaves_the_others_unknown(model, tmp_path):
    path = tmp_path / "mouth.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["time", "gap", "width"], *([i / 25, 0.01 * i, 0.05] for i in range(10))])
    motion = read_motion(path, model)
    assert motion.fps == pytest.approx(25.0)
    assert np.allclose(motion.measures[:, MEASURES.index("gap")], 0.01 * np.arange(10))
    assert np.isnan(motion.measures[:, MEASURES.index("jaw")]).all()


@pytest.mark.parametrize("text", ["", "time,nose\n0,1\n0.1,2\n", "time,gap\n0,a\n0.1,b\n"])
def test_other_tables_are_refused(model, tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(FileFormatError):
        read_motion(path, model)


def test_the_command_says_how_late_a_table_is(tmp_path, capsys):
    path = tmp_path / "mouth.csv"
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        rows = [[i / 25, *rng.uniform(0.0, 0.02, 2)] for i in range(100)]
        csv.writer(file).writerows([["time", "gap", "width"], *rows])
    voice = Path(__file__).parents[2] / "models" / "assets" / "demo_voice.flac"
    assert main(["evaluate", "sync", str(voice), str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert 0.0 <= said["confidence"] < 0.5  # noise belongs to no voice
    assert abs(said["offset_seconds"]) <= 1.01


def test_a_batch_must_have_something_to_tell_apart(corpus):
    with pytest.raises(ValueError, match="tell apart"):
        SyncRun(corpus, scenes=1)
    with pytest.raises(ValueError, match="tell apart"):
        SyncRun(corpus, frames=64)
    assert SyncRun(corpus).frames / RATE > 5
