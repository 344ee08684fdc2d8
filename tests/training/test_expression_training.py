"""Training on a synthetic corpus: scenes are what they say, and the network learns."""

import numpy as np
import pytest
import torch

from blender_addon.lips.offsets import CANONICAL_COLUMNS
from blender_addon.lips.region import HANDLE_ROWS
from blender_addon.protocol.arkit import ARKIT_INDEX, LIP_NAMES
from blender_addon.protocol.errors import FileFormatError, InputError
from models.expression import ExpressionModel
from models.expression.network import ExpressionConfig, ExpressionNetwork
from models.face import load_head
from training.articulation import class_at
from training.augment import augment, reverberate
from training.batches import BatchConfig, make_batch, sample_style
from training.corpus.store import read_source
from training.expression import ExpressionRun, ExpressionTask, training_pool
from training.loop.config import LoopConfig
from training.loop.fit import fit
from training.losses import expression_losses
from training.mouths import training_mouths
from training.nonspeech import nonspeech
from training.phones import CLASS_INDEX, PHONE_CLASSES, SILENCE
from training.pieces import slowed
from training.scenes import SceneMix, make_scene

RATE = 16000
LINE_ROW = 8  # of the lip profiles: where the lips meet


@pytest.fixture(scope="module")
def pool(corpus):
    return training_pool(corpus)


def test_a_corpus_reads_back(corpus):
    utterances = read_source(corpus, "flite")
    assert len(utterances) == 6
    first = utterances[0]
    assert first.duration == pytest.approx(2.0)
    assert np.abs(first.samples).max() == pytest.approx(0.5 * 32767, rel=0.01)
    assert first.phones.names[0] == first.phones.names[-1] == SILENCE
    np.testing.assert_allclose(first.phones.end[:-1], first.phones.start[1:])


def test_a_missing_or_damaged_corpus_is_refused(tmp_path):
    with pytest.raises(InputError, match="flite"):
        read_source(tmp_path, "flite")
    np.save(tmp_path / "flite.npy", np.zeros(10, np.int16))
    (tmp_path / "flite.json").write_text('[{"voice": 1}]')
    with pytest.raises(FileFormatError):
        read_source(tmp_path, "flite")


def test_scenes_have_sound_where_their_phones_say(pool):
    for seed in range(12):
        mix = SceneMix(nonspeech_share=0.0, scene_gain=(0.0, 0.0), piece_gain=(0.0, 0.0))
        scene = make_scene(pool, 5.12, mix, np.random.default_rng(seed))
        assert len(scene.samples) == int(5.12 * RATE)
        assert scene.samples.dtype == np.float32
        np.testing.assert_allclose(scene.phones.end[:-1], scene.phones.start[1:], atol=2e-3)
        assert scene.phones.end[-1] >= 5.12 - 1e-6
        kind = class_at(scene.phones, (np.arange(len(scene.samples)) + 0.5) / RATE)
        vowel, silence = (scene.voice[kind == CLASS_INDEX[name]] for name in ("a", SILENCE))
        if len(vowel):
            assert np.mean(vowel**2) > 100 * np.mean(silence**2)


def test_scenes_hold_digital_silence_and_repeat_with_the_seed(pool):
    first, second = (make_scene(pool, 5.12, SceneMix(), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.samples, second.samples)
    assert (first.samples == 0.0).sum() > 0.02 * RATE


def test_slowing_lowers_the_pitch():
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE).astype(np.float32)
    slow = slowed(tone, 1.25)
    assert len(slow) == int(1.25 * RATE)
    assert np.abs(np.fft.rfft(slow[:RATE])).argmax() == 160


def test_other_sounds_are_finite_and_bounded():
    rng = np.random.default_rng(0)
    for _ in range(40):
        sound = nonspeech(8000, rng)
        assert sound.shape == (8000,)
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() <= 0.5 + 1e-6


def test_augmentation_keeps_power_positive():
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    for _ in range(40):
        power = augment(torch.rand(120, 257), rng)
        assert torch.isfinite(power).all()
        assert (power >= 0).all()


def test_reverberation_is_causal_and_keeps_energy():
    power = torch.zeros(200, 257)
    power[50] = 1.0
    wet = reverberate(power, 0.4, 0.5)
    assert wet[:50].max() == 0.0
    assert wet[51].min() > 0.0
    torch.testing.assert_close(wet.sum(0), power.sum(0), rtol=1e-4, atol=1e-4)


SMALL = BatchConfig(scenes=2, frames=64, solved=4)


def small_run(corpus, seed=0, steps=4):
    loop = LoopConfig(seed=seed, steps=steps, warm_up=2, validate_every=steps, state_every=steps, log_every=1)
    return ExpressionRun(
        corpus, loop, SMALL, channels=16, hearing_steps=1, hearing_scenes=8, development_share=1
    )


def test_batches_are_aligned(pool):
    mix = SceneMix(nonspeech_share=0.0)
    batch = make_batch(pool, BatchConfig(scenes=8, frames=128, mix=mix), np.random.default_rng(0))
    assert batch.features.shape == (8, 256, 80)
    assert batch.lip.shape == (8, 128, 29)
    assert batch.other.shape == (8, 128, 23)
    assert batch.contacts.shape == (8, 128, 2)
    assert batch.phones.shape == (8, 128)
    open_jaw = batch.lip[..., LIP_NAMES.index("jawOpen")] > 0.3
    loudness = batch.features.mean(-1)[:, ::2]
    assert loudness[open_jaw].mean() > loudness[batch.phones == CLASS_INDEX[SILENCE]].mean() + 0.5


def test_batches_repeat_with_their_step(corpus):
    task = ExpressionTask(small_run(corpus))
    batches = []
    for step in (3, 3, 4):
        torch.manual_seed(step)  # as the loop does
        batches.append(task.batch(step))
    first, again, other = batches
    for name, value in vars(first).items():
        torch.testing.assert_close(getattr(again, name), value, rtol=0, atol=0)
    assert not torch.equal(first.features, other.features)


def test_solved_frames_seal_the_lips_at_contact_and_not_elsewhere(pool):
    batch = make_batch(pool, BatchConfig(scenes=12, frames=128), np.random.default_rng(2))
    scene = torch.arange(len(batch.lip))[:, None]
    lip, contact = batch.lip[scene, batch.solved], batch.contacts[scene, batch.solved, 0]
    moved = (lip @ batch.motion + batch.offsets).unflatten(-1, (2, 2, CANONICAL_COLUMNS, len(HANDLE_ROWS)))
    line = moved[..., 1, :, CANONICAL_COLUMNS // 2, HANDLE_ROWS.index(LINE_ROW)]
    gap = line[..., 0] - line[..., 1]  # thousandths of mouth widths, upper and lower lip
    apart = (batch.contacts[scene, batch.solved].amax(-1) < 0.05) & (
        lip[..., LIP_NAMES.index("jawOpen")] > 0.2
    )
    assert (contact > 0.99).sum() >= 8
    assert gap[contact > 0.99].abs().max() < 12.0
    assert gap[apart].min() > 25.0


def test_lip_motion_in_canonical_offsets_is_that_of_the_mesh(pool):
    mouth = training_mouths()[0]
    jaw = mouth.motion[LIP_NAMES.index("jawOpen")].reshape(2, 2, CANONICAL_COLUMNS, -1)
    head, lower = load_head(), load_head().landmarks["lip_lower_middle"]
    height = head.shapes[ARKIT_INDEX["jawOpen"], lower, 2] / mouth.lips.coordinates.width * 1e3
    middle = jaw[1, 1, CANONICAL_COLUMNS // 2]
    assert middle.min() - 60 < height < middle.max() + 60
    assert np.abs(jaw[1, 0, CANONICAL_COLUMNS // 2]).max() < 0.05 * np.abs(middle).max()


def test_one_batch_can_be_learnt_by_heart(pool):
    torch.manual_seed(0)
    batch = make_batch(pool, BatchConfig(scenes=1, frames=96), np.random.default_rng(1))
    network = ExpressionNetwork(ExpressionConfig(classes=PHONE_CLASSES, channels=32, dropout=0.0))
    optimiser = torch.optim.AdamW(network.parameters(), 4e-3)

    def losses():
        return expression_losses(network(batch.features, batch.style, batch.noise), batch)

    first = last = losses()
    for _ in range(150):
        optimiser.zero_grad()
        last = losses()
        torch.autograd.backward(last.total)
        optimiser.step()
    assert last.lip < 0.15 * first.lip
    assert last.contacts < 0.3 * first.contacts
    assert last.offsets < 0.5 * first.offsets


def test_styles_are_drawn_over_their_range():
    rng = np.random.default_rng(0)
    styles = np.array([sample_style(rng).vector() for _ in range(400)])
    assert (np.abs(styles).max(0) > 0.9).all()
    assert 0.2 < (styles == 0.0).all(1).mean() < 0.4


def test_training_writes_weights_that_load_and_speak(corpus, tmp_path):
    run = small_run(corpus, seed=3, steps=6)
    result = fit(ExpressionTask(run), run, tmp_path / "out")
    assert result.step == 6
    model = ExpressionModel.load(result.weights)
    assert model.licence == "CC0-1.0"
    stream = model.stream(25.0)
    pushed = stream.push(np.zeros(16000, np.float32))
    assert len(pushed.weights) + len(stream.finish().weights) == 25
    card = (tmp_path / "out" / "expression.md").read_text()
    assert "Seed 3" in card


def test_training_repeats_with_its_seed(corpus, tmp_path):
    run = small_run(corpus)
    files = [fit(ExpressionTask(run), run, tmp_path / name).weights.read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]
