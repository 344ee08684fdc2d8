"""Training the codebook of head motion: the bank, the losses, a run through the command line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from scipy.signal import welch

from backend.cli import main
from blender_addon.protocol.clip import ClipInfo, expression_clip, write_clip
from blender_addon.protocol.errors import InputError
from models.pose.checkpoint import read_codebook
from models.pose.hearing import HEARD, SILENT
from models.pose.network import CodebookConfig, PoseCodec
from training.loop.fit import fit
from training.loop.state import STATE_NAME
from training.pose.codebook import CodebookRun, CodebookTask, smoke_run
from training.pose.data import (
    HELD,
    TRAINED,
    BankConfig,
    PoseBank,
    Scene,
    pose_bank,
    read_bank,
    voices_apart,
)
from training.pose.reconstruction import explained, log_power, nod_depths, spectral_distance

from .overfitting import overfit

SMALL = CodebookConfig(channels=24, blocks=1, width=16)
MOTION = BankConfig(scenes=2, held=1, seconds=12.0, motions=2)


@pytest.fixture(scope="module")
def bank(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    pose_bank(folder, corpus, MOTION)
    return folder


@pytest.fixture
def run(bank, corpus):
    return replace(smoke_run(CodebookRun(bank=bank, corpus=corpus)), shape=SMALL)


def test_a_bank_holds_what_it_was_asked_for(bank):
    trained, held = read_bank(bank, TRAINED), read_bank(bank, HELD)
    assert (len(trained.scenes), len(held.scenes)) == (2, 1)
    scene = trained.scenes[0]
    assert scene.heard.shape == (300, HEARD)
    assert scene.poses.shape == (2, 300, 6)
    assert trained.minutes == pytest.approx(2 * 2 * 0.2)
    joined = np.concatenate([s.poses.reshape(-1, 6) for s in trained.scenes])
    assert np.allclose(trained.scale, np.sqrt((joined**2).mean(0)), rtol=1e-3)


def test_a_bank_is_made_once(bank, corpus):
    before = {path: path.stat().st_mtime_ns for path in bank.rglob("*.npy")}
    pose_bank(bank, corpus, MOTION)
    assert {path: path.stat().st_mtime_ns for path in bank.rglob("*.npy")} == before
    with pytest.raises(InputError, match="other settings"):
        pose_bank(bank, corpus, replace(MOTION, seed=1))


def test_voices_held_out_are_not_trained_on(corpus):
    trained, held = ({u.voice for source in pool.sources for u in source} for pool in voices_apart(corpus))
    assert trained
    assert held
    assert not trained & held


def test_windows_are_parts_of_their_scene():
    rng = np.random.default_rng(0)
    scene = Scene(
        rng.normal(size=(80, HEARD)).astype(np.float32),
        rng.normal(size=(2, 80, 6)).astype(np.float32),
        rng.normal(size=(2, 4)).astype(np.float32),
    )
    bank = PoseBank([scene])
    windows = bank.windows(np.array([[0, 1, 8], [0, 0, 0]]), 16, before=5, after=3)
    assert np.array_equal(windows.heard[0], scene.heard[3:27])
    assert np.array_equal(windows.heard[1], np.concatenate([np.tile(SILENT, (5, 1)), scene.heard[:19]]))
    assert np.array_equal(windows.poses[0], scene.poses[1, 8:24])
    assert np.array_equal(windows.start, np.stack([scene.poses[1, 7], scene.poses[0, 0]]))
    assert np.array_equal(windows.styles, scene.styles[::-1])
    drawn = bank.draw(50, 16, rng, after=3)
    assert set(drawn.place[:, 2] % 4) == {0}
    assert drawn.place[:, 2].max() <= 80 - 16 - 3


def test_tracked_clips_make_a_bank(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        frames = 180
        pose = (0.1 * np.cumsum(rng.normal(size=(frames, 6)), 0) / frames + 0.5).astype(np.float32)
        wavfile.write(tmp_path / f"{number}.wav", 16000, (1000 * rng.normal(size=96000)).astype(np.int16))
        info = ClipInfo(fps=30.0, audio_path=f"{number}.wav")
        clip = expression_clip(info, np.zeros((frames, 52)), np.zeros((frames, 2)))
        write_clip(tmp_path / f"{number}.safetensors", replace(clip, pose=pose))
    pose_bank(tmp_path / "bank", tmp_path, MOTION, clips=tmp_path)
    trained, held = read_bank(tmp_path / "bank", TRAINED), read_bank(tmp_path / "bank", HELD)
    assert (len(trained.scenes), len(held.scenes)) == (2, 1)
    for scene in (*trained.scenes, *held.scenes):
        assert scene.poses.shape == (1, 148, 6)  # 6 s, a multiple of four frames with one beyond each
        assert np.abs(np.median(scene.poses, axis=1)).max() < 0.01  # about rest
        assert len(scene.heard) == 148


def test_a_folder_without_head_motion_is_refused(tmp_path):
    with pytest.raises(InputError, match="head motion"):
        pose_bank(tmp_path / "bank", tmp_path, MOTION, clips=tmp_path)


def test_one_batch_can_be_learned(run):
    before, after = overfit(CodebookTask(run), 120, 5e-3)
    assert after["pose"] < 0.35 * before["pose"]
    assert after["total"] < 0.5 * before["total"]


def test_a_batch_depends_on_the_step_alone(run):
    task = CodebookTask(run)
    assert torch.equal(task.batch(3).poses, task.batch(3).poses)
    assert not torch.equal(task.batch(3).poses, task.batch(4).poses)


def test_a_run_that_stops_goes_on_as_if_it_had_not(run, tmp_path):
    """The codebook's averages and revived codes are part of the state."""

    class Stopping(CodebookTask):
        def batch(self, step):
            if step == 4:
                raise InterruptedError
            return super().batch(step)

    fit(CodebookTask(run), run, tmp_path / "whole")
    with pytest.raises(InterruptedError):
        fit(Stopping(run), run, tmp_path / "again")
    fit(CodebookTask(run), run, tmp_path / "again")
    one, two = ((tmp_path / name / STATE_NAME).read_bytes() for name in ("whole", "again"))
    assert one[one.index(b"}}") :][-100000:] == two[two.index(b"}}") :][-100000:]
    whole, again = (
        read_codebook(tmp_path / name / "pose-codebook.safetensors") for name in ("whole", "again")
    )
    assert torch.equal(whole.codec.quantiser.codes, again.codec.quantiser.codes)


def test_kept_codes_stay_and_the_decoder_learns(run, tmp_path):
    first = fit(CodebookTask(run), run, tmp_path / "first").weights
    tuned = replace(run, source=first, codes_kept=True)
    second = fit(CodebookTask(tuned), tuned, tmp_path / "second").weights
    before, after = read_codebook(first).codec, read_codebook(second).codec
    assert torch.equal(before.quantiser.codes, after.quantiser.codes)
    assert torch.equal(before.encoder.out.weight, after.encoder.out.weight)
    assert not torch.equal(before.decoder.draw.weight, after.decoder.draw.weight)
    with pytest.raises(ValueError, match="--from"):
        replace(run, codes_kept=True)


def test_the_command_trains(corpus, tmp_path, capsys):
    arguments = ["train", "pose-codebook", "--smoke", "--corpus", str(corpus), "-o", str(tmp_path / "run")]
    assert main([*arguments, "--bank", str(tmp_path / "bank")]) == 0
    assert "pose-codebook.safetensors" in capsys.readouterr().out
    codec = read_codebook(tmp_path / "run" / "pose-codebook.safetensors").codec
    assert isinstance(codec, PoseCodec)
    card = (tmp_path / "run" / "pose-codebook.md").read_text()
    assert "synthetic" in card
    assert "CC0-1.0" in card


def test_measures_against_closed_forms():
    rng = np.random.default_rng(1)
    true = [np.cumsum(rng.normal(size=(400, 6)), 0) for _ in range(3)]
    assert np.allclose(explained(true, true), 1.0)
    mean = np.concatenate(true).mean(0)
    assert np.allclose(explained(true, [np.tile(mean, (400, 1))] * 3), 0.0, atol=1e-9)
    halved = [0.5 * one for one in true]
    assert np.allclose(spectral_distance(true, halved), -20 * np.log10(2), atol=1e-6)
    assert nod_depths(true, halved) == pytest.approx(0.5)


def test_batch_spectra_are_welchs():
    motion = np.random.default_rng(2).normal(size=(3, 160, 6))
    ours = log_power(torch.from_numpy(motion), 64).numpy()
    theirs = welch(motion, nperseg=64, noverlap=32, axis=1, detrend=False, window="hann")[1].mean(0)
    difference = ours - np.log(theirs[1 : 1 + len(ours)])
    assert len(ours) == int(6 / 25 * 64)
    assert np.ptp(difference) < 1e-4, "but for a constant"
