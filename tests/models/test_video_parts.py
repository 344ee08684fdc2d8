"""What the portrait renderer is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.tensorfile import Array
from models.portrait.light import harmonics
from models.render import Pinhole
from models.video.driving import added
from models.video.extend import CELL, Sheet, filled
from models.video.light import TurningLight
from models.video.matting import widened
from models.video.motion import FrameMotion
from models.video.motion_limits import limited, soft_limit
from models.video.paste import Ends, cut, head_box, resized, seam
from models.video.plate import background
from models.video.prepare import Layers
from models.video.warp import coded, composed

JAW, CLOSE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]


def _smooth(side: int, channels: int, seed: int = 0) -> Array:
    """A random image without detail finer than some pixels."""
    y, x = np.mgrid[0:side, 0:side] / side
    waves = np.random.default_rng(seed).uniform(-3, 3, (channels, 3, 3))
    image = np.stack([sum(np.sin(6 * (a * x + b * y) + c) for a, b, c in rows) for rows in waves], 2)
    return (128 + 30 * image).astype(np.float32)


def _layers(side: int, alpha: Array) -> Layers:
    return Layers.of(_smooth(side, 3).clip(0, 255).astype(np.uint8), alpha.astype(np.float32), side)


def _flow(side: int, across: float, down: float) -> Array:
    flow = np.zeros((side, side, 5), np.float32)
    flow[..., 0], flow[..., 1], flow[..., 4] = across, down, 1.0
    return flow


@given(st.integers(0, 1000), st.floats(0.05, 0.45))
@settings(max_examples=10, deadline=None)
def test_layers_without_motion_are_the_picture(seed: int, radius: float) -> None:
    """Whatever the matte, and whatever is put behind the person."""
    side, rng = 64, np.random.default_rng(seed)
    picture = rng.integers(0, 256, (side, side, 3)).astype(np.uint8)
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    matte = np.clip((radius - np.hypot(x, y)) * 12 + rng.uniform(-0.3, 0.3), 0, 1).astype(np.float32)
    layers, image = Layers.of(picture, matte, side), np.zeros((side, side, 4), np.float32)
    composed(layers.person, layers.still, layers.plate, layers.empty, _flow(side, 0, 0), image)
    assert np.abs(coded(image).astype(int) - picture).max() <= 1


def test_sampling_agrees_with_scipy() -> None:
    side, across, down = 96, 3.3, -2.6
    layers = _layers(side, np.ones((side, side)))
    image = np.zeros((side, side, 4), np.float32)
    composed(layers.person, layers.still, layers.plate, layers.empty, _flow(side, across, down), image)
    y, x = np.mgrid[8 : side - 8, 8 : side - 8]
    for channel in range(3):
        true = map_coordinates(layers.person[..., channel], [y + down, x + across], order=3)
        assert np.abs(image[8:-8, 8:-8, channel] - true).max() < 1.0


def test_background_stays_while_the_person_moves() -> None:
    side = 96
    y, x = np.mgrid[0:side, 0:side]
    matte = (np.hypot(x - 48, y - 48) < 20).astype(np.float32)
    layers, image = _layers(side, matte), np.zeros((side, side, 4), np.float32)
    composed(layers.person, layers.still, layers.plate, layers.empty, _flow(side, -6.0, 0.0), image)
    far = np.hypot(x - 54, y - 48) > 24
    assert np.array_equal(image[far][:, :3], layers.plate[far])
    moved = np.hypot(x - 54, y - 48) < 16
    assert np.abs(image[moved][:, :3] - np.roll(layers.person, 6, 1)[moved][:, :3]).max() < 1e-3


def test_the_plate_continues_a_gradient_and_keeps_the_rest() -> None:
    side = 128
    y, x = np.mgrid[0:side, 0:side]
    picture = np.repeat((40 + x).astype(np.uint8)[..., None], 3, 2)
    matte = (np.hypot(x - 64, y - 64) < 15).astype(np.float32)
    picture[matte > 0] = 255
    plate = background(picture, matte)
    assert np.array_equal(plate[matte == 0], picture[matte == 0])
    assert np.abs(plate[matte > 0][:, 0] - (40 + x)[matte > 0]).mean() < 6


def test_a_matte_gets_the_whole_head() -> None:
    drawn = np.zeros((100, 100), bool)
    drawn[30:70, 30:70] = True
    matte = widened(np.zeros((100, 100), np.float32), drawn)
    assert matte[35:65, 35:65].min() > 0.99
    assert matte[:20].max() == 0.0


def test_small_crops_are_sampled_from_a_finer_portrait() -> None:
    side = 48
    picture = _smooth(2 * side, 3).clip(0, 255).astype(np.uint8)
    layers = Layers.of(picture, np.ones((2 * side, 2 * side), np.float32), side)
    image = np.zeros((side, side, 4), np.float32)
    composed(layers.person, layers.still, layers.plate, layers.empty, _flow(side, 2.0, -1.0), image)
    true = resized(picture, side).astype(float)[3 : side - 5, 6 : side - 2]  # 1 above, 2 to the right
    assert np.abs(coded(image)[4 : side - 4, 4 : side - 4] - true).max() <= 2


def test_filled_keeps_what_is_known_and_bridges_a_hole() -> None:
    side = 64
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    values = np.stack([0.3 * x + 0.1 * y, -0.2 * y], 2)
    weight = np.ones((side, side), np.float32)
    weight[24:40, 24:40] = 0
    result = filled(values, weight, pull=0.0)
    assert np.abs(result - values)[weight > 0].max() < 1e-4
    assert np.abs(result - values)[weight == 0].max() < 1.5  # of a range of 6.4


def test_a_pulled_fill_fades_with_distance() -> None:
    weight = np.zeros((128, 128), np.float32)
    weight[:, :8] = 1
    result = filled(np.ones((128, 128, 1), np.float32), weight)[64, :, 0]
    assert result[4] == pytest.approx(1.0)
    assert 0 <= result[-1] < 0.35 < result[14]


def test_a_rigid_sheet_turns_as_its_points_do() -> None:
    """Closed form: a plane that faces the camera, turned about an axis in it."""
    nodes, focal, distance = 48, 300.0, 1.0
    side = nodes * CELL
    camera = Pinhole(np.eye(3), np.zeros(3), focal, (side / 2, side / 2))
    steps = (np.arange(nodes) + 0.5) * CELL - side / 2
    x, y = np.meshgrid(steps / focal, steps / focal)
    points = np.stack([x, y, np.full_like(x, distance)], 2).astype(np.float32)
    ones = np.ones((nodes, nodes), np.float32)
    sheet = Sheet(points, 0 * ones, ones, np.ones((nodes, nodes, 2), np.float32))
    angle = 0.2
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    pivot = np.array([0, 0, distance])
    head = np.column_stack([turn, pivot - turn @ pivot])
    flow = sheet.motion(np.eye(3, 4), head, camera)
    target = np.stack([x, y, np.ones_like(x)], 2)  # rays; where do they meet the turned plane?
    normal = turn @ [0, 0, 1]
    met = target * ((pivot @ normal) / (target @ normal))[..., None]
    came = (met - pivot) @ turn + pivot
    true = focal * came[..., :2] / came[..., 2:] - focal * target[..., :2]
    inner = slice(6, -6)
    assert np.abs(flow - true)[inner, inner].max() < 0.3  # pixels; the flow itself reaches 3


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_limits_hold_and_never_jump(one: float, other: float) -> None:
    limit = np.array([0.5])
    held = [float(soft_limit(np.array([value]), limit)[0]) for value in (one, other)]
    assert max(np.abs(held)) <= 0.5
    assert abs(held[0] - held[1]) <= abs(one - other) + 1e-12
    if abs(one) < 0.4:
        assert held[0] == pytest.approx(one)


def test_limits_mend_what_is_not_finite() -> None:
    motion, held = limited(
        FrameMotion(
            np.full(52, np.nan), np.full(3, np.nan), np.r_[1.0, np.full(5, np.inf)], np.full(4, np.nan)
        )
    )
    assert np.isfinite(motion.weights).all()
    assert np.isfinite(motion.lip).all()
    assert np.isfinite(motion.pose).all()
    assert np.isfinite(motion.gaze).all()
    assert held


def test_light_from_one_side() -> None:
    """Skin turned into a lamp brightens, skin turned away darkens, and nothing changes without a turn."""
    light = np.zeros((9, 3))
    light[0], light[3] = 2.0, 0.6  # all round, and more from +X
    normals = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    turning = TurningLight(light, normals)
    assert np.abs(turning.gain(np.eye(3)) - 1).max() < 1e-4
    turn = np.array([[np.cos(0.2), -np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]])
    lit = [harmonics(n) @ light[:, 0] for n in (normals, normals @ turn.T)]
    true = (lit[1] / lit[0]) ** (1 / 2.2)
    bright = lit[0] > lit[0].mean()
    assert np.abs(turning.gain(turn) - true)[bright].max() < 1e-3


@given(st.integers(40, 900), st.integers(40, 900), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_box_holds_the_head(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.6, 2) * (width, height)
    high = low + rng.uniform(0.2, 0.4, 2) * (width, height)
    box = head_box(np.stack([low, high]), width, height)
    assert box.left <= low[0] + 1
    assert box.top <= low[1] + 1
    assert box.left + box.side >= high[0] - 1
    assert box.top + box.side >= high[1] - 1
    rows, columns, in_rows, in_columns = box.inside(width, height)
    picture = rng.integers(0, 255, (height, width, 3)).astype(np.uint8)
    assert np.array_equal(cut(picture, box)[in_rows, in_columns], picture[rows, columns])


def test_seams_are_only_where_the_picture_goes_on() -> None:
    share = seam(Ends.of(head_box(np.array([[10.0, 0.0], [60.0, 60.0]]), 70, 400), 70, 400, 70))
    assert share[0].min() == 1.0  # the picture's own upper edge
    assert share[-1].max() < 0.1
    assert share[35, 0] == 1.0


def test_resizing_keeps_places() -> None:
    image = _smooth(64, 3)
    assert np.abs(resized(resized(image, 128), 64) - image).mean() < 0.5


def _own(**named: float) -> Array:
    own = np.zeros(52, np.float32)
    for name, value in named.items():
        own[ARKIT_INDEX[name]] = value
    return own


def test_nothing_added_is_the_portraits_own_face() -> None:
    own = _own(jawOpen=0.3, mouthClose=0.1, mouthSmileLeft=0.6, browInnerUp=0.4)
    result = added(own, np.zeros((3, 52), np.float32), np.zeros((3, 2), np.float32))
    assert np.allclose(result, own, atol=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_an_open_smile_closes_where_lips_touch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = _own(jawOpen=0.4, mouthUpperUpLeft=0.5, mouthLowerDownRight=0.5, mouthSmileLeft=0.7)
    clip = rng.uniform(0, 0.5, (4, 52)).astype(np.float32)
    clip[:, CLOSE] = clip[:, JAW]
    contact = np.tile(np.array([[1.0, 0.0]], np.float32), (4, 1))
    result = added(own, clip, contact)
    assert np.allclose(result[:, JAW], clip[:, JAW], atol=1e-6)
    assert np.allclose(result[:, CLOSE], result[:, JAW], atol=1e-6)
    assert result.min() >= 0
    assert result.max() <= 1
