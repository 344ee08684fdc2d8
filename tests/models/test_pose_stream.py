"""A voice in, a head's motion out: the same with any cut, as early as promised, another with each seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicHermiteSpline

from blender_addon.protocol.clip import frame_count
from blender_addon.protocol.controls import PoseStyle
from blender_addon.protocol.errors import ModelError
from blender_addon.protocol.tensorfile import read_tensors, write_tensors
from models.pose import PoseModel
from models.pose.checkpoint import (
    CodebookCheckpoint,
    MapperCheckpoint,
    PoseIdentity,
    Sampling,
    digest,
    read_codebook,
    read_mapper,
    write_codebook,
    write_mapper,
)
from models.pose.mapper import MapperConfig, MapperNetwork
from models.pose.network import CodebookConfig, PoseCodec
from models.pose.sampling import SAMPLING_LOOK_AHEAD, SmoothSampler, resampled

from .test_pose_hearing import sentence

RATE = 16000
IDENTITY = PoseIdentity("test", "CC0-1.0", {"step": 1})


def parts(levels: int = 2) -> tuple[CodebookCheckpoint, MapperCheckpoint]:
    """Small networks that have learned nothing, whose motion depends on everything."""
    torch.manual_seed(0)
    codec = PoseCodec(CodebookConfig(channels=16, blocks=1, width=8, levels=levels))
    network = MapperNetwork(MapperConfig(channels=16, layers=2, heads=2, past=6, width=8, levels=levels))
    with torch.no_grad():
        for module in (codec, network):
            for weight in module.parameters():
                if weight.ndim > 1:
                    weight.copy_(0.3 * torch.randn_like(weight))
    mapper = MapperCheckpoint(network.eval(), IDENTITY, Sampling(guidance=1.5), digest(codec))
    return CodebookCheckpoint(codec.eval(), IDENTITY), mapper


@pytest.fixture(scope="module")
def model():
    return PoseModel(*parts())


def run(model, sound, fps=30.0, cuts=(), **choice):
    """Pose, activity and codes of the whole sound, pushed in pieces."""
    stream = model.stream(fps, **choice)
    edges = np.clip(np.cumsum([0, *cuts]), 0, len(sound))
    pieces = zip(edges, [*edges[1:], len(sound)], strict=True)
    chunks = [stream.push(sound[a:b]) for a, b in pieces] + [stream.finish()]
    frames, codes = 0, 0
    for chunk in chunks:
        assert (chunk.start, chunk.first_code) == (frames, codes)
        assert len(chunk.pose) == len(chunk.activity)
        frames, codes = frames + len(chunk.pose), codes + len(chunk.codes)
    joined = (np.concatenate([getattr(c, name) for c in chunks]) for name in ("pose", "activity", "codes"))
    return tuple(joined)


@pytest.mark.parametrize("fps", [12.0, 24.0, 25.0, 29.97, 60.0])
@pytest.mark.parametrize("seconds", [0.0, 0.3, 4.321])
def test_a_sound_gives_its_frames_and_codes(model, fps, seconds):
    sound = sentence(4.321)[: round(seconds * RATE)]
    pose, activity, codes = run(model, sound, fps)
    assert pose.shape == (frame_count(len(sound) / RATE, fps), 6)
    assert pose.dtype == activity.dtype == np.float32
    assert codes.dtype == np.int32
    assert len(codes) == max(1, int(np.ceil(len(sound) / RATE * 6.25 - 1e-6)))


def test_any_cut_gives_the_same_motion(model):
    sound = sentence(8.0)
    whole = run(model, sound)
    for seed in range(3):
        cuts = np.random.default_rng(seed).integers(1, 4000, 200)
        pose, activity, codes = run(model, sound, cuts=cuts)
        assert np.array_equal(codes, whole[2])
        assert np.abs(pose - whole[0]).max() < 1e-5 * np.abs(whole[0]).max()
        assert np.array_equal(activity, whole[1])


def test_a_seed_is_a_take(model):
    sound = sentence(6.0)
    takes = [run(model, sound, seed=seed)[2] for seed in (1, 1, 2, 3)]
    assert np.array_equal(takes[0], takes[1])
    assert all((takes[a] != takes[b]).mean() > 0.5 for a, b in ((0, 2), (0, 3), (2, 3)))


def test_the_sound_changes_nothing_before_the_look_ahead(model):
    sound = sentence(10.0)
    other = sound.copy()
    moment = 6 * RATE
    other[moment:] = sentence(10.0, 5)[moment:] * 3.0
    one, two = run(model, sound), run(model, other)
    changed = np.flatnonzero((one[0] != two[0]).any(1) | (one[1] != two[1]))
    assert 6.0 - model.look_ahead <= changed[0] / 30.0 < 6.5
    assert np.flatnonzero(one[2] != two[2])[0] / 6.25 >= 6.0 - model.look_ahead
    assert model.look_ahead <= 1.2


def test_frames_come_no_later_than_promised(model):
    sound, stream, made = sentence(5.0), model.stream(30.0), 0
    for i in range(0, len(sound), 160):
        made += len(stream.push(sound[i : i + 160]).pose)
        certain = (i + 160) / RATE - model.look_ahead
        assert made >= np.floor(certain * 30.0) + 1 or certain < 0


def test_style_and_guidance_reach_the_codes(model):
    sound = sentence(6.0)
    plain = run(model, sound)[2]
    assert (run(model, sound, style=PoseStyle(energy=1.0))[2] != plain).any()
    assert (run(model, sound, guidance=0.0)[2] != plain).any()
    even = Sampling(resting=1.0)
    deaf = run(model, sentence(6.0, 9) * 0.1, guidance=0.0, sampling=even)[2]
    heard = run(model, sound, guidance=0.0, sampling=even)[2]
    assert np.array_equal(heard, deaf), "without guidance nothing is heard"


def test_where_nobody_speaks_choices_are_surer(model):
    quiet = np.zeros(6 * RATE, np.float32)
    for sound, alike in ((quiet, True), (sentence(6.0), False)):
        takes = [run(model, sound, seed=seed, sampling=Sampling(resting=0.0))[2] for seed in (1, 2)]
        assert np.array_equal(*takes) == alike
    takes = [run(model, quiet, seed=seed, sampling=Sampling(resting=1.0))[2] for seed in (1, 2)]
    assert not np.array_equal(*takes)


def test_a_long_stream_keeps_little(model):
    stream, sizes = model.stream(30.0), []
    for second in range(30):
        stream.push(sentence(1.0, second))
        kept = [*(past._pairs for past in stream._chooser._past), stream._chooser._frames, stream._activity]
        sizes.append(sum(one.nbytes for one in (*kept, stream._decoder._codes, stream._sampler._rows)))
    assert max(sizes[8:]) <= max(sizes[:8])


def test_files_give_the_same_motion(model, tmp_path):
    codebook, mapper = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    one, two = parts()
    write_codebook(codebook, one)
    write_mapper(mapper, two)
    again = read_codebook(codebook), read_mapper(mapper)
    assert (again[0].codec.config, again[1].network.config) == (one.codec.config, two.network.config)
    assert (again[0].identity, again[1].sampling) == (IDENTITY, two.sampling)
    loaded = PoseModel.load(codebook, mapper)
    assert [ref.id for ref in loaded.models] == ["test", "test"]
    sound = sentence(3.0)
    for weights in (*one.codec.parameters(), *two.network.parameters()):
        weights.data = weights.data.half().float()  # as in the files
    assert np.array_equal(run(PoseModel(one, two), sound)[2], run(loaded, sound)[2])


def test_weights_that_do_not_belong_together_are_refused(tmp_path):
    (one, two), torch_seed = parts(), torch.manual_seed(5)
    assert torch_seed is not None
    one.codec.quantiser.codes.add_(1.0)
    with pytest.raises(ModelError, match="another codebook"):
        PoseModel(one, two)


@pytest.mark.parametrize("harm", ["missing", "other kind", "shape", "infinite"])
def test_damaged_weights_are_refused(tmp_path, harm):
    path = tmp_path / "weights.safetensors"
    one, two = parts()
    if harm == "other kind":
        write_mapper(path, two)
    elif harm != "missing":
        write_codebook(path, one)
        content = read_tensors(path)
        name = "encoder.out.weight"
        value = content.tensors[name]
        harmed = value[:, :-1] if harm == "shape" else np.full_like(value, np.inf)
        write_tensors(path, {**content.tensors, name: harmed}, content.metadata)
    with pytest.raises(ModelError):
        read_codebook(path)


def test_a_device_that_is_not_there_is_refused(tmp_path):
    one, two = parts()
    write_codebook(tmp_path / "a.safetensors", one)
    write_mapper(tmp_path / "b.safetensors", two)
    with pytest.raises(ModelError, match="cannot run"):
        PoseModel.load(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "nonsense")


@pytest.mark.parametrize("fps", [12.0, 24.0, 25.0, 59.94])
def test_frames_between_frames_lie_on_the_cubic(fps):
    """Against scipy's Hermite spline with the slopes of Catmull and Rom."""
    rows = np.random.default_rng(0).normal(size=(60, 3))
    sampler = SmoothSampler(fps, 3)
    sampled = np.concatenate([sampler.push(rows[:7]), sampler.push(rows[7:9]), sampler.push(rows[9:])])
    slopes = np.gradient(rows, axis=0)
    spline = CubicHermiteSpline(np.arange(60), rows, slopes)
    place = np.arange(len(sampled)) * 25.0 / fps
    assert place[-1] <= 59 - SAMPLING_LOOK_AHEAD < place[-1] + 25.0 / fps
    inside = place >= 1
    assert np.abs(sampled - spline(place))[inside].max() < 1e-5
    assert np.allclose(sampled[0], rows[0], atol=1e-6)


def test_resampling_keeps_slow_motion():
    time = np.arange(300) / 60.0
    slow = np.stack([np.sin(2 * np.pi * 0.5 * time), np.cos(2 * np.pi * 1.1 * time)], 1)
    again = resampled(slow, 60.0, 25.0)
    at = np.arange(len(again)) / 25.0
    truth = np.stack([np.sin(2 * np.pi * 0.5 * at), np.cos(2 * np.pi * 1.1 * at)], 1)
    assert at[-1] <= time[-1]
    assert np.abs(again - truth)[5:-5].max() < 0.02
