"""Pretrained encoders as feature sources, tried on tiny ones with random weights (untrained)."""

import builtins
import gc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.errors import MissingExtraError, ModelError
from models.audio.encoder import receptive_field
from models.audio.features import FeatureConfig, feature_source
from models.audio.mel import SAMPLE_RATE
from models.audio.windows import Windows
from models.expression import ExpressionModel
from models.expression.checkpoint import Checkpoint, ModelIdentity, write_checkpoint
from models.expression.network import ExpressionConfig, ExpressionNetwork

from .test_audio_sources import click_errors, clicks_at_frames, noise, streamed

transformers = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
KINDS = ("Wav2Vec2", "Hubert", "WavLM")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder with random weights of each kind."""
    torch.manual_seed(3)
    made = {}
    for kind in KINDS:
        config = getattr(transformers, f"{kind}Config")(**SIZES)
        made[kind] = tmp_path_factory.mktemp(kind)
        getattr(transformers, f"{kind}Model")(config).save_pretrained(made[kind])
    return made


def source_of(folder, layer=-1):
    return feature_source(FeatureConfig("transformers", str(folder), layer))


def reference_frame(network, layer: int, samples: np.ndarray, frame: int) -> np.ndarray:
    """[width] the definition in the docstrings of `windows` and `encoder`, for one frame."""
    total, weight_sum = np.zeros(network.config.hidden_size), 0.0
    for window in range(frame // 200 + 2):
        before = min(1.0, max(0.0, (frame - 200 * window + 25.5) / 50)) if window else 1.0
        after = min(1.0, max(0.0, (200 * (window + 1) - frame + 24.5) / 50))
        if before * after == 0.0:
            continue
        first = (200 * window - 100) * 320 - 520
        sound = np.array(
            [samples[i] if 0 <= i < len(samples) else 0.0 for i in range(first, first + 129_040)]
        )
        sound = sound - sound.mean()
        sound /= np.sqrt(max(1e-6, np.mean(sound**2)))
        with torch.no_grad():
            heard = network(torch.from_numpy(sound.astype(np.float32))[None], output_hidden_states=True)
        states = heard.hidden_states[layer][0].numpy()
        centres = first + 320 * np.arange(len(states)) + 199.5
        value = [np.interp(frame * 320, centres, column) for column in states.T]
        total += before * after * np.array(value)
        weight_sum += before * after
    assert weight_sum == pytest.approx(1.0)
    return total


@pytest.mark.parametrize(("kind", "layer"), [("Wav2Vec2", -1), ("Hubert", 1), ("WavLM", 2)])
def test_features_are_their_definition(folders, kind, layer):
    samples = noise(13 * SAMPLE_RATE) * np.linspace(0.1, 2, 13 * SAMPLE_RATE, dtype=np.float32)
    network = getattr(transformers, f"{kind}Model").from_pretrained(folders[kind]).eval()
    found = source_of(folders[kind], layer).whole(torch.from_numpy(samples)[None])[0].numpy()
    assert found.shape == (13 * 50 + 2, 16)
    for frame in (0, 150, 174, 175, 183, 224, 225, 390, 640):
        np.testing.assert_allclose(found[frame], reference_frame(network, layer, samples, frame), atol=1e-4)


@given(cuts=st.lists(st.integers(0, 90_000), max_size=6), count=st.integers(0, 200_000))
@settings(max_examples=6, deadline=None)
def test_streamed_is_whole(folders, cuts, count):
    source, pair = source_of(folders["Wav2Vec2"]), np.stack([noise(count), noise(count, 1) * 0.01])
    whole = source.whole(torch.from_numpy(pair)).numpy()
    for sound, expected in zip(pair, whole, strict=True):
        np.testing.assert_allclose(streamed(source, sound, cuts), expected, atol=1e-4)


def test_features_come_within_the_look_ahead_and_need_no_more(folders):
    source, samples = source_of(folders["Hubert"]), noise(30 * SAMPLE_RATE)
    listener, made = source.stream(), 0
    for end in range(0, len(samples), 1600):
        made += len(listener.push(samples[end : end + 1600]))
        certain = (end + 1600) / SAMPLE_RATE - source.look_ahead
        assert made >= np.floor(certain * 50 + 1e-6) + (certain >= 0)


def local_source(folder, tmp_path):
    """Layer 0 of an encoder whose features are those of its convolutions alone, so that they are local."""
    network = transformers.Wav2Vec2Model.from_pretrained(folder)
    with torch.no_grad():  # its position encoding reaches over half a second
        network.encoder.pos_conv_embed.conv.parametrizations.weight.original0.zero_()
    network.save_pretrained(tmp_path)
    return source_of(tmp_path, 0)


def test_clicks_are_heard_at_their_frames(folders, tmp_path):
    times, half_frame = clicks_at_frames([2.0, 62.1, 140.3])
    errors = click_errors(local_source(folders["Wav2Vec2"], tmp_path).stream(), 1, times, 180, 0.3)
    assert (np.abs(errors) <= half_frame).all()


class Loudest:
    """Stands in for a network: each feature is the loudest sample of the 400 about its time."""

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        return samples[:, :-119].abs().unfold(1, 400, 320).amax(-1)[..., None]


class LoudestListener:
    def __init__(self) -> None:
        self.windows = Windows(Loudest(), margin=200)

    def push(self, samples: np.ndarray) -> np.ndarray:
        return joined(self.windows.push(torch.from_numpy(samples)[None]))

    def finish(self) -> np.ndarray:
        return joined(self.windows.finish())


def joined(parts: list[torch.Tensor]) -> np.ndarray:
    return torch.cat([torch.zeros(1, 0, 1), *parts], dim=1)[0].numpy()


def test_windows_do_not_drift_in_an_hour():
    times, half_frame = clicks_at_frames([2.0, 700.0, 1800.3, 2900.0, 3580.0])
    errors = click_errors(LoudestListener(), 1, times, 3600, 0.01)
    assert (np.abs(errors) <= half_frame).all()
    drift = errors.reshape(5, -1)[-1] - errors.reshape(5, -1)[0]
    assert np.abs(drift).max() <= 0.02


def test_memory_is_flat_in_the_length():
    held = []
    for seconds in (30, 600):
        listener = LoudestListener()
        listener.push(np.zeros(seconds * SAMPLE_RATE, np.float32))
        gc.collect()
        held.append(sum(t.untyped_storage().nbytes() for t in gc.get_objects() if type(t) is torch.Tensor))
    assert held[1] <= held[0] + 4 * 400 * 320


def test_silence_is_what_silence_sounds_like(folders):
    source = source_of(folders["WavLM"])
    heard = streamed(source, np.zeros(20 * SAMPLE_RATE, np.float32), [])
    np.testing.assert_allclose(heard[500], source.silence, atol=1e-5)


def weights_for(folder, path, width: int = 16):
    """Random weights of an expression network that listens through the encoder in `folder`."""
    config = ExpressionConfig(
        classes=("sil", "a"),
        channels=16,
        feature_width=width,
        features_per_frame=1,
        features=FeatureConfig("transformers", str(folder)),
    )
    write_checkpoint(path, Checkpoint(ExpressionNetwork(config), config, ModelIdentity("random", "CC0-1.0")))
    return path


def test_a_network_listens_through_an_encoder_and_streams_as_offline(folders, tmp_path):
    model = ExpressionModel.load(weights_for(folders["Hubert"], tmp_path / "heard.safetensors"))
    samples, made = noise(12 * SAMPLE_RATE), []
    for cuts in ([], [50_000, 1, 90_000]):
        stream, start, chunks = model.stream(25.0), 0, []
        for cut in (*cuts, len(samples)):
            chunks.append(stream.push(samples[start : start + cut]).weights)
            start += cut
        made.append(np.concatenate([*chunks, stream.finish().weights]))
    assert made[0].shape == (300, 52)
    np.testing.assert_allclose(made[0], made[1], atol=1e-4)
    assert 6.5 < model.look_ahead < 8.5


def test_weights_that_were_trained_on_another_encoder_are_refused(folders, tmp_path):
    with pytest.raises(ModelError, match="width 80"):
        ExpressionModel.load(weights_for(folders["Hubert"], tmp_path / "wrong.safetensors", width=80))
    gone = weights_for(tmp_path / "gone", tmp_path / "gone.safetensors")
    with pytest.raises(ModelError, match="no folder"):
        ExpressionModel.load(gone)


def test_receptive_field_is_that_of_the_convolutions():
    kernels, strides = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
    sound = torch.zeros(1, 1, 4000, requires_grad=True)
    heard = sound
    for kernel, stride in zip(kernels, strides, strict=True):
        heard = torch.nn.functional.conv1d(heard, torch.ones(1, 1, kernel), stride=stride)
    seen = [
        torch.nonzero(torch.autograd.grad(heard[0, 0, k], sound, retain_graph=True)[0][0, 0]) for k in (0, 1)
    ]
    assert receptive_field(kernels, strides) == (int(seen[1].min() - seen[0].min()), len(seen[0]))


def test_what_is_not_an_encoder_is_refused(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert", "hidden_size": 16}')
    partial = transformers.HubertModel(transformers.HubertConfig(**SIZES))
    del partial.encoder.layers[1].attention.k_proj
    partial.save_pretrained(tmp_path / "partial")
    cases = {
        str(tmp_path / "nothing"): "there is no folder",
        str(tmp_path / "empty"): "cannot be loaded",
        str(tmp_path / "bert"): "cannot be loaded",
        str(tmp_path / "partial"): "lacks 2 weights",
        "nobody/has-this-encoder": "hf download nobody/has-this-encoder",
        "not a hub id": "cannot be loaded",
    }
    for name, message in cases.items():
        with pytest.raises(ModelError, match=message) as caught:
            source_of(name)
        assert name in caught.value.what
        assert caught.value.hint
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="no layer 3"):
        source_of(folders["Wav2Vec2"], 3)


def test_without_the_package_it_is_named(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "transformers":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match="encoders"):
        source_of("somebody/some-encoder")
