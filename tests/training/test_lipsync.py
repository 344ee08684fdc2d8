"""Lip-sync measures against brute force and on mouths whose quality is known."""

import json

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.protocol.errors import FileFormatError, InputError
from models.expression.curves import CURVES
from training.articulation import articulate
from training.evaluate.lipsync import read_manifest, read_prediction
from training.evaluate.metrics import Prediction, auc, score
from training.phones import phones_of

INNER = ("p", "a", "m", "i", "b", "u", "f", "a", "v", "E", "p", "o", "m", "ae")


def clip(seed):
    rng = np.random.default_rng(seed)
    inner = list(rng.permutation(INNER))
    names = ["sil", *inner, *inner, "sil"]
    lengths = np.where(np.array(names) == "sil", 0.6, rng.uniform(0.08, 0.16, len(names)))
    ends = np.cumsum(lengths)
    return [(float(b - n), float(b), name) for b, n, name in zip(ends, lengths, names, strict=True)]


def mouth(segments, fps=50.0, late=0.0):
    times = np.arange(int(segments[-1][1] * fps) + 1) / fps
    curves = articulate(phones_of(segments), times - late)
    return Prediction(fps, dict(zip(CURVES, curves.T, strict=True)))


@given(
    st.lists(st.integers(0, 6), min_size=5, max_size=40), st.lists(st.integers(0, 6), min_size=5, max_size=40)
)
def test_auc_counts_pairs(positive, negative):
    wins = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert auc(np.array(positive), np.array(negative)) == pytest.approx(np.mean(wins))


def test_the_true_mouth_scores_high():
    clips = [clip(i) for i in range(6)]
    scores = score([(phones_of(c), c[-1][1], mouth(c)) for c in clips])
    assert scores.clips == 6
    assert scores.bilabials == 6 * 2 * 5
    assert scores.closure_auc > 0.99
    assert scores.closure_hits > 0.99
    assert scores.false_closures < 0.02
    assert scores.labiodental_auc > 0.99
    assert scores.rounding_auc > 0.99
    assert scores.stretch_auc > 0.99
    assert scores.openness_order > 0.6
    assert scores.pause_aperture < 0.05
    assert abs(scores.offset) < 0.03


def test_a_mouth_at_random_scores_one_half():
    rng = np.random.default_rng(0)
    clips = [clip(i) for i in range(12)]
    noise = [{n: rng.random(200) for n in CURVES} for _ in clips]
    scores = score([(phones_of(c), c[-1][1], Prediction(50.0, n)) for c, n in zip(clips, noise, strict=True)])
    for value in (scores.closure_auc, scores.labiodental_auc, scores.rounding_auc):
        assert 0.35 < value < 0.65


def test_a_mouth_that_never_closes_has_no_closures():
    clips = [clip(i) for i in range(4)]
    wide = [Prediction(50.0, {"jawOpen": np.full(300, 0.5)}) for _ in clips]
    scores = score([(phones_of(c), c[-1][1], w) for c, w in zip(clips, wide, strict=True)])
    assert scores.closure_hits == 0.0
    assert scores.closure_auc == pytest.approx(0.5)


@pytest.mark.parametrize("late", [-0.08, 0.06])
def test_a_late_mouth_is_found_late(late):
    clips = [clip(i) for i in range(4)]
    on_time = score([(phones_of(c), c[-1][1], mouth(c)) for c in clips])
    shifted = score([(phones_of(c), c[-1][1], mouth(c, late=late)) for c in clips])
    assert shifted.offset - on_time.offset == pytest.approx(late, abs=0.012)


def test_jitter_is_found():
    segments = clip(0)
    smooth = mouth(segments)
    rng = np.random.default_rng(0)
    rough = dict(smooth.columns) | {"jawOpen": smooth["jawOpen"] + 0.1 * rng.random(smooth.frames)}
    calm, nervous = (
        score([(phones_of(segments), segments[-1][1], p)]).jitter for p in (smooth, Prediction(50.0, rough))
    )
    assert calm < 0.1 < nervous


@pytest.fixture
def manifest(tmp_path):
    rows = []
    for i in range(3):
        segments = clip(i)
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(int(segments[-1][1] * 16000)), 16000)
        rows.append(
            {"id": str(i), "wav": f"{i}.wav", "dur": segments[-1][1], "system": "classes", "phones": segments}
        )
        names = [side for n in CURVES for side in ((n + "Left", n + "Right") if n == "mouthPress" else (n,))]
        columns = [mouth(segments)[n.removesuffix("Left").removesuffix("Right")] for n in names]
        np.savez(tmp_path / f"{i}.npz", fps=50.0, names=np.array(names), curves=np.stack(columns, 1))
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_files_give_the_same_scores_as_arrays(manifest):
    clips = [clip(i) for i in range(3)]
    expected = score([(phones_of(c), c[-1][1], mouth(c)) for c in clips])
    read = read_manifest(manifest)
    found = score([(c.phones, c.duration, read_prediction(manifest.parent, c.id)) for c in read])
    assert found.closure_auc == pytest.approx(expected.closure_auc, abs=1e-3)
    assert found.best_correlation == pytest.approx(expected.best_correlation, abs=1e-3)


def test_csv_predictions(tmp_path):
    (tmp_path / "x.csv").write_text(
        "time,jawOpen,mouthPressLeft,mouthPressRight\n0,.1,0,1\n.04,.2,0,1\n.08,.3,0,1\n"
    )
    found = read_prediction(tmp_path, "x")
    assert found.fps == pytest.approx(25.0)
    np.testing.assert_allclose(found["jawOpen"], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(found["mouthPress"], 0.5)


def test_bad_manifests_are_refused(tmp_path, manifest):
    with pytest.raises(InputError):
        read_manifest(tmp_path / "none.jsonl")
    for text in ("", "not json", '{"id": "x"}'):
        (tmp_path / "bad.jsonl").write_text(text)
        with pytest.raises(FileFormatError):
            read_manifest(tmp_path / "bad.jsonl")
    (tmp_path / "0.npz").unlink()
    with pytest.raises(InputError, match="0"):
        read_prediction(tmp_path, "0")
    (tmp_path / "1.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(FileFormatError, match="damaged"):
        read_prediction(tmp_path, "1")
