"""Random people: correlated and within limits, of human sizes, with lids and lips that still close."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from models.face import load_head
from models.face.builtin.identity_statistics import COUPLINGS
from models.face.identity import named_identity, sample_identity, with_identity
from models.render import Camera, PreviewRenderer

from .anthropometry import Caliper, deviations
from .face_mesh import blinking, corner_turns, eye_pixels, mouth_pixels, region

MM = 1000.0
SEEDS = range(8)


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


@pytest.fixture(scope="module")
def people(head: FaceFile) -> list[FaceFile]:
    return [with_identity(head, sample_identity(head, seed)) for seed in SEEDS]


@pytest.fixture(scope="module")
def crowd(head: FaceFile) -> np.ndarray:
    random = np.random.default_rng(7)
    return np.stack([sample_identity(head, random) for _ in range(5000)])


def eye(face: FaceFile, name: str = "eye.L") -> tuple[np.ndarray, float]:
    """Centre [3] and greatest radius of an eyeball."""
    centre = np.array(next(bone for bone in face.bones if bone.name == name).head)
    return centre, float(np.linalg.norm(face.vertices[region(face, name)] - centre, axis=1).max())


def test_parameters_are_many_and_their_correlation_is_sound(head: FaceFile) -> None:
    assert len(head.identity_names) >= 40
    assert len(set(head.identity_names)) == len(head.identity_names)
    correlation = head.identity_correlation.astype(float)
    np.testing.assert_array_equal(correlation, correlation.T)
    np.testing.assert_allclose(np.diag(correlation), 1, atol=1e-6)
    assert np.linalg.eigvalsh(correlation).min() > 0.02
    place = {name: i for i, name in enumerate(head.identity_names)}
    for (one, other), amount in COUPLINGS.items():
        assert correlation[place[one], place[other]] == pytest.approx(amount, abs=0.12), (one, other)


def test_draws_keep_limits_and_correlation(head: FaceFile, crowd: np.ndarray) -> None:
    low, high = head.identity_limits.T
    assert (crowd >= low).all()
    assert (crowd <= high).all()
    seen = np.corrcoef(crowd.T)
    # Cutting off the tails weakens correlations a little; sampling adds 1 / sqrt(5000) = 0.014.
    assert np.abs(seen - head.identity_correlation).max() < 0.13
    assert np.abs(seen - head.identity_correlation).mean() < 0.02
    assert 0.75 < crowd.std(0).min() < crowd.std(0).max() < 1.05


def test_draws_are_deterministic(head: FaceFile) -> None:
    one, again, other = (sample_identity(head, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.5
    np.testing.assert_array_equal(with_identity(head, one).vertices, with_identity(head, again).vertices)


def test_no_identity_is_the_neutral_head(head: FaceFile) -> None:
    same = with_identity(head, np.zeros(len(head.identity_names), np.float32))
    np.testing.assert_allclose(same.vertices, head.vertices, atol=1e-6)
    np.testing.assert_allclose(same.shapes, head.shapes, atol=1e-6)
    np.testing.assert_allclose(same.pivot, head.pivot, atol=1e-6)
    for old, new in zip(head.bones, same.bones, strict=True):
        np.testing.assert_allclose([*new.head, *new.tail], [*old.head, *old.tail], atol=1e-6)


def test_wrong_number_of_weights_is_refused(head: FaceFile) -> None:
    with pytest.raises(InputError, match="expected"):
        with_identity(head, np.zeros(3, np.float32))
    with pytest.raises(InputError, match="not finite"):
        with_identity(head, np.full(len(head.identity_names), np.nan, np.float32))


def test_a_face_without_identity_says_so(head: FaceFile) -> None:
    """As a transferred face is."""
    empty = np.zeros((0, len(head.vertices), 3), np.float32)
    limits, correlation = np.zeros((0, 2), np.float32), np.zeros((0, 0), np.float32)
    plain = replace(
        head,
        identity_names=(),
        identity=empty,
        identity_limits=limits,
        identity_correlation=correlation,
    )
    for use in (
        lambda: sample_identity(plain, 1),
        lambda: named_identity(plain, {"jaw_width": 1.0}),
        lambda: with_identity(plain, np.zeros(len(head.identity_names), np.float32)),
    ):
        with pytest.raises(InputError, match="has no identity fields"):
            use()


def test_sizes_of_people_spread_as_norms_do(head: FaceFile, crowd: np.ndarray) -> None:
    caliper, fields = Caliper(head), head.identity.reshape(len(head.identity_names), -1)
    rows = []
    for weights in crowd[:250]:
        rows.append(deviations(caliper(head.vertices + (weights @ fields).reshape(-1, 3))))
    table = np.array([[row[name] for name in rows[0]] for row in rows])
    assert (np.abs(table) <= 3).mean() > 0.99
    assert np.abs(table).max() < 4.5
    spread = dict(zip(rows[0], table.std(0), strict=True))
    assert {name: s for name, s in spread.items() if not 0.4 < s < 1.3} == {}


def test_people_are_symmetric_and_differ(head: FaceFile, people: list[FaceFile]) -> None:
    for person in people:
        apart, _ = cKDTree(person.vertices).query(person.vertices * [-1, 1, 1])
        assert apart[~region(head, "tongue")].max() < 1e-5
    for i, one in enumerate(people):
        for other in people[:i]:
            apart = np.linalg.norm(one.vertices - other.vertices, axis=1)[region(head, "face")]
            assert np.sqrt((apart**2).mean()) * MM > 1.0


def test_visible_quads_stay_sound(head: FaceFile, people: list[FaceFile]) -> None:
    quads = head.polygons[head.polygons[:, 3] >= 0]
    shown = region(head, "face", "nose", "scalp", "neck", "upper_lip", "lower_lip")
    quads = quads[shown[quads].all(1)]
    before = corner_turns(head.vertices.astype(float), quads)[0]
    normal = _normals(head.vertices, quads)
    for person in people:
        turns = corner_turns(person.vertices.astype(float), quads)[0]
        assert ((turns < 0) & (before > 0)).mean() < 0.001
        assert ((_normals(person.vertices, quads) * normal).sum(1) > 0).all()


def _normals(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    p = vertices[quads].astype(float)
    return np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_lids_close_on_the_ball(people: list[FaceFile], seed: int) -> None:
    person = people[seed]
    for side in "LR":
        centre, radius = eye(person, f"eye.{side}")
        upper, lower = person.rings[f"lid_upper.{side}"], person.rings[f"lid_lower.{side}"]
        for amount in (0.0, 0.25, 0.5, 0.75, 1.0):
            lids = blinking(person, amount)[np.concatenate([upper, lower])]
            assert np.linalg.norm(lids - centre, axis=1).min() > radius - 1e-4
        shut = blinking(person, 1.0)
        order = np.argsort(shut[lower, 0])
        slit = shut[upper, 2] - np.interp(shut[upper, 0], shut[lower[order], 0], shut[lower[order], 2])
        assert slit.max() * MM < 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_eyeballs_stay_round_and_nothing_shows_through(people: list[FaceFile], seed: int) -> None:
    person = people[seed]
    centre, _ = eye(person)
    white = region(person, "eye.L") & (person.vertices[:, 1] > centre[1])  # the half without the cornea
    radii = np.linalg.norm(person.vertices[white] - centre, axis=1) * MM
    assert np.ptp(radii) < 0.1
    assert 10.5 < radii.mean() < 13.5
    for yaw, pitch in ((0.0, 0.0), (-50.0, 0.0), (0.0, -35.0)):
        camera = Camera(target=(0, 0, -0.03), span=0.22, yaw=yaw, pitch=pitch)
        renderer = PreviewRenderer(person, (200, 200), camera)
        assert eye_pixels(person, renderer, blink=1.0) == 0
        assert mouth_pixels(person, renderer) == 0


@pytest.mark.parametrize("amount", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_open_jaw_with_closed_lips_is_sealed(people: list[FaceFile], amount: float) -> None:
    for person in people:
        move = person.shapes[ARKIT_INDEX["jawOpen"]] + person.shapes[ARKIT_INDEX["mouthClose"]]
        lips = person.vertices + amount * move
        gap = np.linalg.norm(lips[person.rings["lip_upper"]] - lips[person.rings["lip_lower"]], axis=1)
        assert gap.max() * MM < 0.5


def test_bones_follow_the_head(head: FaceFile, people: list[FaceFile]) -> None:
    for person in people:
        assert abs(person.pivot[0]) < 1e-6
        for name in ("eye.L", "eye.R"):
            centre, radius = eye(person, name)
            ball = person.vertices[region(person, name)]
            np.testing.assert_allclose(ball.mean(0)[[0, 2]], centre[[0, 2]], atol=1e-4)
            behind = ball[ball[:, 1] > centre[1]]
            assert np.linalg.norm(behind - centre, axis=1).min() > 0.94 * radius
        ears = person.vertices[region(person, "ears")]
        assert abs(np.mean(ears[:, 2]) - np.mean(head.vertices[region(head, "ears"), 2])) < 0.012
        moved = np.array(person.pivot) - np.array(head.pivot)
        assert np.linalg.norm(moved) < 0.012
