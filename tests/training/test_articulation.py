"""What a mouth must do for known phones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.controls import MotionStyle
from models.expression.curves import CURVE_INDEX, CURVES
from training.articulation import articulate, class_at, contacts, spoken_weights, with_effort
from training.phones import PHONE_CLASSES, SILENCE, TARGETS, joined, phones_of
from training.symbols import classes_of, to_classes

TIMES = np.arange(200) / 100


def curve(phones, name, times=TIMES):
    return articulate(phones, times)[:, CURVE_INDEX[name]]


def said(*names, length=0.1):
    return phones_of([(length * i, length * (i + 1), name) for i, name in enumerate(names)])


@pytest.mark.parametrize("consonant", ["p", "b", "m"])
@pytest.mark.parametrize("vowel", ["a", "i", "u", "O"])
def test_lips_meet_in_the_middle_of_a_bilabial(consonant, vowel):
    phones = said("sil", vowel, consonant, vowel, "sil")
    aperture = curve(phones, "jawOpen") - curve(phones, "mouthClose")
    assert aperture[25] < 1e-6
    assert aperture[15] > 0.02
    assert contacts(phones, TIMES)[25, 0] == 1.0
    assert contacts(phones, TIMES)[[12, 38], 0].max() < 0.05


def test_f_and_v_bring_the_lip_to_the_teeth():
    phones = said("sil", "a", "f", "a", "sil")
    assert curve(phones, "mouthRollLower")[25] > 0.35
    assert curve(phones, "mouthRollLower")[15] < 0.25
    assert contacts(phones, TIMES)[25, 1] == 1.0


def test_open_vowels_open_and_round_vowels_round():
    jaw = {v: curve(said("t", v, "t"), "jawOpen")[15] for v in ("a", "e", "i", "u")}
    assert jaw["a"] > jaw["e"] > max(jaw["i"], jaw["u"])
    assert curve(said("t", "u", "t"), "mouthPucker")[15] > 3 * curve(said("t", "i", "t"), "mouthPucker")[15]


def test_rounding_spreads_into_the_consonant_before_it():
    assert curve(said("i", "s", "u"), "mouthPucker")[17] > 2 * curve(said("i", "s", "i"), "mouthPucker")[17]


@given(st.lists(st.tuples(st.sampled_from(PHONE_CLASSES), st.floats(0.02, 0.4)), min_size=1, max_size=12))
def test_curves_stay_weights_and_move_smoothly(parts):
    edges = np.concatenate([[0.0], np.cumsum([length for _, length in parts])])
    phones = phones_of([(a, b, n) for a, b, (n, _) in zip(edges[:-1], edges[1:], parts, strict=True)])
    curves = articulate(phones, np.arange(0.0, edges[-1], 0.01))
    assert curves.min() >= 0.0
    assert curves.max() <= 1.0
    assert (curves[:, CURVE_INDEX["mouthClose"]] <= curves[:, CURVE_INDEX["jawOpen"]] + 1e-6).all()
    assert np.abs(np.diff(curves, axis=0)).max(initial=0.0) < 0.35


@pytest.mark.parametrize(
    ("name", "shape", "vowel"),
    [("jaw", "jawOpen", "a"), ("rounding", "mouthPucker", "u"), ("spread", "mouthStretch", "i")],
)
def test_a_unit_of_style_is_a_factor_of_the_root_of_two(name, shape, vowel):
    phones = said("sil", "t", vowel, "t", "sil")
    plain = articulate(phones, TIMES)[:, CURVE_INDEX[shape]]
    for value in (-1.0, 0.5, 1.0):
        styled = articulate(phones, TIMES, MotionStyle(**{name: value}))[:, CURVE_INDEX[shape]]
        np.testing.assert_allclose(styled, plain * 2 ** (value / 2), atol=1e-6)


def test_sharp_speakers_reach_their_targets():
    phones = said(*"tatitati", length=0.08)
    jaws = [
        np.ptp(articulate(phones, TIMES[:60], MotionStyle(sharpness=value))[:, CURVE_INDEX["jawOpen"]])
        for value in (-1.0, 0.0, 1.0)
    ]
    assert jaws[0] < jaws[1] < jaws[2]


def test_asymmetry_moves_one_side_more_and_keeps_the_sum():
    phones = said("sil", "i", "s", "i", "sil")
    left, right = (ARKIT_INDEX[f"mouthSmile{side}"] for side in ("Left", "Right"))
    plain, leaning = spoken_weights(phones, TIMES), spoken_weights(phones, TIMES, MotionStyle(asymmetry=1.0))
    assert leaning[15, left] > 1.5 * leaning[15, right]
    np.testing.assert_allclose(leaning[:, [left, right]].sum(1), plain[:, [left, right]].sum(1), atol=1e-6)
    np.testing.assert_array_equal(leaning[:, ARKIT_INDEX["jawOpen"]], plain[:, ARKIT_INDEX["jawOpen"]])


def test_silence_is_rest():
    assert articulate(said("sil"), TIMES).max() == 0.0
    assert articulate(phones_of([]), TIMES).shape == (200, len(CURVES))


def test_class_at_follows_the_table_and_is_silent_elsewhere():
    phones = phones_of([(0.1, 0.2, "a"), (0.2, 0.3, "b"), (0.5, 0.6, "s")])
    names = [PHONE_CLASSES[k] for k in class_at(phones, np.array([0.05, 0.15, 0.2, 0.29, 0.4, 0.55, 0.6]))]
    assert names == [SILENCE, "a", "b", "b", SILENCE, "s", SILENCE]


def test_loud_vowels_open_more():
    segments = [(0.2 * i, 0.2 * (i + 1), "a") for i in range(5)]
    samples = np.random.default_rng(0).standard_normal(16000) * np.repeat([1, 1, 0.1, 1, 1], 3200) * 0.3
    effort = with_effort(segments, samples.astype(np.float32)).effort
    assert effort[2] < effort[[0, 1, 3, 4]].min()
    assert effort.min() >= 0.7
    assert effort.max() <= 1.2


def test_every_target_names_real_curves():
    for target in TARGETS.values():
        assert set(target.weights) <= set(CURVES)


@pytest.mark.parametrize(
    ("symbol", "system", "expected"),
    [
        ("AY1", "arpa", ("a", "I")),
        ("P", "arpa", ("p",)),
        ("SIL", "arpa", ("sil",)),
        ("tʃ", "ipa", ("t", "sh")),
        ("ɛ\u02d0", "ipa", ("E",)),
        ("ii", "ru", ("i",)),
        ("a:", "sampa", ("a",)),
        ("zh", "classes", ("zh",)),
        ("??", "classes", ()),
    ],
)
def test_symbols(symbol, system, expected):
    assert classes_of(symbol, system) == expected


def test_phone_sets_map_to_known_classes():
    for system, symbols in {"arpa": "aa ow ch hh", "ru": "ch sch yy", "sampa": "tS c~ a:"}.items():
        for symbol in symbols.split():
            found = classes_of(symbol, system)
            assert found
            assert set(found) <= set(PHONE_CLASSES)


def test_diphthongs_are_split_and_silences_joined():
    rows = [(0.0, 0.1, "pau"), (0.1, 0.2, "#"), (0.2, 0.4, "ay"), (0.4, 0.5, "unknown"), (0.5, 0.5, "p")]
    found = to_classes(rows, "arpa")
    assert [name for *_, name in found] == ["sil", "a", "I"]
    np.testing.assert_allclose([row[:2] for row in found], [(0.0, 0.2), (0.2, 0.31), (0.31, 0.5)])


def test_tables_shift_stretch_and_join():
    phones = joined([said("a", "b"), said("s").shifted(0.2)]).shifted(1.0, stretch=2.0)
    np.testing.assert_allclose(phones.start, [1.0, 1.2, 1.4])
    np.testing.assert_allclose(phones.end, [1.2, 1.4, 1.6])
    assert phones.names == ["a", "b", "s"]
