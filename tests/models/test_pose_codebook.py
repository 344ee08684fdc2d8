"""The codebook's network: nearest codes, averages in closed form, and one stream without joins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import freqz

from models.pose.network import LATER_CODES, POSE_RATE, CodebookConfig, DecoderStream, PoseCodec
from models.pose.quantiser import CODES, Quantiser, nearest, packed, unpacked

SMALL = CodebookConfig(channels=16, blocks=1, width=8)


@pytest.fixture
def codec():
    """A network whose every weight matters."""
    torch.manual_seed(0)
    network = PoseCodec(SMALL)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(0.3 * torch.randn_like(weight))
    return network.eval()


def test_nearest_is_nearest():
    rng = np.random.default_rng(0)
    vectors, codes = rng.normal(size=(50, 5)), rng.normal(size=(20, 5))
    distance = np.linalg.norm(vectors[:, None] - codes[None], axis=2)
    found = nearest(torch.from_numpy(vectors), torch.from_numpy(codes))
    assert np.array_equal(found.numpy(), distance.argmin(1))


def test_the_second_level_stands_for_the_remainder():
    torch.manual_seed(0)
    quantiser = Quantiser(2, 4, 0.9, 0.1).eval()
    vectors = torch.randn(3, 7, 4)
    result = quantiser(vectors)
    first = quantiser.codes[0][result.codes[..., 0]]
    second = quantiser.codes[1][result.codes[..., 1]]
    assert torch.allclose(result.vectors, first + second, atol=1e-6)
    assert torch.allclose(quantiser.vectors(result.codes), result.vectors, atol=1e-6)
    rest = (vectors - first).reshape(-1, 4)
    brute = np.linalg.norm(rest.numpy()[:, None] - quantiser.codes[1].numpy()[None], axis=2).argmin(1)
    assert np.array_equal(result.codes[..., 1].reshape(-1).numpy(), brute)
    wanted = ((vectors - first).square().mean() + (vectors - first - second).square().mean()) / 2
    assert float(result.commitment) == pytest.approx(float(wanted), rel=1e-5)


def test_the_gradient_passes_straight_through():
    quantiser = Quantiser(2, 4, 0.9, 0.1).eval()
    vectors = torch.randn(5, 4, requires_grad=True)
    weights = torch.randn(5, 4)
    (quantiser(vectors).vectors * weights).sum().backward()
    assert torch.allclose(vectors.grad, weights)


def test_codes_follow_the_exponential_mean_of_what_chose_them():
    torch.manual_seed(1)
    keep, quantiser = 0.8, Quantiser(1, 3, 0.8, 0.0)
    quantiser.counts.fill_(2.0)
    quantiser.sums.copy_(2.0 * quantiser.codes)
    batches = [torch.randn(40, 3) for _ in range(4)]
    index = [torch.randint(3, (40,)) for _ in range(4)]
    first = quantiser.codes[0, 1].clone()
    for vectors, chosen in zip(batches, index, strict=True):
        quantiser.follow(0, vectors, chosen)
    # in closed form: each batch's sum and count fade by `keep` with every later batch
    fades = [(1 - keep) * keep ** (3 - k) for k in range(4)]
    total = keep**4 * 2.0 * first
    count = keep**4 * 2.0
    for fade, vectors, chosen in zip(fades, batches, index, strict=True):
        total = total + fade * vectors[chosen == 1].sum(0)
        count += fade * int((chosen == 1).sum())
    assert torch.allclose(quantiser.codes[0, 1], total / count, atol=1e-5)


def test_a_code_that_nothing_chooses_starts_anew_where_data_is():
    torch.manual_seed(2)
    quantiser = Quantiser(1, 2, 0.5, 0.5)
    quantiser.codes[0] = 100.0 + torch.randn(CODES, 2)  # far from everything but the nearest of them
    for _ in range(12):
        quantiser(torch.randn(2000, 2))
    assert quantiser.codes[0].abs().max() < 6.0
    used = quantiser(torch.randn(5000, 2)).codes.unique()
    assert len(used) > 0.9 * CODES


def test_nothing_is_learned_outside_training(codec):
    before = {name: value.clone() for name, value in codec.state_dict().items()}
    codec(torch.randn(2, 64, 6))
    assert all(torch.equal(value, before[name]) for name, value in codec.state_dict().items())


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_one_number_holds_all_levels(levels):
    codes = torch.randint(CODES, (4, 9, levels))
    numbers = packed(codes)
    assert int(numbers.max()) < 2**31
    assert torch.equal(unpacked(numbers, levels), codes)


def test_a_stream_of_codes_is_decoded_as_the_whole(codec):
    rng = np.random.default_rng(0)
    codes = torch.randint(CODES, (1, 70, 2))
    with torch.no_grad():
        whole = codec.decode(codes)[0]
    stream, parts, place = DecoderStream(codec), [], 0
    while place < 70:
        count = int(rng.integers(0, 6))
        parts.append(stream.push(codes[0, place : place + count]))
        place += count
    poses = torch.cat(parts)
    assert len(poses) == 4 * (70 - LATER_CODES)
    assert (poses - whole[: len(poses)]).abs().max() < 1e-5 * whole.abs().max()
    assert len(stream._codes) <= SMALL.earlier_codes + LATER_CODES + 6


def test_a_code_reaches_as_far_as_it_says(codec):
    codes = torch.randint(CODES, (1, 90, 2))
    other = codes.clone()
    other[0, 30] = (other[0, 30] + 1) % CODES
    with torch.no_grad():
        moved = (codec.decode(codes) - codec.decode(other))[0].abs().max(1).values.nonzero()[:, 0]
    assert int(moved.min()) >= 4 * (30 - LATER_CODES)
    assert int(moved.max()) < 4 * (30 + SMALL.earlier_codes + 1)


def test_the_decoder_draws_nothing_above_8_hertz(codec):
    response = np.abs(freqz(codec.decoder.smooth.flip(0).numpy(), fs=POSE_RATE, worN=4096)[1])
    hertz = np.linspace(0, POSE_RATE / 2, 4096, endpoint=False)
    assert np.abs(20 * np.log10(response[hertz < 6.0])).max() < 0.05
    assert 20 * np.log10(response[hertz > 8.05].max()) < -78


def test_axes_come_back_in_their_units():
    torch.manual_seed(3)
    codec = PoseCodec(SMALL).eval()
    poses = torch.randn(1, 64, 6)
    codec.scale.copy_(torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 1.0]))
    plain = codec(poses)[0]
    scale = torch.tensor([0.1, 0.2, 0.3, 0.01, 0.02, 0.03])
    codec.scale.copy_(scale)
    assert torch.allclose(codec(poses * scale)[0], plain * scale, atol=1e-5)
