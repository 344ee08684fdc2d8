"""The corpus builder, with the installed engines where there are any."""

import random
import shutil
from collections import Counter
from ctypes.util import find_library
from dataclasses import replace

import numpy as np
import pytest

from blender_addon.protocol.errors import InputError, OutputError
from training.corpus import build, espeak, festival, flite, pico, rhvoice, russian, texts
from training.corpus.align import phone_listener
from training.corpus.aligned import loud_silence
from training.corpus.build import (
    DEVELOPMENT_SOURCES,
    SHARES,
    CorpusConfig,
    build_corpus,
    needs_building,
    settings_of,
    summary,
)
from training.corpus.effects import EFFECTS
from training.corpus.espeak import with_stop_closures
from training.corpus.labels import read_labels
from training.corpus.packages import missing_packages
from training.corpus.store import Recording, write_source
from training.phones import PHONE_CLASSES
from training.symbols import classes_of

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


def speech(count: int) -> list[Recording]:
    return [
        Recording(f"voice {i % 3}", np.ones(RATE, np.float32), [(0.0, 1.0, "a")], "en") for i in range(count)
    ]


@pytest.fixture
def engines(monkeypatch):
    """No engine is asked: every source has six seconds; what is asked for is noted."""
    rendered = []

    def render(config, name):
        rendered.append(name)
        return speech(6)

    monkeypatch.setattr(build, "_recordings", render)
    monkeypatch.setattr(build, "missing_packages", lambda sources: [])
    return rendered


def test_a_corpus_is_rendered_once(engines, tmp_path):
    config, seconds = CorpusConfig(tmp_path / "new", minutes=1.0), []
    assert needs_building(config.out)
    build_corpus(config, seconds.append)
    assert engines == list(SHARES)
    assert sum(seconds) == 6 * len(SHARES)
    assert not needs_building(config.out)
    build_corpus(config)
    assert engines == list(SHARES)
    first = summary(config.out)[0]
    assert (first.name, first.voices, dict(first.minutes)) == ("espeak", 3, {"en": pytest.approx(0.1)})


def test_an_interrupted_corpus_goes_on(engines, tmp_path, monkeypatch):
    config, whole = CorpusConfig(tmp_path / "new", minutes=1.0), build._recordings

    def broken(config, name):
        if name == "russian":
            raise KeyboardInterrupt
        return whole(config, name)

    monkeypatch.setattr(build, "_recordings", broken)
    with pytest.raises(KeyboardInterrupt):
        build_corpus(config)
    assert needs_building(config.out)
    monkeypatch.setattr(build, "_recordings", whole)
    build_corpus(settings_of(config.out))
    assert engines == list(SHARES)
    with pytest.raises(OutputError, match=r"minutes \(1.0, now 2.0\)"):
        build_corpus(replace(config, minutes=2.0))


def test_sources_can_be_left_out(engines, tmp_path):
    build_corpus(CorpusConfig(tmp_path / "new", without=("rhvoice", "sung")))
    assert engines == [name for name in SHARES if name not in ("rhvoice", "sung")]
    assert not needs_building(tmp_path / "new")


def test_an_existing_folder_is_not_written_into(tmp_path):
    assert not needs_building(tmp_path)
    with pytest.raises(OutputError, match="already"):
        build_corpus(CorpusConfig(tmp_path))


def test_missing_packages_are_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(texts, "_FORTUNES", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(rhvoice, "_FOLDER", tmp_path)
    missing = missing_packages(SHARES)
    for package in ("flite", "festival", "libttspico-utils", "rhvoice-ukrainian", "fortunes-de"):
        assert missing.count(package) == 1
    with pytest.raises(InputError, match=r"apt-get install .*rhvoice-english"):
        build_corpus(CorpusConfig(tmp_path / "new"))
    assert missing_packages(["sung"]) == []


def test_shares_are_of_a_whole():
    assert sum(SHARES.values()) == pytest.approx(1.0)
    assert set(EFFECTS) < set(SHARES)
    assert set(DEVELOPMENT_SOURCES) < set(SHARES)


@pytest.mark.parametrize(
    ("change", "words"), [({"minutes": 0.0}, "minutes"), ({"without": ("pic",)}, "pic;")]
)
def test_wrong_settings_are_refused(change, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        CorpusConfig(tmp_path, **change)


def test_at_most_so_many_minutes():
    assert len(list(build._at_most(0.05, speech(9)))) == 3


@needs_texts
@pytest.mark.parametrize(("engine", "program"), [(pico, "pico2wave"), (rhvoice, "RHVoice-test")])
def test_engines_without_times_are_aligned(engine, program):
    name = engine.__name__.rpartition(".")[2]
    if missing_packages([name]):
        pytest.skip(f"{program} or its texts are not installed")
    recordings = list(engine.recordings(0.12, 3, phone_listener()))
    check(recordings)
    assert all(recording.language for recording in recordings)
    assert loudness(recordings, "a") > 10 * loudness(recordings, "sil")


@needs_texts
@pytest.mark.skipif(find_library("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeak_spells_words():
    spelled = espeak.Espeak().spell("my baby, bought a map", "en-us")
    assert len(spelled) == 5
    assert [word[0] for word in spelled][:3] == ["m", "b", "b"]
    with pytest.raises(InputError, match="xx-none"):
        espeak.Espeak().spell("a", "xx-none")


def test_the_ich_sound_is_no_stop():
    assert classes_of("ç", "ipa") == ("sj",)
    assert classes_of("a\u0303", "ipa") == ("a",)


def test_loud_silences_are_noticed():
    samples = np.full(RATE, 0.3, np.float32)
    samples[: RATE // 2] = 0.0
    assert loud_silence(samples, [(0.0, 0.5, "sil"), (0.5, 1.0, "a")]) == 0
    assert loud_silence(samples, [(0.0, 0.7, "sil"), (0.7, 1.0, "a")]) == 18
