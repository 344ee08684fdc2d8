"""Measures of rendered frames, against other libraries, closed forms and drawn truth."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

cv2 = pytest.importorskip("cv2")
pytest.importorskip("mediapipe")

from blender_addon.protocol.arkit import ARKIT_INDEX  # noqa: E402
from models.portrait.fit import PortraitFit  # noqa: E402
from models.portrait.studio import StudioPortrait, studio_portrait  # noqa: E402
from models.video.motion import FrameMotion  # noqa: E402
from training.evaluate import video  # noqa: E402
from training.evaluate import video_measures as measure  # noqa: E402

PHOTO = np.ascontiguousarray(data.astronaut()[:200, 100:340])


@pytest.fixture(scope="module")
def studio() -> StudioPortrait:
    return studio_portrait(400)


def motion(jaw: float = 0.0, yaw: float = 0.0) -> FrameMotion:
    weights = np.zeros(52, np.float32)
    weights[ARKIT_INDEX["jawOpen"]] = jaw
    return FrameMotion(weights, np.zeros(0), np.array([0, 0, yaw, 0, 0, 0]), np.zeros(0))


def noisy(size: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, size, PHOTO.shape)
    return np.clip(PHOTO + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [2.0, 20.0])
def test_pictures_are_compared_as_elsewhere(size: float) -> None:
    other = noisy(size)
    assert measure.psnr([PHOTO], [other]) == pytest.approx(peak_signal_noise_ratio(PHOTO, other), abs=1e-9)
    gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (PHOTO, other)]
    theirs = structural_similarity(*gray, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert measure.ssim(PHOTO, other) == pytest.approx(theirs, abs=1e-4)
    assert measure.psnr([PHOTO], [PHOTO]) == float("inf")
    assert measure.ssim(PHOTO, PHOTO) == pytest.approx(1.0)


def test_flow_is_compared_with_the_commanded_motion() -> None:
    """A picture that moves by (3, -2) pixels, and a mesh that was told to, or told something else."""
    moved = np.roll(PHOTO, (-2, 3), (0, 1))
    places = np.stack(np.meshgrid(np.arange(40, 200, 10), np.arange(40, 160, 10)), -1).reshape(-1, 2) + 0.5
    rows, facing = np.arange(len(places)), np.ones(len(places))
    marks = np.zeros((478, 2))
    before = measure.Driven(places.astype(float), facing, marks, 0.0)
    after = replace(before, vertices=places + np.array([3.0, -2.0]))
    assert measure.flow_error([PHOTO, moved], [before, after], rows) < 0.3
    assert measure.flow_error([PHOTO, moved], [before, before], rows) == pytest.approx(13**0.5, abs=0.3)


def test_closed_and_open_lips_are_told_apart(studio: StudioPortrait) -> None:
    commanded = measure.Commanded(studio.fit)
    for jaw in (0.0, 0.15, 0.3, 0.6):
        asked = motion(jaw)
        gap = measure.lip_gap(studio.true_frame(asked.weights), commanded(asked))
        assert (gap <= measure.CLOSED_SHARE) == (jaw == 0.0)
    shut, wide = commanded(motion()), commanded(motion(0.5))
    assert shut.gap < measure.CLOSED_METRES < wide.gap
    closed, parted, open_ = (studio.true_frame(motion(jaw).weights) for jaw in (0.0, 0.12, 0.5))
    assert measure.closures_seen([closed, open_], [shut, wide]) == (1.0, 1)
    assert measure.closures_seen([parted, open_], [shut, wide]) == (0.0, 1)


def test_even_motion_does_not_flicker() -> None:
    ramp = [np.full((8, 8, 3), 20 + 10 * step, np.uint8) for step in range(6)]
    assert measure.flicker(ramp) == 0.0
    blinking = [np.full((8, 8, 3), 20 + 10 * (step % 2), np.uint8) for step in range(6)]
    assert measure.flicker(blinking) == pytest.approx(20.0)


def test_identity_does_not_depend_on_size_and_place() -> None:
    rng = np.random.default_rng(1)
    marks = rng.uniform(0, 100, (478, 2))
    driven = measure.Driven(np.zeros((1, 2)), np.ones(1), marks, 0.0)
    assert measure.identity_miss(marks * 1.7 + 30, driven) == pytest.approx(0.0, abs=1e-9)
    assert measure.identity_miss(marks * (1.2, 1.0), driven) > 0.01


def test_a_blurred_mouth_is_less_sharp(studio: StudioPortrait) -> None:
    driven = measure.Commanded(studio.fit)(motion())
    blurred = cv2.GaussianBlur(studio.picture, (0, 0), 1.5)
    assert measure.mouth_sharpness(blurred, driven) < 0.5 * measure.mouth_sharpness(studio.picture, driven)


def test_a_drawn_head_is_judged_beside_its_truth() -> None:
    def drive(_fit: PortraitFit) -> list[FrameMotion]:
        return [motion(0.3 * np.sin(step) ** 2, 0.03 * step) for step in range(7)]

    rows = video.judge_drawn(drive, 320)
    exact, warp, repeated = rows
    assert [row.frames for row in rows] == [8, 8, 8]
    assert warp.psnr > repeated.psnr + 2
    assert warp.ssim > repeated.ssim
    assert exact.turn < 3
    assert warp.turn < exact.turn + 1
    assert warp.jaw < exact.jaw + 0.05
    assert exact.sharpness == pytest.approx(1.0)
    table = video.video_table(rows)
    assert "not measured" in table
    assert "picture repeated" in table
    found = json.loads(json.dumps(video.video_json(rows)))
    assert found["fid"] is None
    assert len(found["rows"]) == 3
