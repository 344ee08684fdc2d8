"""A portrait's mouth inside: against true renders, closed forms, and what must hold for any motion."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.tensorfile import Array
from models.render.shade import SAMPLES
from models.video.eye_frame import EyeFrame
from models.video.mouth import InnerMouth
from models.video.mouth_light import FADES, NEAR, OPEN, Entrance
from models.video.mouth_opening import Outline
from models.video.tones import LUMA, encoded, linear, measure_tones
from models.video.view import Overlay, Reference
from tests.models.own_portrait import SIZE, OwnPortrait, portrait, weights


def mouth(own: OwnPortrait) -> InnerMouth:
    return InnerMouth(own.reference, own.inside.tones)


def drawn(own: OwnPortrait, row: Array) -> Overlay:
    layer = mouth(own).draw(own.driven(row))
    assert layer is not None
    return layer


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize(
    "named", [{}, {"mouthPress": 0.5}, {"jawOpen": 0.3, "mouthClose": 0.3}, {"mouthPucker": 0.6}]
)
def test_closed_lips_show_nothing(seed: int | None, named: dict[str, float]) -> None:
    own = portrait(seed)
    assert mouth(own).draw(own.driven(weights(**named))) is None


@pytest.mark.parametrize(
    "named",
    [
        {"jawOpen": 0.3},
        {"jawOpen": 1.0},
        {"jawOpen": 0.1, "mouthSmile": 0.8, "mouthUpperUp": 0.5},
        {"jawOpen": 0.4, "mouthFunnel": 0.5},
    ],
)
def test_as_much_is_open_as_in_a_true_render(named: dict[str, float]) -> None:
    own, row = portrait(5), weights(**named)
    names = list(own.reference.face.material_names)
    seen = own.drawn.materials_seen(own.deformer(row))
    inner = np.isin(seen, [names.index(n) for n in ("teeth", "gums", "tongue", "mouth")])
    area = inner.sum() / SAMPLES**2
    assert drawn(own, row).coverage.sum() == pytest.approx(area, rel=0.2, abs=12)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_opening_covers_its_polygon(seed: int) -> None:
    random = np.random.default_rng(seed)
    left, right = random.uniform((10, 20), (30, 60)), random.uniform((90, 20), (115, 60))
    frame = EyeFrame.of(left, right)
    s = np.linspace(0, 1, 96)
    arch = np.sin(np.pi * s)
    upper, lower = -random.uniform(2, 12) * arch, random.uniform(4, 18) * arch
    outline = Outline(frame, upper, lower)
    box = outline.box((80, 130))
    assert box is not None
    ring = np.concatenate([frame.at(s, upper), frame.at(s, lower)[::-1]])
    area = cv2.contourArea(ring.astype(np.float32))
    assert outline.coverage(box).sum() == pytest.approx(area, rel=0.03, abs=3)


def test_light_through_a_wide_slit_is_the_closed_form() -> None:
    own = portrait(None)
    face = own.reference.face
    vertices = own.deformer(weights(jawOpen=0.6)).astype(np.float64)
    upper, lower = face.rings["lip_upper"], face.rings["lip_lower"]
    quarter = len(upper) // 4
    top, bottom = vertices[upper][quarter:-quarter].mean(0), vertices[lower][quarter:-quarter].mean(0)
    half, middle = (top[2] - bottom[2]) / 2, (top + bottom) / 2
    vertices[upper, 0] *= 100  # endless to both sides
    vertices[lower, 0] *= 100
    probes = np.linspace(0.004, 0.03, 9)
    ids = np.arange(9, dtype=np.int32)
    vertices[ids] = middle + np.outer(probes, [0, 1, 0])
    got = Entrance(face).light(vertices, ids)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 20001)
    for depth, value in zip(probes - OPEN, got, strict=True):
        sees = np.abs(np.tan(angle) * (depth + NEAR)) < half
        seen = 0.5 * float((np.cos(angle) * sees).sum()) * (angle[1] - angle[0])
        assert value == pytest.approx(seen * np.exp(-depth / FADES), rel=0.12, abs=0.02)


def test_deep_is_darker_and_wide_is_brighter() -> None:
    own = portrait(None)
    entrance = Entrance(own.reference.face)
    rings = own.reference.face.rings
    front = rings["teeth_upper_front"][18:24].astype(np.int32)
    back = rings["teeth_upper_front"][[2, 3, -3, -4]].astype(np.int32)
    before = 0.0
    for jaw in (0.1, 0.3, 0.6, 1.0):
        vertices = own.deformer(weights(jawOpen=jaw))
        near, far = entrance.light(vertices, front).mean(), entrance.light(vertices, back).mean()
        assert 0 < far < 0.6 * near <= 1
        assert near >= before - 0.05
        before = near


def test_teeth_are_no_whiter_than_white() -> None:
    own = portrait(5)
    layer = drawn(own, weights(jawOpen=0.1, mouthSmile=0.8, mouthUpperUp=0.5))
    inside = layer.color[layer.coverage > 0.99]
    white = encoded(own.inside.tones.white)
    assert 70 < np.quantile(inside @ LUMA, 0.9) < white @ LUMA
    warm = inside[inside @ LUMA > np.quantile(inside @ LUMA, 0.7)].mean(0)
    assert warm[0] > warm[2]


def test_teeth_look_as_in_a_true_render() -> None:
    own, row = portrait(5), weights(jawOpen=0.1, mouthSmile=0.8, mouthUpperUp=0.5)
    layer, truth = drawn(own, row), own.drawn.frame(row)
    height, width = layer.coverage.shape
    part = truth[layer.top : layer.top + height, layer.left : layer.left + width].astype(float)
    sure = layer.coverage > 0.99
    ratio = linear(layer.color[sure]).mean(0) / linear(part[sure]).mean(0)
    assert (ratio > 0.4).all(), ratio
    assert (ratio < 1.6).all(), ratio


def test_an_open_mouth_keeps_its_own_teeth() -> None:
    own = portrait(None, jawOpen=0.12, mouthSmile=0.8, mouthUpperUp=0.5, mouthLowerDown=0.4)
    picture = own.reference.picture.astype(np.float32)
    assert mouth(own).open
    same = own.painted(own.driven(own.reference.weights))
    assert 10 * np.log10(255**2 / ((same - picture) ** 2).mean()) > 48
    wider = own.reference.weights.copy()
    wider += weights(jawOpen=0.4)
    layer = drawn(own, wider)
    at = own.reference.face.rings["teeth_upper_edge"][16:26]
    places = (own.reference.points[at, :2] - [0, 3]).astype(int)  # upper teeth do not move with the jaw
    shown = layer.color[places[:, 1] - layer.top, places[:, 0] - layer.left]
    assert np.abs(shown - picture[places[:, 1], places[:, 0]]).mean() < 8


def test_a_tongue_is_drawn_before_the_lip() -> None:
    own, row = portrait(None), weights(jawOpen=0.5, tongueOut=1.0)
    names = list(own.reference.face.material_names)
    tongue = own.drawn.materials_seen(own.deformer(row)) == names.index("tongue")
    seen = tongue.reshape(SIZE, SAMPLES, SIZE, SAMPLES).mean((1, 3)) > 0.9
    layer = drawn(own, row)
    cover = np.zeros((SIZE, SIZE), np.float32)
    height, width = layer.coverage.shape
    cover[layer.top : layer.top + height, layer.left : layer.left + width] = layer.coverage
    assert seen.sum() > 50
    assert cover[seen].mean() > 0.9


def test_a_mouth_opens_without_a_jump() -> None:
    own, inner = portrait(5), mouth(portrait(5))
    frames = []
    for jaw in np.linspace(0.0, 0.3, 31):
        frame = own.reference.picture.astype(np.float32)
        layer = inner.draw(own.driven(weights(jawOpen=jaw)))
        if layer is not None:
            height, width = layer.coverage.shape
            part = frame[layer.top : layer.top + height, layer.left : layer.left + width]
            part[:] = part * (1 - layer.coverage[..., None]) + layer.color
        frames.append(frame)
    steps = np.array([np.abs(b - a).mean() for a, b in pairwise(frames)])
    assert steps.max() < 3 * np.median(steps)


@pytest.mark.parametrize("blur", [0.6, 1.0, 1.6])
def test_the_blur_of_a_picture_is_measured(blur: float) -> None:
    own = portrait(None)
    sharp = np.kron(np.random.default_rng(3).integers(0, 2, (40, 40)), np.ones((8, 8))) * 160 + 40
    picture = cv2.GaussianBlur(np.repeat(sharp[..., None], 3, 2).astype(np.uint8), (0, 0), blur)
    tones = measure_tones(_with(own, picture), np.zeros((0, 3), np.float32))
    assert tones.soft == pytest.approx(blur, abs=0.35)


def test_flat_colour_is_told_from_grain() -> None:
    own = portrait(None)
    flat = np.kron(np.random.default_rng(3).integers(40, 220, (8, 8, 3)), np.ones((40, 40, 1))).astype(
        np.uint8
    )
    noise = np.random.default_rng(4).normal(0, 3, flat.shape)
    grainy = np.clip(flat + noise, 0, 255).astype(np.uint8)
    nothing = np.zeros((0, 3), np.float32)
    assert measure_tones(_with(own, flat), nothing).flat > 0.9
    assert measure_tones(_with(own, grainy), nothing).flat == 0


def _with(own: OwnPortrait, picture: Array) -> Reference:
    return replace(own.reference, picture=picture)


@given(st.integers(0, 255))
def test_light_and_code_are_inverse(code: int) -> None:
    assert encoded(linear(np.array([code])))[0] == pytest.approx(code, abs=0.01)
