"""Clips as training data: there and back, and what is known of a scene."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.clip import ClipInfo, expression_clip, write_clip
from blender_addon.protocol.errors import FileFormatError, InputError
from training.articulation import class_at, contacts, spoken_weights
from training.corpus.store import Utterance, read_source
from training.dataset import KNOWN_LAYER, read_dataset, write_dataset
from training.motion import Motion, unknown_motion, with_known
from training.phones import CLASS_INDEX, phones_of
from training.pieces import PieceMix, cut
from training.scenes import Pool, SceneMix, make_scene

RATE = 16000
JAW = ARKIT_INDEX["jawOpen"]
QUIET = SceneMix(
    nonspeech_share=0.0, babble_share=0.0, music_share=0.0, transmission_share=0.0, room_tone_share=0.0
)


def tracked(folder, fps=30.0, seconds=4.0, rate=44100, **header):
    """A clip whose jaw is a ramp, beside a sound whose level is the same ramp; its second half is unknown."""
    frames = round(seconds * fps)
    ramp = np.arange(frames) / fps / seconds
    time = np.arange(round(seconds * rate)) / rate
    sound = 0.5 * time / seconds * np.sin(2 * np.pi * 300 * time)
    soundfile.write(folder / "take.flac", np.stack([sound, sound], 1), rate)
    weights = np.zeros((frames, 52), np.float32)
    weights[:, JAW] = ramp
    info = ClipInfo(fps=fps, audio_path="take.flac", audio_duration=seconds, **header)
    clip = expression_clip(info, weights, np.zeros((frames, 2)))
    known = np.ones((frames, 52), np.float32)
    known[frames // 2 :] = 0.0
    layer = {"weights": known, "contact": np.zeros((frames, 2), np.float32)}
    write_clip(folder / "take.safetensors", replace(clip, layers={KNOWN_LAYER: layer}))
    return clip


def test_a_corpus_goes_to_clips_and_back(corpus, tmp_path):
    before = read_source(corpus, "flite")
    assert write_dataset(tmp_path, "flite", before) == len(before)
    after = read_dataset(tmp_path)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old.samples, new.samples)
        assert old.phones.names == new.phones.names
        np.testing.assert_allclose(old.phones.start, new.phones.start)
        np.testing.assert_allclose(old.phones.end, new.phones.end)
        np.testing.assert_allclose(old.phones.effort, new.phones.effort, atol=2e-3)
        assert new.motion is None
        times = np.arange(50) / 50
        np.testing.assert_array_equal(class_at(old.phones, times), class_at(new.phones, times))
        np.testing.assert_array_equal(contacts(old.phones, times), contacts(new.phones, times))
        np.testing.assert_allclose(
            spoken_weights(old.phones, times), spoken_weights(new.phones, times), atol=2e-3
        )


def test_motion_goes_to_clips_and_back(tmp_path):
    rng = np.random.default_rng(0)
    motion = Motion(
        weights=rng.random((100, 52), np.float32),
        contact=rng.random((100, 2), np.float32),
        knows_weights=rng.random((100, 52)) < 0.7,
        knows_contact=rng.random((100, 2)) < 0.5,
    )
    sound = (8000 * np.sin(np.arange(2 * RATE) / 9)).astype(np.int16)
    write_dataset(tmp_path, "takes", [Utterance("x", sound, phones_of([]), motion=motion)])
    (read,) = read_dataset(tmp_path)
    np.testing.assert_array_equal(read.samples, sound)
    assert len(read.phones) == 0
    assert read.motion is not None
    for name in ("weights", "contact", "knows_weights", "knows_contact"):
        np.testing.assert_array_equal(getattr(read.motion, name), getattr(motion, name))


def test_a_tracked_clip_at_its_own_rate(tmp_path):
    tracked(tmp_path)
    (take,) = read_dataset(tmp_path)
    assert take.duration == pytest.approx(4.0, abs=0.01)
    assert take.motion is not None
    assert len(take.motion) == 200
    times = np.arange(200) / 50
    known = take.motion.knows_weights[:, JAW]
    np.testing.assert_array_equal(known, times <= 59 / 30 + 1e-9)
    np.testing.assert_allclose(take.motion.weights[known, JAW], times[known] / 4.0, atol=1e-6)
    assert not take.motion.knows_contact.any()


def test_pieces_keep_motion_and_sound_together(tmp_path):
    """Level and jaw rise alike in the take, so they must in every piece, however it is cut and slowed."""
    tracked(tmp_path)
    (take,) = read_dataset(tmp_path)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        piece = cut(take, PieceMix(stretch_share=1.0, stretch=(0.6, 1.8)), rng)
        assert not piece.spoken
        times = np.arange(0.05, len(piece.samples) / RATE - 0.05, 0.02)
        motion = piece.motion_at(times)
        assert motion is not None
        at = (times * RATE).astype(int)
        level = np.array([np.abs(piece.samples[i - 300 : i + 300]).max() for i in at])
        known = motion.knows_weights[:, JAW]
        np.testing.assert_allclose(level[known], 0.5 * motion.weights[known, JAW], atol=0.02)


def test_scenes_say_what_is_known(corpus, tmp_path):
    tracked(tmp_path)
    pool = Pool((read_source(corpus, "flite"), read_dataset(tmp_path)), (0.5, 0.5))
    spoken, known = [], []
    for seed in range(12):
        scene = make_scene(
            pool,
            5.12,
            replace(QUIET, scene_gain=(0.0, 0.0), piece_gain=(0.0, 0.0)),
            np.random.default_rng(seed),
        )
        assert scene.spoken.shape == (256,)
        assert scene.motion.weights.shape == (256, 52)
        spoken.append(scene.spoken.mean())
        seen = scene.motion.knows_weights[:, JAW]
        known.append(seen.mean())
        assert not (seen & scene.spoken).any()
        middle = np.flatnonzero(seen[1:-1] & seen[2:] & seen[:-2]) + 1
        at = np.rint(middle / 50 * RATE).astype(int)
        at, middle = at[at > 300], middle[at > 300]
        level = np.array([np.abs(scene.voice[i - 300 : i + 300]).max() for i in at])
        np.testing.assert_allclose(level, 0.5 * scene.motion.weights[middle, JAW], atol=0.04)
        names = class_at(scene.phones, np.arange(256) / 50)
        assert (names[~scene.spoken] == CLASS_INDEX["sil"]).all()
    assert 0.2 < np.mean(spoken) < 0.9
    assert np.mean(known) > 0.1


def test_synthetic_scenes_know_their_phones_everywhere(corpus):
    scene = make_scene(
        Pool((read_source(corpus, "flite"),), (1.0,)), 5.12, SceneMix(), np.random.default_rng(0)
    )
    assert scene.spoken.all()
    assert not scene.motion.knows_weights.any()


def test_motion_between_frames_is_linear():
    motion = replace(unknown_motion(3), knows_weights=np.ones((3, 52), bool))
    motion.weights[:] = np.arange(3)[:, None]
    found = motion.at(np.array([-0.02, 0.0, 0.005, 0.03, 0.04, 0.08]))
    np.testing.assert_allclose(found.weights[:, 0], [0.0, 0.0, 0.25, 1.5, 2.0, 2.0], atol=1e-6)
    np.testing.assert_array_equal(found.knows_weights[:, 0], [False, True, True, True, True, False])


def test_what_was_recorded_wins_where_it_is_known():
    derived, recorded = np.zeros((4, 2), np.float32), np.ones((4, 2), np.float32)
    known = np.array([[True, False]] * 4)
    np.testing.assert_array_equal(with_known(derived, recorded, known), known.astype(np.float32))


def test_unusable_clips_are_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match="no motion clips"):
        read_dataset(tmp_path)
    clip = tracked(tmp_path, phonemes=((0.0, 1.0, "schwa"),))
    with pytest.raises(FileFormatError, match="schwa"):
        read_dataset(tmp_path)
    path = tmp_path / "take.safetensors"
    write_clip(path, replace(clip, info=replace(clip.info, audio_path="")))
    with pytest.raises(InputError, match="names no sound"):
        read_dataset(tmp_path)
    write_clip(path, replace(clip, info=replace(clip.info, audio_path="gone.wav", phonemes=())))
    with pytest.raises(InputError, match=r"gone\.wav"):
        read_dataset(tmp_path)
    write_clip(path, replace(clip, info=replace(clip.info, audio_duration=1.0, phonemes=())))
    with pytest.raises(FileFormatError, match=r"1\.00 s of sound"):
        read_dataset(tmp_path)


def test_a_clip_may_cover_a_part_played_faster(tmp_path):
    clip = tracked(tmp_path)
    half = replace(clip.info, audio_offset=1.0, audio_duration=2.0, audio_speed=2.0)
    frames = expression_clip(half, clip.weights[:30], clip.contact[:30])
    write_clip(tmp_path / "take.safetensors", frames)
    (take,) = read_dataset(tmp_path)
    assert take.duration == pytest.approx(1.0, abs=0.01)
    tone = np.abs(np.fft.rfft(take.samples * np.hanning(len(take.samples))))
    assert tone.argmax() / take.duration == pytest.approx(600, abs=2)
