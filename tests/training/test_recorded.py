"""Aligners of recorded voices on sounds whose times are known, and the readers of the packages' files."""

import ctypes.util
import gzip
import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from blender_addon.protocol.errors import FileFormatError, InputError
from training.corpus.store import read_source
from training.evaluate.lipsync import read_manifest
from training.phones import BILABIAL
from training.recorded import words
from training.recorded.__main__ import main
from training.recorded.align import AGREEMENT, Aligner, cut_at_pauses, with_first_closures
from training.recorded.build import chosen
from training.recorded.sound import read_recording, speech_bounds
from training.recorded.sources import Spoken, spoken
from training.recorded.warp import best_path, median_alignment, warped

RATE = 16000
needs_espeak = pytest.mark.skipif(
    ctypes.util.find_library("espeak-ng") is None, reason="espeak-ng is not installed"
)


def brute_force(distance):
    """The cheapest path's cost by trying every path."""
    rows, columns = distance.shape

    def cheapest(i, j):
        if (i, j) == (rows - 1, columns - 1):
            return 0.0
        moves = ((1, 1, 1.0), (1, 2, 1.5), (2, 1, 1.5))
        reached = [(i + di, j + dj, w) for di, dj, w in moves if i + di < rows and j + dj < columns]
        return min((w * distance[a, b] + cheapest(a, b) for a, b, w in reached), default=np.inf)

    return distance[0, 0] + cheapest(0, 0)


@settings(deadline=None)
@given(st.integers(3, 6), st.integers(3, 6), st.integers(0, 1000))
def test_best_path_is_the_cheapest_of_all_paths(rows, columns, seed):
    distance = np.random.default_rng(seed).uniform(0.1, 1.0, (rows, columns))
    path, cost = best_path(distance)
    assert path[0].tolist() == [0, 0]
    if path[-1].tolist() == [rows - 1, columns - 1]:
        assert cost * len(path) == pytest.approx(brute_force(distance))
    else:
        assert brute_force(distance) == np.inf
    assert {tuple(step) for step in np.diff(path, axis=0).tolist()} <= {(1, 1), (1, 2), (2, 1)}


def chirps(seed, edges):
    """Segments of noise and tones of random colour, with `edges` in seconds."""
    parts = []
    for number, (start, end) in enumerate(pairwise(edges)):
        rng = np.random.default_rng([seed, number])
        time = np.arange(round(start * RATE), round(end * RATE)) / RATE
        tones = sum(np.sin(2 * np.pi * f * time) for f in rng.uniform(200, 4000, 3))
        parts.append(tones * rng.uniform(0.1, 0.3) + 0.01 * rng.standard_normal(len(time)))
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_a_known_warp_is_found(seed):
    rng = np.random.default_rng(seed)
    edges = np.concatenate([[0.0], np.cumsum(rng.uniform(0.08, 0.25, 9))])
    knots = np.linspace(0.0, edges[-1], 5)
    warp = PchipInterpolator(
        knots, np.concatenate([[0.0], np.cumsum(np.diff(knots) * rng.uniform(0.7, 1.4, 4))])
    )
    found, _ = warped(edges[1:-1], chirps(seed, edges), 0.2 * chirps(seed, warp(edges)))
    assert np.abs(found - warp(edges[1:-1])).max() < 0.025


def test_median_alignment_leaves_out_one_that_went_astray():
    rows = [[(0.0, 0.1, "m"), (0.1, 0.3, "a")]] * 2 + [[(0.0, 0.5, "m"), (0.5, 0.9, "a")]]
    assert median_alignment(rows) == rows[0]


def test_a_first_stop_gets_the_closure_before_its_burst():
    rows = [(0.02, 0.05, "p"), (0.05, 0.3, "a"), (0.3, 0.5, "sil"), (0.5, 0.53, "t"), (0.53, 0.8, "a")]
    changed = with_first_closures(rows, before=0.1)
    expected = [(-0.04, 0.05), (0.05, 0.3), (0.3, 0.44), (0.44, 0.53), (0.53, 0.8)]
    assert np.array([row[:2] for row in changed]) == pytest.approx(np.array(expected))
    assert [row[2] for row in changed] == [row[2] for row in rows]


def test_a_stop_whose_closure_was_not_recorded_is_not_judged():
    assert with_first_closures([(0.0, 0.03, "p"), (0.03, 0.2, "a")], before=0.0)[0] == (0.0, 0.03, "sil")
    assert with_first_closures([(0.0, 0.09, "b")], before=0.0) == [(0.0, 0.09, "b")]


def test_a_recording_is_cut_at_its_pauses():
    rows = [
        (0.2, 0.3, "m"),
        (0.3, 0.6, "a"),
        (0.6, 1.0, "sil"),
        (1.0, 1.1, "b"),
        (1.1, 1.1, "sil"),
        (1.1, 1.4, "o"),
    ]
    apart = [0.01, 0.02, 0.0, 0.09, 0.0, 0.01]
    first, second = cut_at_pauses(rows, apart, 2.0, frozenset({5}))
    assert (first.start, first.end) == pytest.approx((0.0, 0.75))
    assert (second.start, second.end) == pytest.approx((0.85, 2.0))
    assert first.sure
    assert first.disagreement == 0.01
    assert not second.sure
    assert [name for *_, name in second.segments] == ["b", "sil", "sil"]
    assert second.segments[0][0] == pytest.approx(0.15)


def write_packages(share):
    prompts = share / "asterisk/sounds/it_IT_m_Carlo/digits"
    stamps = share / "tuxpaint/stamps/animals"
    letters = share / "klettres/it/syllab"
    for folder in (prompts, stamps, letters, share / "doc/asterisk-core-sounds-it"):
        folder.mkdir(parents=True)
    text = "\ufeff; comment\n\ndigits/1: uno\ndigits/2: due\ntone: [ascending tones]\n"
    (share / "doc/asterisk-core-sounds-it/core-sounds-it.txt.gz").write_bytes(gzip.compress(text.encode()))
    (prompts / "1.g722").write_bytes(b"\0" * 8000)
    (stamps / "ape.txt").write_text("An ape.\nit.utf8=Una scimmia.\nes.utf8=Un mono.\n", "utf-8")
    (stamps / "ape_desc_it.ogg").write_bytes(b"")
    (letters / "ba.ogg").write_bytes(b"")
    sounds = '<sound name="BA" file="it/syllab/ba.ogg"/><sound name="BE" file="it/syllab/be.ogg"/>'
    listing = f"<klettres><language><syllables>{sounds}</syllables></language></klettres>"
    (share / "klettres/it/sounds.xml").write_text(listing)


def test_packages_are_read_with_their_texts(tmp_path):
    write_packages(tmp_path)
    found = {item.id: item.text for item in spoken("it", tmp_path)}
    assert found == {
        "it-asterisk-digits-1": "uno",
        "it-klettres-ba": "ba",
        "it-tuxpaint-animals-ape": "Una scimmia.",
    }
    with pytest.raises(InputError, match="no recordings in language 'ru'"):
        spoken("ru", tmp_path)


def test_g722_lasts_as_long_as_its_bytes_say(tmp_path):
    (tmp_path / "a.g722").write_bytes(b"\0" * 8000)  # 8000 bytes per second
    assert len(read_recording(tmp_path / "a.g722")) == pytest.approx(RATE, abs=64)


def test_overdriven_sound_is_scaled_and_damaged_sound_refused(tmp_path):
    loud = 1.7 * np.sin(np.arange(RATE) / 20.0)
    soundfile.write(tmp_path / "loud.wav", loud, RATE, subtype="FLOAT")
    assert np.abs(read_recording(tmp_path / "loud.wav")[:RATE] - loud / 1.7).max() < 1e-3
    (tmp_path / "bad.ogg").write_bytes(b"no sound")
    with pytest.raises(FileFormatError, match=r"bad\.ogg"):
        read_recording(tmp_path / "bad.ogg")


def test_speech_bounds_leave_out_quiet_ends():
    samples = np.full(RATE, 1e-4, np.float32)
    samples[4000:9600] = 0.3
    assert speech_bounds(samples) == (4000, 9600)


def test_the_same_recordings_are_chosen_every_time(tmp_path):
    items = [Spoken(f"{i}", tmp_path, "a", "it", "x", "one" if i < 30 else "two") for i in range(34)]
    assert chosen(items, 10) == chosen(items, 10)
    assert [item.source for item in chosen(items, 10)] == ["one"] * 10 + ["two"] * 4


@needs_espeak
def test_prepare_finds_the_phones_of_a_known_voice(tmp_path):
    """A reading by one timbre, as a picture's name; the times that espeak-ng tells are the truth."""
    from training.corpus.espeak import Espeak, Manner

    engine = Espeak()
    samples, rows = engine.say("timpul.", "ro+f4", Manner(140, 60, 50))
    stamps = tmp_path / "share/tuxpaint/stamps"
    stamps.mkdir(parents=True)
    pad = np.zeros(engine.rate // 4, np.float32)
    soundfile.write(stamps / "time_desc_ro.ogg", np.concatenate([pad, samples, pad]), engine.rate)
    (stamps / "time.txt").write_text("ro.utf8=timpul.\n", "utf-8")
    options = ["--languages", "ro", "--share", str(tmp_path / "share")]
    result = CliRunner().invoke(main, ["prepare", str(tmp_path / "sets"), *options])
    assert result.exit_code == 0, result.output
    row = json.loads((tmp_path / "sets/ro.jsonl").read_text())
    assert row["apart"] <= AGREEMENT
    phones = read_manifest(tmp_path / "sets/ro.jsonl")[0].phones
    closures = phones.select([name in BILABIAL for name in phones.names])
    found = (closures.start + closures.end) / 2
    truth = [0.25 + (a + b) / 2 for a, b, symbol in rows if symbol in ("m", "p")]
    assert found == pytest.approx(np.array(truth), abs=0.05)


@needs_espeak
def test_voices_are_for_training_or_for_judging(tmp_path):
    """The same recording in two languages: one becomes a source of a corpus, the other a test set."""
    from training.corpus.espeak import Espeak, Manner

    engine = Espeak()
    samples, _ = engine.say("la mappa e il tempo.", "it+f4", Manner(140, 60, 50))
    stamps = tmp_path / "share/tuxpaint/stamps"
    stamps.mkdir(parents=True)
    pad = np.zeros(engine.rate // 4, np.float32)
    soundfile.write(stamps / "map_desc_it.ogg", np.concatenate([pad, samples, pad]), engine.rate)
    (stamps / "map.txt").write_text("it.utf8=la mappa e il tempo.\n", "utf-8")
    share = ["--languages", "it", "--share", str(tmp_path / "share")]
    refused = CliRunner().invoke(main, ["prepare", str(tmp_path / "sets"), *share])
    assert isinstance(refused.exception, InputError)
    taught = CliRunner().invoke(main, ["teach", str(tmp_path), *share])
    assert taught.exit_code == 0, taught.output
    (utterance,) = read_source(tmp_path, "recorded")
    assert utterance.language == "it"
    assert {"m", "p"} <= set(utterance.phones.names)


@needs_espeak
def test_nothing_is_found_in_silence():
    assert Aligner().align(np.zeros(RATE, np.float32), "una mapa", "it") == []


class Echo:
    """A stand-in for a model whose jaw is the loudness of each frame, whatever is around it."""

    def stream(self, fps):
        return EchoStream(RATE // int(fps))


class EchoStream:
    def __init__(self, hop):
        self.hop = hop

    def push(self, samples):
        frames = len(samples) // self.hop
        weights = np.zeros((frames, 52), np.float32)
        weights[:, words.ARKIT_NAMES.index("jawOpen")] = np.abs(samples.reshape(frames, -1)).mean(1)
        return type("Chunk", (), {"weights": weights})

    def finish(self):
        return type("Chunk", (), {"weights": np.zeros((1, 52), np.float32)})


def test_a_model_that_hears_frames_alone_scores_the_same_in_every_layout(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(6):
        sound = rng.uniform(0.1, 0.9, 30).repeat(320) * np.sign(rng.standard_normal(9600))
        soundfile.write(tmp_path / f"{i}.wav", sound, RATE)
        phones = [[0.0, 0.2, "a"], [0.2, 0.3, "m"], [0.3, 0.6, "a"]]
        rows.append({"id": str(i), "wav": f"{i}.wav", "dur": 0.6, "system": "classes", "phones": phones})
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    found = words.words_of(read_manifest(tmp_path / "m.jsonl"))
    scores = [words.score_layout(found, Echo(), layout, hour=20.0).closure_auc for layout in words.LAYOUTS]
    assert scores == pytest.approx([scores[0]] * 4, abs=1e-9)
    assert 0.0 < scores[0] < 1.0
