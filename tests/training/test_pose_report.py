"""Rows and tables of evaluate pose on made-up sounds and motions whose answers are known."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli import cli
from blender_addon.protocol.errors import InputError
from training.corpus.store import Utterance
from training.evaluate import pose_judge
from training.evaluate.pose import PosePlan, PoseReport
from training.evaluate.pose_page import write_pose_page
from training.evaluate.pose_rows import Takes, takes_of
from training.evaluate.pose_sounds import Piece, PoseSound, of_files, of_utterances
from training.evaluate.pose_tables import format_pose, pose_json
from training.phones import phones_of
from training.pose.reconstruction import Reconstruction

RATE, SECONDS = 25, 40


def clicks(seed):
    """[n] f32 bursts at random moments, and those moments."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.7, 1.3, 60))
    times = times[times < SECONDS - 1]
    samples = 1e-4 * rng.standard_normal(16000 * SECONDS)
    for time in times:
        first = int(time * 16000)
        samples[first : first + 3200] += rng.standard_normal(3200) * np.exp(-np.arange(3200) / 800) * 0.3
    return samples.astype(np.float32), times


def nodding(times, seed, size=0.06):
    """[T, 6] nods whose lowest points are at `times`, each with a size of its own; slow noise on all axes."""
    rng = np.random.default_rng([seed, 1])
    moments = np.arange(SECONDS * RATE) / RATE
    sizes = size * rng.uniform(0.7, 1.3, len(times))
    motion = 0.002 * np.cumsum(rng.standard_normal((len(moments), 6)), axis=0) / 5
    motion[:, 0] += np.exp(-0.5 * ((moments[:, None] - times) / 0.1) ** 2) @ sizes
    return motion


@pytest.fixture(scope="module")
def judged():
    """Two voices' clicks, nodded to on the beat by the reference and by others."""
    parts = [clicks(seed) for seed in (0, 1)]
    sound = of_files([(f"voice {i}", samples) for i, (samples, _) in enumerate(parts)])

    def takes(seeds, size):
        return Takes(
            np.stack([np.concatenate([nodding(times, seed, size) for _, times in parts]) for seed in seeds]),
            50.0,
        )

    found = {
        "reference": takes(range(4), 0.06),
        "same": takes(range(4, 8), 0.06),
        "twice": takes(range(4), 0.12),
    }
    still = found["reference"].motions.mean(0, keepdims=True).repeat(4, 0)
    found["no seeds"] = Takes(still, 50.0)
    judge = pose_judge.PoseJudge(sound, found["reference"].motions)
    return sound, judge, found, {name: judge.row(one) for name, one in found.items()}


def test_rows_say_what_was_put_in(judged):
    _, judge, found, rows = judged
    assert rows["reference"].variance == pytest.approx(np.ones(6))
    assert rows["twice"].variance[0] == pytest.approx(4.0, rel=0.1)
    assert rows["twice"].run.std_ratio[0] == pytest.approx(2.0, rel=0.15)
    assert rows["no seeds"].diversity.value == pytest.approx(0.0, abs=1e-9)
    across = found["same"].motions.std(0, ddof=1)[..., :3]
    expected = np.degrees(np.sqrt((across**2).mean()))
    assert rows["same"].diversity.value == pytest.approx(expected)
    assert rows["same"].frechet.low < 1.5 * judge.floor.high
    assert rows["twice"].frechet.value > 1.5 * judge.floor.value


def test_nods_on_the_beat_are_told_from_nods_to_another_sound(judged):
    beats = judged[3]["same"].beats
    assert beats.f1.value > 0.7
    assert beats.other.value < 0.4
    assert beats.chance < 0.4
    assert beats.lost.clips[0] > 0.3


def test_tables_page_and_json_hold_every_row(judged, tmp_path):
    sound, judge, found, rows = judged
    kept = {
        "codebook": Reconstruction(np.full(6, 0.97), np.full(6, 0.5), 0.95, np.array([0.8]), np.array([99.0]))
    }
    report = PoseReport(sound, rows, found, judge.limits, judge.floor, kept)
    text = format_pose(report)
    assert all(text.count(f"\n{name} ") == 4 for name in rows if name != "reference")
    assert "80%, 99" in text
    document = json.loads(pose_json(report))
    assert document["rows"]["twice"]["variance"][0] == pytest.approx(rows["twice"].variance[0])
    report = PoseReport(
        sound,
        {**rows, "codebook": rows["same"]},
        {**found, "codebook": found["same"]},
        *(judge.limits, judge.floor, kept),
    )
    page = write_pose_page(report, tmp_path / "page")
    pictures = {path.name for path in page.parent.glob("*.png")}
    assert pictures == {"spectra.png", "01.png", "02.png"}
    assert all(f'src="{name}"' in page.read_text() for name in pictures)


def test_takes_are_cut_to_the_sound_and_differ_by_seed():
    sound = PoseSound(np.zeros(16000, np.float32), None, (Piece("a", 0, 25),))
    found = takes_of(lambda heard: lambda seed: np.full((30, 6), float(seed)), sound, range(3, 6))
    assert found.motions.shape == (3, 25, 6)
    assert list(found.motions[:, 0, 0]) == [3.0, 4.0, 5.0]


def test_sentences_become_minutes_of_each_voice_with_their_phones():
    rng = np.random.default_rng(0)
    table = phones_of([(0.0, 0.5, "a"), (0.5, 1.0, "m")])
    said = [
        Utterance(voice, (3000 * rng.standard_normal(16000)).astype(np.int16), table)
        for voice, count in (("long", 70), ("short", 20), ("other", 61))
        for _ in range(count)
    ]
    sound = of_utterances(said, 3.0)
    assert {piece.voice for piece in sound.pieces} == {"long", "other"}  # the short one has no minute
    assert sound.frames == 3 * 60 * RATE
    assert sum(piece.seconds for piece in sound.pieces) == 180.0
    loud = np.abs(sound.samples).reshape(-1, 640).max(1) > 0.02
    middles = ((sound.phones.start + sound.phones.end) / 2 * RATE).astype(int)
    assert loud[middles].mean() > 0.98
    with pytest.raises(InputError, match="a minute of speech"):
        of_utterances(said[70:90], 3.0)


def test_pieces_belong_to_one_file_and_short_rests_are_dropped():
    sound = of_files([("a", np.zeros(16000 * 63, np.float32)), ("b", np.zeros(16000 * 10, np.float32))])
    assert sound.pieces == (Piece("a", 0, 1500), Piece("b", 1575, 1825))
    assert len(sound.pieces[1].samples(sound.samples)) == 160000
    with pytest.raises(InputError, match="shorter than 6 s"):
        of_files([("c", np.zeros(16000, np.float32))])


def test_nothing_to_judge_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="Give sounds"):
        PosePlan().sound()
    with pytest.raises(InputError, match="two or more"):
        PosePlan(seeds=1)
    found = CliRunner().invoke(cli, ["evaluate", "pose", str(tmp_path / "none.wav")])
    assert found.exit_code != 0
