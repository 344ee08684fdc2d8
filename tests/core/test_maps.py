"""Maps: the presets' names, channels and viseme mixtures against independent solvers, name matching."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from blender_addon.maps import (
    Channel,
    FaceMap,
    apply_map,
    bound,
    detect_map,
    find_name,
    load_map,
    preset_names,
    recipe_weights,
)
from blender_addon.maps.apply import best_mixture, prices, to_shares, viseme_weights
from blender_addon.maps.names import spelling
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.errors import FileFormatError, InputError, VividTalkError

# The lists as their makers print them.
OCULUS = ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U"]
MICROSOFT = (
    *(
        "sil",
        "aa_ah_ax",
        "aa",
        "ao",
        "ey_eh_uh",
        "er",
        "y_iy_ih_ix",
        "w_uw",
        "ow",
        "aw",
        "oy",
        "ay",
        "h",
        "r",
        "l",
    ),
    *("s_z", "sh_ch_jh_zh", "th_dh", "f_v", "d_t_n", "k_g_ng", "p_b_m"),
)


def names(preset: str) -> list[str]:
    return [part.targets[0] for part in load_map(preset).parts]


def weights(**values: float) -> np.ndarray:
    row = np.zeros((1, 52), np.float32)
    for name, value in values.items():
        for full in [name] if name in ARKIT_INDEX else [f"{name}Left", f"{name}Right"]:
            row[0, ARKIT_INDEX[full]] = value
    return row


def test_presets_have_the_names_of_their_kind() -> None:
    assert preset_names() == ("arkit", "cc4", "makehuman", "microsoft", "oculus", "vrm0", "vrm1")
    assert names("arkit") == list(ARKIT_NAMES)
    assert [v.targets[0] for v in load_map("oculus").visemes] == [f"viseme_{name}" for name in OCULUS]
    assert names("microsoft") == [f"viseme_{i}" for i in range(22)]
    assert names("makehuman") == [f"{name}_{i:02d}" for i, name in enumerate(MICROSOFT)]
    assert [v.targets[0] for v in load_map("vrm0").visemes] == ["A", "I", "U", "E", "O"]
    assert [v.targets[0] for v in load_map("vrm1").visemes] == ["aa", "ih", "ou", "ee", "oh"]
    assert {"blinkLeft", "blinkRight", "blink", "lookUp", "lookDown", "lookLeft", "lookRight"} <= set(
        names("vrm1")
    )
    assert {"Blink_L", "Blink_R", "Blink", "LookUp"} <= set(names("vrm0"))
    cc4 = names("cc4")
    assert len(cc4) == 62
    assert {"Mouth_Smile_L", "Jaw_Open", "Mouth_Funnel_Up_R", "Eye_L_Look_R", "Mouth_Down_Lower_L"} <= set(
        cc4
    )
    driven = {name for channel in load_map("cc4").channels for name in channel.terms}
    assert driven == set(ARKIT_NAMES)


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_says_where_its_names_are_from(preset: str) -> None:
    face_map = load_map(preset)
    assert face_map.source.startswith("https://")
    assert face_map.name == preset
    assert len(face_map.label) > 3


def test_microsoft_and_makehuman_are_the_same_visemes() -> None:
    a, b = (recipe_weights(load_map(name).visemes) for name in ("microsoft", "makehuman"))
    np.testing.assert_array_equal(a, b)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_arkit_is_the_identity(seed: int) -> None:
    given_weights = np.random.default_rng(seed).random((4, 52)).astype(np.float32)
    mapped = apply_map(load_map("arkit"), given_weights)
    assert mapped.names == ARKIT_NAMES
    np.testing.assert_allclose(mapped.values, given_weights, atol=1e-7)


def test_channels_are_clipped_linear_combinations() -> None:
    channel = Channel(("jaw",), {"jawOpen": 2.0, "mouthClose": -1.0}, gain=0.5, offset=0.1, low=0.0, high=0.8)
    face_map = FaceMap("mine", "Mine", "", (channel,), ())
    rows = np.concatenate(
        [weights(jawOpen=o, mouthClose=c) for o, c in ((0.2, 0), (0.6, 0.4), (0, 1), (1, 0))]
    )
    expected = [0.3, 0.5, 0.0, 0.8]
    np.testing.assert_allclose(apply_map(face_map, rows).values[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("preset", ["oculus", "microsoft", "vrm0", "vrm1"])
def test_a_visemes_own_mouth_is_that_viseme(preset: str) -> None:
    """Both directions of the one table: viseme -> ARKit -> viseme."""
    visemes = load_map(preset).visemes
    recipes = recipe_weights(visemes)
    back = viseme_weights(visemes, recipes)
    for i, viseme in enumerate(visemes):
        alike = [j for j in range(len(visemes)) if np.abs(recipes[i] - recipes[j]).max() < 0.08]
        assert int(back[i].argmax()) in alike, viseme.targets
        assert back[i, alike].sum() > 0.4, viseme.targets
    again = back @ recipes
    assert np.abs(again - recipes).max() < 0.06


@pytest.mark.parametrize("preset", ["oculus", "vrm1", "microsoft"])
def test_mixtures_equal_scipys_solver(preset: str) -> None:
    rng = np.random.default_rng(11)
    basis = recipe_weights(load_map(preset).visemes)
    basis = basis[basis.any(1)]
    goals = rng.random((12, len(basis))) ** 4 @ basis + 0.02 * rng.random((12, 52))
    mixture = best_mixture(basis, goals)
    price = prices(basis)
    for goal, x in zip(goals, mixture, strict=True):

        def energy(y: np.ndarray, goal: np.ndarray = goal) -> float:
            return 0.5 * float(((y @ basis - goal) ** 2).sum()) + float(price @ y)

        limits = {"type": "ineq", "fun": lambda y: 1 - y.sum()}
        exact = minimize(energy, np.full(len(basis), 0.05), bounds=[(0, 1)] * len(basis), constraints=limits)
        assert energy(x) <= exact.fun + 2e-4
        assert (x >= 0).all()
        assert x.sum() <= 1 + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_shares_are_the_nearest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    point = rng.normal(scale=0.7, size=4)
    found = to_shares(point[None])[0]
    assert found.min() >= 0
    assert found.sum() <= 1 + 1e-12
    others = rng.dirichlet(np.ones(5), 3000)[:, :4]
    assert np.linalg.norm(found - point) <= np.linalg.norm(others - point, axis=1).min() + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["oculus", "microsoft", "vrm0"]))
def test_mixtures_are_shares(seed: int, preset: str) -> None:
    mapped = viseme_weights(load_map(preset).visemes, np.random.default_rng(seed).random((6, 52)))
    assert mapped.min() >= 0
    assert mapped.sum(1).max() < 1 + 1e-6


def test_rest_closure_and_vowels_are_told_apart() -> None:
    face_map = load_map("oculus")
    rows = {
        "viseme_sil": weights(),
        "viseme_PP": weights(jawOpen=0.1, mouthClose=0.1, mouthPress=0.3, mouthRollLower=0.15),
        "viseme_aa": weights(jawOpen=0.6, mouthLowerDown=0.25, mouthUpperUp=0.1),
        "viseme_U": weights(jawOpen=0.12, mouthPucker=0.8, mouthFunnel=0.2),
    }
    mapped = apply_map(face_map, np.concatenate(list(rows.values())))
    for name, row in zip(rows, mapped.values, strict=True):
        visemes = row[len(face_map.channels) :]
        assert face_map.visemes[int(visemes.argmax())].targets[0] == name
        assert visemes.max() > 0.6


def test_six_minutes_of_frames_are_quick() -> None:
    import time

    begin = time.perf_counter()
    apply_map(load_map("oculus"), np.random.default_rng(0).random((9000, 52)).astype(np.float32))
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("eyeBlinkLeft", "eyeblinkleft"),
        ("EyeBlinkLeft", "eyeblinkleft"),
        ("eyeBlink_L", "eyeblinkleft"),
        ("eye_blink.left", "eyeblinkleft"),
        ("blendShape2.eyeBlink_L", "eyeblinkleft"),
        ("eyeBlinkL", "eyeblinkleft"),
        ("jawLeft", "jawleft"),
        ("Jaw_Open", "jawopen"),
    ],
)
def test_spellings_agree(name: str, expected: str) -> None:
    assert spelling(name) == expected


def test_names_are_found_as_written_first() -> None:
    assert find_name(["jawOpen"], ["JawOpen", "jawOpen"], loose=True) == "jawOpen"
    assert find_name(["jawOpen"], ["JawOpen"], loose=True) == "JawOpen"
    assert find_name(["jawOpen"], ["JawOpen"], loose=False) is None
    assert find_name(["jawOpen"], ["!ex-jawOpen"], loose=False) == "!ex-jawOpen"
    assert (
        find_name(["Fcl_MTH_A"], ["Face.M_F00_000_00_Fcl_MTH_A"], loose=False)
        == "Face.M_F00_000_00_Fcl_MTH_A"
    )
    assert find_name(["A"], ["Mouth_A", "a"], loose=False) is None


@pytest.mark.parametrize("preset", preset_names())
def test_a_head_is_recognised_by_its_shape_keys(preset: str) -> None:
    found = detect_map(["Basis", "Muscular", *names(preset)])
    assert found is not None
    assert found.name == preset


def test_variants_are_recognised() -> None:
    def short(name: str) -> str:
        for side in ("Left", "Right"):
            if name.endswith(side) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
                return f"head.{name.removesuffix(side)}_{side[0]}"
        return f"head.{name}"

    other = [short(name) for name in ARKIT_NAMES]
    found = detect_map(other)
    assert found is not None
    assert found.name == "arkit"
    assert len(bound(found, {"shape_key": other}).channels) == 52
    ready = [*ARKIT_NAMES, *names("oculus")]
    both = detect_map(ready)
    assert both is not None
    assert both.name == "arkit"
    ends = [*(name.lower() for name in OCULUS[:12]), "ih", "oh", "ou"]
    vrchat = detect_map([f"vrc.v_{end}" for end in ends])
    assert vrchat is not None
    assert vrchat.name == "oculus"
    assert detect_map(["Basis", "Smile", "Age"]) is None
    assert detect_map([]) is None


def test_bound_keeps_what_the_head_has() -> None:
    face_map = bound(load_map("vrm0"), {"shape_key": ["A", "O", "Blink", "Joy"]})
    assert [part.targets for part in face_map.parts] == [("Blink",), ("A",), ("O",)]
    mapped = apply_map(face_map, weights(jawOpen=0.6, eyeBlink=1.0))
    assert mapped.names == ("Blink", "A", "O")
    assert mapped.values[0, 0] == pytest.approx(1.0)
    two = bound(load_map("vrm0"), {"shape_key": ["A", "Blink", "Blink_L", "Blink_R"]})
    assert [part.targets[0] for part in two.parts] == ["Blink_L", "Blink_R", "A"]


def test_own_maps_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rig.json"
    jaw = {
        "target": "jaw",
        "kind": "bone",
        "path": "rotation_euler",
        "axis": 0,
        "terms": {"jawOpen": -0.4},
        "low": -1,
    }
    smile = {"target": "smile", "kind": "property", "terms": {"mouthSmile": 0.5}}
    path.write_text(
        json.dumps(
            {"name": "rig", "channels": [jaw, smile], "visemes": [{"target": "Mm", "recipe": "p_b_m"}]}
        )
    )
    face_map = load_map(path)
    assert face_map.channels[0].path == "rotation_euler"
    mapped = apply_map(face_map, weights(jawOpen=0.5, mouthSmile=0.8))
    np.testing.assert_allclose(mapped.values[0, :2], [-0.2, 0.8], atol=1e-6)
    assert bound(face_map, {"bone": ["jaw"], "shape_key": []}).parts == face_map.channels[:1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a map"),
        ('{"name": "x"}', "neither channels nor visemes"),
        ('{"channels": [{"target": "a", "terms": {}}]}', "name"),
        ('{"name": "x", "channels": [{"target": "a", "terms": {"jawWide": 1}}]}', "uses jawWide"),
        ('{"name": "x", "channels": [{"target": "", "terms": {}}]}', "not named"),
        ('{"name": "x", "channels": [{"target": "a", "terms": {}, "kind": "wheel"}]}', "wheel"),
        ('{"name": "x", "channels": [{"target": "a", "terms": {}, "kind": "bone"}]}', "path and axis"),
        ('{"name": "x", "channels": [{"target": "a", "terms": {}, "low": 2}]}', "above high"),
        ('{"name": "x", "channels": [{"target": "a", "terms": {"jawOpen": "much"}}]}', "is not a map"),
        ('{"name": "x", "visemes": [{"target": "a", "recipe": "zz"}]}', "zz"),
        ('{"name": "x", "wheels": []}', "no wheels"),
        (
            '{"name": "x", "channels": [{"target": "a", "terms": {}}, {"target": "a", "terms": {}}]}',
            "a twice",
        ),
    ],
)
def test_wrong_maps_are_refused_with_a_reason(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(content)
    with pytest.raises(FileFormatError, match=words) as error:
        load_map(path)
    assert "wrong.json" in str(error.value)
    assert error.value.hint


def test_unknown_maps_and_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="no map is called metahuman"):
        load_map("metahuman")
    with pytest.raises(InputError, match=r"missing\.json"):
        load_map("missing.json")
    with pytest.raises(VividTalkError, match="expected"):
        apply_map(load_map("arkit"), np.zeros((3, 51), np.float32))
