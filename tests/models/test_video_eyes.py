"""Eyes and lids of a portrait: against drawn discs, true renders, and what must hold for any motion."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.face import eye_rotation
from blender_addon.protocol.tensorfile import Array
from models.video.eye_frame import EyeFrame
from models.video.eyes import Eye
from models.video.gaze import Iris, eye_layers, find_iris
from models.video.lids import Lids
from tests.models.own_portrait import portrait, weights


@given(st.tuples(*[st.floats(-200, 200)] * 4), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_eye_coordinates_and_back(corners: tuple[float, ...], seed: int) -> None:
    inner, outer = np.array(corners[:2]), np.array(corners[2:])
    if np.linalg.norm(outer - inner) < 2:
        return
    frame = EyeFrame.of(inner, outer)
    points = np.random.default_rng(seed).uniform(-300, 300, (20, 2))
    np.testing.assert_allclose(frame.at(*frame.within(points)), points, atol=1e-3)
    np.testing.assert_allclose(frame.within(outer[None])[0], 1, atol=1e-9)
    assert frame.down[1] >= 0


def disc(x: float, y: float, radius: float) -> tuple[Array, Array]:
    """A dark disc on white, drawn eight times as large, and an opening that hides its upper third."""
    big = np.full((800, 960, 3), 215, np.uint8)
    cv2.circle(big, (round(8 * x), round(8 * y)), round(8 * radius), (70, 50, 40), -1)
    opening = np.ones((100, 120), np.float32)
    opening[: int(y - 0.45 * radius)] = 0
    return cv2.resize(big, (120, 100), interpolation=cv2.INTER_AREA), opening


@pytest.mark.parametrize("seed", range(6))
def test_the_iris_is_found_where_it_was_drawn(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, y, radius = random.uniform(50, 70), random.uniform(40, 60), random.uniform(9, 15)
    picture, opening = disc(x, y, radius)
    off = random.uniform(-0.1, 0.1, 2) * radius
    wrong = radius * random.uniform(0.92, 1.08)
    ring = np.array([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)]) * wrong + [x + off[0], y + off[1]]
    found = find_iris(picture, ring, opening)
    assert abs(found.x - x) < 0.08 * radius
    assert abs(found.y - y) < 0.12 * radius
    assert abs(found.radius - radius) < 0.09 * radius


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_parts_of_an_eye_make_it_again(seed: int) -> None:
    random = np.random.default_rng(seed)
    picture = cv2.GaussianBlur(random.integers(0, 256, (80, 100, 3)).astype(np.uint8), (0, 0), 2)
    opening = np.zeros((80, 100), np.float32)
    cv2.ellipse(opening, (50, 40), (30, 13), 0, 0, 360, 1.0, -1)
    shade = random.uniform(0.7, 1, (80, 100)).astype(np.float32)
    frame = EyeFrame.of(np.array([20.0, 40.0]), np.array([80.0, 40.0]))
    layers = eye_layers(picture, opening, shade, Iris(52, 39, 11), frame)
    height, width = layers.rest.shape[:2]
    rows, columns = slice(layers.top, layers.top + height), slice(layers.left, layers.left + width)
    share = layers.iris[..., 3:]
    again = (layers.white * (1 - share) + layers.iris[..., :3]) * shade[rows, columns, None]
    again += layers.glint + layers.rest
    seen = opening[rows, columns] > 0.5
    np.testing.assert_allclose(again[seen], picture[rows, columns][seen], atol=0.01)


@pytest.mark.parametrize("seed", [None, 5])
def test_its_own_motion_gives_the_picture(seed: int | None) -> None:
    own = portrait(seed)
    difference = own.painted(own.driven(own.reference.weights)) - own.reference.picture
    assert 10 * np.log10(255**2 / (difference**2).mean()) > 50


@pytest.mark.parametrize("angles", [(0, 20, 0, 20), (0, -20, 0, -20), (-15, 0, -15, 0), (12, -10, 12, 10)])
def test_an_iris_goes_where_the_turned_eye_has_it(angles: tuple[float, ...]) -> None:
    own, gaze = portrait(5), np.radians(angles)
    painted = own.painted(own.driven(weights(eyeWide=0.6), gaze)).astype(np.uint8)
    wanted, start = own.iris_marks(gaze), own.iris_marks(np.zeros(4))
    everywhere = np.ones(painted.shape[:2], np.float32)
    for first in (468, 473):
        ring = wanted[first : first + 5, :2].astype(float)
        radius = np.linalg.norm(ring[1] - ring[3]) / 2
        found = find_iris(painted, ring + 0.1 * radius, everywhere)
        way = np.linalg.norm(wanted[first] - start[first])
        assert way > 0.3 * radius
        assert abs(found.x - ring[0, 0]) < 0.22 * radius
        assert abs(found.y - ring[0, 1]) < 0.35 * radius  # lids hide its upper and lower rim


def test_an_eye_turns_to_where_the_rendered_one_does() -> None:
    own, row = portrait(5), weights(eyeLookOutLeft=0.6, eyeLookInRight=0.6)
    rest, truth = (own.drawn.frame(w).astype(float) for w in (weights(), row))
    painted = own.painted(own.driven(row, eye_rotation(row)))
    for letter in "LR":
        ring = own.reference.points[own.reference.face.rings[f"lid_lower.{letter}"], :2]
        middle = (ring.mean(0) - [0, 4]).astype(int)
        part = np.s_[middle[1] - 5 : middle[1] + 5, middle[0] - 14 : middle[0] + 14]
        assert np.abs(painted[part] - truth[part]).mean() < 0.6 * np.abs(rest[part] - truth[part]).mean()


@given(st.integers(0, 50), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=12, deadline=None)
def test_a_whole_blink_shuts_every_eye(seed: int, wide: float, look: float) -> None:
    own = portrait(5)
    row = weights(eyeBlink=1.0, eyeWide=wide, eyeLookDown=look)
    driven = own.driven(row, pose=np.random.default_rng(seed).normal(0, 0.1, 6) * [1, 1, 1, 0, 0, 0])
    for letter in "LR":
        curves = Lids(own.reference, own.landmarks[:, :2], letter).curves(driven.points, 1.0)
        assert curves.opening == pytest.approx(0, abs=1e-9)


def test_a_closed_lid_has_the_colour_of_a_closed_lid() -> None:
    own, row = portrait(5), weights(eyeBlink=1.0)
    truth, driven = own.drawn.frame(row).astype(float), own.driven(row)
    painted = own.painted(driven)
    for letter in "LR":
        curves = Lids(own.reference, own.landmarks[:, :2], letter).curves(driven.points, 1.0)
        s, share = (a.ravel() for a in np.meshgrid(np.linspace(0.25, 0.75, 12), np.linspace(0.2, 0.75, 8)))
        columns = np.linspace(0, 1, len(curves.upper))
        crease, upper = (np.interp(s, columns, c) for c in (curves.crease, curves.upper))
        x, y = curves.frame.at(s, crease + share * (upper - crease)).astype(int).T
        ratio = painted[y, x].mean(0) / truth[y, x].mean(0)
        assert (np.abs(ratio - 1) < 0.32).all(), ratio
        eye = own.reference.picture[y, x].astype(float)
        assert np.abs(painted[y, x] - truth[y, x]).mean() < 0.5 * np.abs(eye - truth[y, x]).mean()


def test_a_blink_runs_without_a_jump() -> None:
    own = portrait(5)
    frames = [own.painted(own.driven(weights(eyeBlink=b))) for b in np.linspace(0, 1, 25)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    assert max(steps) < 2.5 * np.median(steps)


def test_closed_eyes_stay_closed_and_the_user_is_told() -> None:
    own = portrait(None, eyeBlink=1.0)
    assert any("closed" in note for note in own.inside.notes)
    opened = own.painted(own.driven(weights()))
    eye = Eye(own.reference, own.landmarks[:, :2], "L")
    assert eye.shut
    places = own.reference.points[own.reference.face.rings["lid_lower.L"][5:-5], :2].astype(int)
    seen = own.reference.picture[places[:, 1], places[:, 0]]
    assert np.abs(opened[places[:, 1], places[:, 0]] - seen).mean() < 12


def test_an_eye_outside_the_picture_is_not_drawn() -> None:
    own = portrait()
    driven = own.driven(weights(), pose=np.array([0, 0, 0, 0.5, 0, 0]))
    assert own.inside.draw(driven) == ()
