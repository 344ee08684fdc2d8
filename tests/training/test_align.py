"""Forced alignment against brute force, and against an engine that knows its own times."""

import itertools
import shutil

import numpy as np
import pytest

from blender_addon.protocol.errors import InputError
from training.corpus import aligned, flite, texts
from training.corpus.align import POSTERIOR_RATE, align, phone_listener
from training.corpus.aligned import aligned_recording
from training.corpus.pico import Voice
from training.phones import CLASS_INDEX, PHONE_CLASSES, SILENCE

_SHORTEST = {name: 3 if name == SILENCE else 2 for name in PHONE_CLASSES}


def posteriors(frames: int, seed: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 2, (frames, len(PHONE_CLASSES)))
    return np.maximum(logits - np.log(np.exp(logits).sum(1, keepdims=True)), -6.9)


def best_by_force(scores: np.ndarray, words: list[list[str]]) -> float:
    """The best total over every choice of silences and of boundaries."""
    best = -np.inf
    for silences in itertools.product((False, True), repeat=len(words) + 1):
        names = [SILENCE] * silences[0]
        for word, silent in zip(words, silences[1:], strict=True):
            names += [*word, *[SILENCE] * silent]
        for cuts in itertools.combinations(range(1, len(scores)), len(names) - 1):
            spans = list(zip((0, *cuts), (*cuts, len(scores)), names, strict=True))
            if all(end - first >= _SHORTEST[name] for first, end, name in spans):
                total = sum(scores[first:end, CLASS_INDEX[name]].sum() for first, end, name in spans)
                best = max(best, total)
    return best


@pytest.mark.parametrize("seed", range(6))
def test_the_best_path_is_found(seed):
    words = [["m", "a"], ["p"]]
    scores = posteriors(13, seed)
    found = align(scores, words)
    assert found is not None
    frames = [
        (round(max(0.0, start * POSTERIOR_RATE + 0.5 * (start > 0))), round(end * POSTERIOR_RATE + 0.5), name)
        for start, end, name in found.segments
    ]
    total = sum(scores[a:b, CLASS_INDEX[name]].sum() for a, b, name in frames)
    assert frames[-1][1] == len(scores)
    assert total == pytest.approx(best_by_force(scores, words))
    assert [name for *_, name in frames if name != SILENCE] == ["m", "a", "p"]


def test_known_segments_come_back():
    truth = [(0, 20, SILENCE), (20, 31, "b"), (31, 50, "i"), (50, 56, "t"), (56, 90, SILENCE), (90, 99, "m")]
    scores = np.full((99, len(PHONE_CLASSES)), -6.0)
    for first, end, name in truth:
        scores[first:end, CLASS_INDEX[name]] = -0.1
    found = align(scores, [["b", "i", "t"], ["m"]])
    assert found is not None
    assert [name for *_, name in found.segments] == [name for *_, name in truth]
    np.testing.assert_allclose(
        [row[0] for row in found.segments], [max(0.0, (a - 0.5) / 100) for a, *_ in truth]
    )
    assert found.score == pytest.approx(-0.1)
    assert found.weakest == pytest.approx(-0.1)


def test_a_phone_that_is_not_there_is_noticed():
    scores = np.full((60, len(PHONE_CLASSES)), -6.0)
    scores[:, CLASS_INDEX["a"]] = -0.1
    scores[:10, CLASS_INDEX["m"]] = 0.0
    found = align(scores, [["m", "a", "sh"]])
    assert found is not None
    assert found.weakest < -3.0


def test_a_sound_too_short_for_its_words_is_refused():
    assert align(posteriors(5, 0), [["m", "a", "p"]]) is None
    sound = np.zeros(800, np.float32)
    assert aligned_recording("x", sound, [["m"], ["a"] * 40], lambda s: posteriors(5, 0)) is None
    assert aligned_recording("x", sound, [["?"]], lambda s: posteriors(5, 0)) is None


def test_weights_that_hear_nothing_end_the_rendering(monkeypatch):
    class Spelling:
        def spell(self, text, voice):
            return [["m", "a"]]

    monkeypatch.setattr(aligned, "Espeak", Spelling)
    monkeypatch.setattr(aligned, "sentences", lambda language: ["Ma."])
    said = []

    def say(voice, text, rng, path):
        said.append(text)
        return np.zeros(1600, np.float32)

    voices = [Voice("en-US", "en-us", "en", 1.0)]
    deaf = aligned.aligned_speech("pico", voices, say, lambda s: posteriors(1, 0), 1.0, 0)
    with pytest.raises(InputError, match="in a row cannot be found"):
        next(deaf)
    assert len(said) == 300


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
@pytest.mark.skipif(not (texts._FORTUNES / "wisdom").exists(), reason="package fortunes is not installed")
def test_alignment_agrees_with_the_engine_that_knows():
    listen, errors = phone_listener(), []
    for recording in flite.recordings(0.4, seed=5):
        known = [row for row in recording.segments if row[2] != SILENCE]
        found = align(listen(recording.samples), [[name for *_, name in known]])
        assert found is not None
        spoken = [row for row in found.segments if row[2] != SILENCE]
        errors += [a[0] - b[0] for a, b in zip(spoken, known, strict=True)]
    assert abs(np.median(errors)) < 0.01
    assert np.median(np.abs(errors)) < 0.015
