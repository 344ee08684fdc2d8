"""The corpus builder, with the installed engines where there are any."""

import random
import shutil
from collections import Counter
from ctypes.util import find_library

import numpy as np
import pytest

from blender_addon.protocol.errors import InputError, OutputError
from training.corpus import espeak, festival, flite, russian, texts
from training.corpus.build import CorpusConfig, build_corpus
from training.corpus.espeak import with_stop_closures
from training.corpus.labels import read_labels
from training.corpus.store import Recording, write_source
from training.phones import PHONE_CLASSES

RATE = 16000
needs_texts = pytest.mark.skipif(
    not (texts._FORTUNES / "wisdom").exists(), reason="package fortunes is not installed"
)


def check(recordings: list[Recording]) -> None:
    assert recordings
    for recording in recordings:
        assert recording.samples.dtype == np.float32
        starts, ends, names = zip(*recording.segments, strict=True)
        assert set(names) <= set(PHONE_CLASSES)
        assert (np.array(ends) > np.array(starts)).all()
        assert (np.array(starts[1:]) >= np.array(ends[:-1]) - 1e-6).all()
        assert abs(ends[-1] - len(recording.samples) / RATE) < 0.2


def loudness(recordings: list[Recording], name: str) -> float:
    """Mean power in the phones of a class, relative to the recording's."""
    values = []
    for recording in recordings:
        total = np.mean(recording.samples**2)
        for start, end, found in recording.segments:
            part = recording.samples[int(start * RATE) : int(end * RATE)]
            if found == name and len(part):
                values.append(np.mean(part**2) / total)
    return float(np.mean(values)) if values else float("nan")


@needs_texts
@pytest.mark.skipif(find_library("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeak_speaks_and_says_when():
    recordings = list(espeak.recordings(0.6, seed=1))
    check(recordings)
    assert loudness(recordings, "a") > 5 * loudness(recordings, "sil")
    assert sum(len(r.samples) for r in recordings) / RATE >= 36


@needs_texts
@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_flite_speaks_and_says_when():
    recordings = list(flite.recordings(0.3, seed=1))
    check(recordings)
    assert loudness(recordings, "ae") > 5 * loudness(recordings, "sil")


@needs_texts
@pytest.mark.skipif(shutil.which("festival") is None, reason="festival is not installed")
def test_festival_speaks_and_says_when():
    voice = festival.TRAINING_VOICES[0]
    texts_ = ["This is a short sentence.", "My baby bought a map."]
    recordings = list(festival._say(voice, texts_, random.Random(0)))
    if not recordings:
        pytest.skip(f"{voice.name} is not installed")
    check(recordings)
    counts = Counter(name for r in recordings for *_, name in r.segments)
    assert counts["m"] == 2
    assert counts["b"] == 3


@pytest.mark.skipif(not russian.FOLDER.exists(), reason="festvox-ru is not installed")
def test_held_out_russian_sentences_stay_held_out():
    paths = russian._sounds()
    assert len(paths) == 620
    development = [paths[i] for i in range(620) if i % 12 == 6]
    recordings = russian.development_recordings()
    check([next(recordings)])
    assert len(development) == sum(1 for _ in recordings) + 1


def test_labels_are_ends(tmp_path):
    path = tmp_path / "x.lab"
    path.write_text("separator ;\n#\n0.25 100 pau\n0.5 100 a\n")
    assert read_labels(path) == [(0.0, 0.25, "pau"), (0.25, 0.5, "a")]


def test_flite_timings_are_parsed():
    assert flite._parse("pau:0.2 hh:0.31 ax:x l:0.4 done") == [
        (0.0, 0.2, "pau"),
        (0.2, 0.31, "hh"),
        (0.31, 0.4, "l"),
    ]


def test_voiceless_stops_get_their_closure():
    samples = np.zeros(RATE, np.float32)
    samples[: int(0.3 * RATE)] = 0.5
    samples[int(0.36 * RATE) :] = 0.5
    segments = [(0.0, 0.36, "a"), (0.36, 0.45, "p"), (0.45, 1.0, "a")]
    found = with_stop_closures(samples, segments)
    assert found[0][1] == found[1][0] == pytest.approx(0.3, abs=0.01)
    assert found[1][1:] == (0.45, "p")
    voiced = [(0.0, 0.36, "a"), (0.36, 0.45, "b"), (0.45, 1.0, "a")]
    assert with_stop_closures(samples, voiced) == voiced


def test_missing_texts_are_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(texts, "_FORTUNES", tmp_path)
    with pytest.raises(InputError, match="en"):
        texts.sentences("en")


def test_an_empty_source_is_refused(tmp_path):
    with pytest.raises(InputError, match="nothing"):
        write_source(tmp_path, "nothing", [])
    assert list(tmp_path.iterdir()) == []


def test_an_existing_corpus_is_not_overwritten(tmp_path):
    with pytest.raises(OutputError, match="already"):
        build_corpus(CorpusConfig(tmp_path))


def test_a_corpus_that_fails_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(texts, "_FORTUNES", tmp_path)
    with pytest.raises(InputError):
        build_corpus(CorpusConfig(tmp_path / "new" / "corpus"))
    assert list((tmp_path / "new").iterdir()) == []


def test_minutes_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="minutes"):
        CorpusConfig(tmp_path, flite_minutes=0.0)
