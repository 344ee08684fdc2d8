"""The evaluation on a small manifest: true phones must win, tables be whole, conditions keep their phones."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from blender_addon.lips.offsets import canonical_offsets, coefficients_of, handles_of
from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_coefficients, solve_handles
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from models.face import load_head
from training.evaluate.conditions import CONDITIONS, joined, noisy, quiet, recordings_under, words_of
from training.evaluate.intervals import Interval
from training.evaluate.judge import judge, near_contact, restlessness
from training.evaluate.lipsync import read_manifest, write_prediction
from training.evaluate.mesh import JudgedFace
from training.evaluate.motions import HOP, Motion, of_files, of_loudness, of_phones, recordings_of
from training.evaluate.offsets import WAYS, ContactFrames, offset_scores, offset_table
from training.evaluate.page import write_page
from training.evaluate.report import LipsyncPlan, evaluate_lipsync, part_of, report_json
from training.evaluate.rest import rest_row, rest_table
from training.evaluate.tables import curve_table, event_table, figures, seed_table, voice_table, voices
from training.phones import BILABIAL, phones_of

RATE = 16000
WORDS = [
    (0.0, 0.3, "sil"), (0.3, 0.42, "m"), (0.42, 0.6, "a"), (0.6, 0.7, "p"), (0.7, 0.9, "i"),
    (0.9, 1.2, "sil"), (1.2, 1.3, "f"), (1.3, 1.5, "a"), (1.5, 1.6, "v"), (1.6, 1.8, "u"),
    (1.8, 1.9, "b"), (1.9, 2.1, "E"), (2.1, 2.6, "sil"),
]  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(6):
        samples = 0.1 * rng.standard_normal(int(2.6 * RATE)).astype(np.float32)
        soundfile.write(folder / f"{i}.wav", samples, RATE)
        speaker = "often" if i < 5 else "seldom"
        row = {
            "id": str(i),
            "wav": f"{i}.wav",
            "dur": 2.6,
            "system": "classes",
            "spk": speaker,
            "phones": WORDS,
        }
        rows.append(row)
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="module")
def face():
    return JudgedFace(load_head(None))


@pytest.fixture(scope="module")
def driven(manifest, face):
    return judge(of_phones, recordings_of(read_manifest(manifest)), {"head": face})


def test_true_phones_close_the_lips_and_loudness_does_not(manifest, face, driven):
    loud = judge(of_loudness, recordings_of(read_manifest(manifest)), {"head": face})
    best, worst = (figures("row", results, driven, ["head"]) for results in (driven, loud))
    assert best.events["head"]["recall"].value == 1.0
    assert best.events["head"]["precision"].value == 1.0
    assert -0.04 <= best.events["head"]["onset"].value <= 0.01
    assert best.events["head"]["bitten"].value == 1.0
    assert best.curves["smoothness"].value == 1.0
    assert worst.events["head"]["recall"].value < 0.5
    assert worst.events["head"]["bitten"].value < 0.5


def test_tables_hold_every_row(driven):
    row = figures("phones", driven, driven, ["head"])
    for table in (event_table([row]), curve_table([row]), seed_table([row, row], "head")):
        assert "nan" not in table
    assert "phones, head" in event_table([row])
    found = voices(driven, "head")
    assert [voice.speaker for voice in found] == ["often", "seldom"]
    assert [voice.closures for voice in found] == [15, 3]
    assert "seldom" in voice_table(found)


def test_a_gap_moves_with_the_jaw_and_closes_at_contact(face):
    weights = np.zeros((3, 52), np.float32)
    contact = np.array([[0, 0], [0, 0], [1, 0]], np.float32)
    weights[1:, ARKIT_INDEX["jawOpen"]] = 0.5
    gap = face.gap(face.lips(weights, contact, 50.0))
    assert gap[0] < 0.5e-3
    assert gap[1] > 5e-3
    assert gap[2] < 0.5e-3


def test_written_curves_read_back(manifest, tmp_path, driven):
    (result, *_) = driven
    write_prediction(tmp_path / f"{result.clip.id}.npz", result.motion.weights, result.motion.contact)
    (recording, *_) = recordings_of(read_manifest(manifest))
    (back,) = of_files(tmp_path)(recording)
    np.testing.assert_allclose(back.weights, result.motion.weights, atol=1e-6)
    np.testing.assert_allclose(back.contact, result.motion.contact, atol=1e-6)


def test_parts_are_disjoint_and_complete(manifest):
    clips = read_manifest(manifest)
    chosen, rest = part_of(clips, "development"), part_of(clips, "report")
    assert {clip.id for clip in chosen} | {clip.id for clip in rest} == {clip.id for clip in clips}
    assert not {clip.id for clip in chosen} & {clip.id for clip in rest}
    assert {clip.speaker for clip in chosen} == {"often"}
    with pytest.raises(InputError, match="development"):
        part_of(clips, "some")


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if c != "words-hour"])
def test_every_condition_keeps_sounds_and_phones_together(manifest, condition):
    recordings = list(recordings_under(condition, read_manifest(manifest)))
    assert recordings
    for recording in recordings:
        assert recording.samples.dtype == np.float32
        for part in recording.parts:
            assert part.first * HOP + part.clip.duration * RATE <= len(recording.samples) + RATE / 50
            assert part.clip.phones.end.max() <= part.clip.duration + 0.02


def test_words_keep_their_samples_when_joined(manifest):
    (recording, *_) = recordings_of(read_manifest(manifest))
    words = list(words_of(recording))
    assert [len(set(word.parts[0].clip.phones.names) & BILABIAL) for word in words] == [2, 1]
    whole = joined(words)
    for word, part in zip(words, whole.parts, strict=True):
        found = whole.samples[part.first * HOP :][: len(word.samples)]
        np.testing.assert_array_equal(found, word.samples)
        before = whole.samples[part.first * HOP - RATE // 2 : part.first * HOP]
        assert not before.any()
    phones = words[1].parts[0].clip.phones
    assert phones.end[-1] - phones.start[0] == pytest.approx(0.9)


def test_noise_and_level_are_what_they_say():
    rng = np.random.default_rng(1)
    tone = 0.5 * np.sin(np.arange(RATE) * 0.3)
    noise = noisy(tone, rng) - tone
    loud = tone[np.abs(tone) > 0.02]
    assert 10 * np.log10(np.mean(loud**2) / np.mean(noise**2)) == pytest.approx(12, abs=1e-6)
    assert 20 * np.log10(np.abs(quiet(tone, rng)).max() / np.abs(tone).max()) == pytest.approx(-12)


def test_restlessness_is_the_band_energy_outside_contacts():
    times = np.arange(500) / 50
    weights = np.zeros((500, 52), np.float32)
    quietly = phones_of([(0.0, 10.0, "a")])
    for hertz, share in ((10.0, 1.0), (1.0, 0.0)):
        weights[:, ARKIT_INDEX["jawOpen"]] = 0.5 * np.sin(2 * np.pi * hertz * times)
        energy, frames = restlessness(weights, quietly)
        assert frames == 500
        assert energy / frames == pytest.approx(share * 0.125, abs=0.006)
    near = near_contact(phones_of([(0.0, 5.0, "a"), (5.0, 5.2, "m"), (5.2, 10.0, "a")]), 500)
    assert times[near][0] == pytest.approx(4.92)
    assert times[near][-1] == pytest.approx(5.26)


def test_a_motion_tells_its_curves():
    weights = np.random.default_rng(0).random((51, 52)).astype(np.float32)
    prediction = Motion(weights, np.zeros((51, 2), np.float32)).prediction()
    sides = [ARKIT_INDEX["mouthPressLeft"], ARKIT_INDEX["mouthPressRight"]]
    np.testing.assert_allclose(prediction["mouthPress"], weights[:, sides].mean(1))


def test_solved_offsets_seal_what_none_leaves_open():
    face = load_head(None)
    lips = prepare_lips(face)
    weights = np.zeros((2, 52), np.float32)
    weights[:, ARKIT_INDEX["jawOpen"]] = (0.15, 0.25)
    contact = np.eye(2, dtype=np.float32)
    solved = solve_coefficients(lips, weights, contact)
    offsets = canonical_offsets(lips, solve_handles(lips, weights, contact))
    drawn = coefficients_of(lips, handles_of(lips, offsets))
    ways = {"none": np.zeros_like(solved), "drawn": drawn, "solved": solved}
    kinds = [ContactFrames(weights[[i]], {way: values[[i]] for way, values in ways.items()}) for i in (0, 1)]
    found = {way: offset_scores(face, lips, kinds, way) for way in WAYS}
    assert (found["none"].sealed, found["solved"].sealed) == (0.0, 1.0)
    assert found["none"].bite > 1.5 > 0.5 > found["solved"].bite
    assert found["drawn"].gap == pytest.approx(found["solved"].gap, abs=0.3)
    assert "drawn" in offset_table(found)


def test_the_mouth_rests_on_digital_silence(face):
    def still(recording):
        frames = recording.parts[0].frames
        return [Motion(np.zeros((frames, 52), np.float32), np.zeros((frames, 2), np.float32))]

    def shaking(recording):
        (motion,) = still(recording)
        motion.weights[::2, ARKIT_INDEX["jawOpen"]] = 0.2
        return [motion]

    quiet_row = rest_row("x", [np.zeros(RATE * 8, np.float32)], still, face)
    assert quiet_row.moves == quiet_row.jitter == quiet_row.weight == 0.0
    loud_row = rest_row("x", [np.zeros(RATE * 8, np.float32)], shaking, face)
    assert loud_row.moves == pytest.approx(loud_row.jitter)
    assert loud_row.moves > 1.0
    assert loud_row.weight == pytest.approx(0.2)
    assert "x" in rest_table([quiet_row, loud_row])


def test_a_page_shows_files_of_curves(manifest, tmp_path, driven):
    for result in driven:
        path = tmp_path / "files" / f"{result.clip.id}.npz"
        write_prediction(path, result.motion.weights, result.motion.contact)
    plan = LipsyncPlan(manifest, models=(), predictions=(tmp_path / "files",), people=0, beside=False)
    report = evaluate_lipsync(plan)
    (row,) = report.figures
    assert row.row == "files"
    assert row.events["head"]["recall"].value == 1.0
    page = write_page(report, plan, tmp_path / "page")
    text = page.read_text("utf-8")
    assert "http" not in text
    pictures = sorted(path.name for path in page.parent.glob("*.png"))
    assert len(pictures) == len(driven)
    assert all(f'src="{name}"' in text for name in pictures)
    assert text.count("0 of 3 missed, 0 false") == 2 * len(driven)
    assert json.loads(report_json(report), parse_constant=pytest.fail)["rows"][0]["row"] == "files"
    row = report.figures[0]
    unknown = replace(row, curves={"pause": Interval(math.nan, (math.nan, 1.0), (0.0, 1.0))})
    told = json.loads(report_json(replace(report, figures=[unknown])), parse_constant=pytest.fail)
    assert told["rows"][0]["curves"]["pause"] == {"value": None, "clips": [None, 1.0], "speakers": [0.0, 1.0]}
