"""The 52 shapes of the shipped head: what each moves and which way, lids that seal, no folds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.face import FaceFile
from models.face import load_head
from models.face.identity import sample_identity, with_identity
from models.render import PreviewRenderer

from .face_measures import (
    DEPTH,
    HEIGHT,
    MM,
    PAIRED,
    SIDED,
    VisibleSkin,
    X,
    depth_inside,
    eye_centre,
    lid_clearance,
    lid_slit,
    lip_gap,
    lip_points,
    natural_mixture,
    posed,
    region,
    triangles,
    weights,
)

PEOPLE = 8


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


@pytest.fixture(scope="module", params=range(PEOPLE))
def person(head: FaceFile, request: pytest.FixtureRequest) -> FaceFile:
    """A random identity."""
    return with_identity(head, sample_identity(head, request.param))


def allowed(head: FaceFile, name: str) -> np.ndarray:
    """[V] where shape `name` may move more than 0.1 mm.

    Lid shapes: 4.2 cm round the eye's centre. Brow shapes: forehead and upper lids, above the lower lids.
    Cheek and nose shapes: from the eyes to the lips. Mouth shapes: below the eyes, before the ears, to the
    neck, no teeth. Jaw shapes, and mouthFunnel and tongueOut, which part the jaws: the same with lower
    teeth and tongue. No shape moves an eyeball or an upper tooth.
    """
    _, depth, height = head.vertices.T * MM
    skin = ~region(head, "eye.L", "eye.R", "upper_teeth", "lower_teeth", "gums", "tongue")
    lower = region(head, "lower_teeth", "tongue") | (region(head, "gums") & (height < -62))
    if name.startswith("eye"):
        around = [np.linalg.norm(head.vertices - eye_centre(head, s), axis=1) * MM < 42 for s in "LR"]
        return skin & (around[0] | around[1])
    if name.startswith("brow"):
        return skin & (height > -12) & (height < 80) & (depth < -25)
    if name.startswith(("cheekSquint", "noseSneer")):
        return skin & (height > -78) & (height < 26) & (depth < -25)
    below = (
        (height < -1) & (height > -150) & (depth < 20) & ~region(head, "eyelids", "ears", "brows", "lashes")
    )
    if name.startswith("jaw") or name in ("mouthFunnel", "tongueOut"):
        return (skin & below) | lower
    return skin & below


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_a_shape_moves_only_its_region(head: FaceFile, name: str) -> None:
    moved = np.linalg.norm(head.shapes[ARKIT_INDEX[name]], axis=1) * MM
    outside = ~allowed(head, name)
    assert moved.max() > 0.3
    assert moved[outside].max() < 0.1, head.vertices[np.where(outside, moved, 0).argmax()] * MM


def test_paired_shapes_mirror_each_other(head: FaceFile) -> None:
    distance, twin = cKDTree(head.vertices).query(head.vertices * [-1, 1, 1])
    found = distance < 1e-6
    assert found.mean() > 0.99
    for name in ARKIT_NAMES:
        partner = PAIRED.get(name, name)
        if name.endswith("Right"):
            continue
        here = head.shapes[ARKIT_INDEX[name]][found]
        there = head.shapes[ARKIT_INDEX[partner]][twin[found]] * [-1, 1, 1]
        assert np.abs(here - there).max() < 1e-5, name


def test_left_shapes_leave_the_right_side_still(head: FaceFile) -> None:
    right = head.vertices[:, X] < -0.02
    for name in PAIRED:
        if name not in SIDED:
            assert np.abs(head.shapes[ARKIT_INDEX[name]][right]).max() < 1e-6, name


# Apple's description of each location, as: shape, landmark, axis, least motion in millimetres (signed).
DIRECTIONS = (
    ("jawForward", "chin", DEPTH, -4),
    ("jawLeft", "chin", X, 5),
    ("jawRight", "chin", X, -5),
    ("jawOpen", "chin", HEIGHT, -20),
    ("mouthFunnel", "lip_upper_middle", DEPTH, -5),
    ("mouthFunnel", "mouth_corner.L", X, -7),
    ("mouthPucker", "lip_lower_middle", DEPTH, -5),
    ("mouthPucker", "mouth_corner.L", X, -9),
    ("mouthLeft", "mouth_corner.L", X, 4),
    ("mouthLeft", "mouth_corner.R", X, 4),
    ("mouthRight", "lip_upper_middle", X, -4),
    ("mouthSmile", "mouth_corner.L", X, 5),
    ("mouthSmile", "mouth_corner.L", HEIGHT, 5),
    ("mouthSmile", "mouth_corner.L", DEPTH, 4),
    ("mouthFrown", "mouth_corner.L", HEIGHT, -4.5),
    ("mouthDimple", "mouth_corner.L", X, 2.5),
    ("mouthDimple", "mouth_corner.L", DEPTH, 3),
    ("mouthStretch", "mouth_corner.L", X, 6),
    ("mouthRollLower", "lip_lower_border", HEIGHT, 1.5),
    ("mouthRollLower", "lip_lower_middle", DEPTH, 2),
    ("mouthRollUpper", "lip_upper_border", HEIGHT, -1.5),
    ("mouthRollUpper", "lip_upper_middle", DEPTH, 2),
    ("mouthShrugLower", "lip_lower_middle", HEIGHT, 1.5),
    ("mouthShrugLower", "chin", HEIGHT, 1.5),
    ("mouthShrugUpper", "lip_upper_middle", HEIGHT, 1.5),
    ("mouthPress", "lip_upper_border", HEIGHT, -1),
    ("mouthPress", "lip_lower_border", HEIGHT, 1),
    ("mouthLowerDown", "lip_lower_middle", HEIGHT, -5),
    ("mouthUpperUp", "lip_upper_middle", HEIGHT, 4.5),
    ("cheekPuff", "mouth_corner.L", DEPTH, -2),
    ("cheekSquint", "cheekbone.L", HEIGHT, 0.3),
    ("noseSneer", "nose_wing.L", HEIGHT, 2.5),
    ("browDown", "brow_inner.L", HEIGHT, -3.5),
    ("browInnerUp", "brow_inner.L", HEIGHT, 5),
    ("browOuterUp", "brow_outer.L", HEIGHT, 3.5),
    ("eyeBlink", "lid_upper_middle.L", HEIGHT, -7),
    ("eyeLookDown", "lid_upper_middle.L", HEIGHT, -3),
    ("eyeLookUp", "lid_upper_middle.L", HEIGHT, 1.5),
    ("eyeSquint", "lid_lower_middle.L", HEIGHT, 1.2),
    ("eyeWide", "lid_upper_middle.L", HEIGHT, 2),
)


@pytest.mark.parametrize(("name", "landmark", "axis", "least"), DIRECTIONS)
def test_shapes_go_where_apple_says(
    head: FaceFile, name: str, landmark: str, axis: int, least: float
) -> None:
    vertex = head.landmarks[landmark]
    move = (posed(head, **{name: 1.0})[vertex] - head.vertices[vertex])[axis] * MM
    assert move * np.sign(least) >= abs(least)


def test_cheek_puff_swells_the_cheeks(head: FaceFile) -> None:
    cheek = int(np.linalg.norm(head.vertices * MM - [40, -77, -60], axis=1).argmin())
    move = (posed(head, cheekPuff=1)[cheek] - head.vertices[cheek]) * MM
    assert move[X] > 5
    assert move[DEPTH] < -4


def test_looking_aside_takes_the_lids_along_a_little(head: FaceFile) -> None:
    lid = head.landmarks["lid_upper_middle.L"]
    inward = head.shapes[ARKIT_INDEX["eyeLookInLeft"]][lid, X] * MM
    assert -1 < inward < -0.2
    assert head.shapes[ARKIT_INDEX["eyeLookOutLeft"]][lid, X] * MM == pytest.approx(-inward, abs=0.1)


def test_blink_seals_the_lids(head: FaceFile) -> None:
    for side in "LR":
        assert lid_slit(head, posed(head), side) > 7
        assert lid_slit(head, posed(head, eyeBlink=1), side) < 0.3


LOOKS: tuple[dict[str, float], ...] = (
    {},
    *({f"eyeLook{direction}": 1.0} for direction in ("Up", "Down", "In", "Out")),
    {"eyeLookUp": 0.7, "eyeLookIn": 0.7},
    {"eyeLookDown": 0.7, "eyeLookOut": 0.7},
    {"eyeSquint": 1.0},
    {"cheekSquint": 1.0},
)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "+".join(look) or "ahead")
def test_lids_stay_outside_the_eyeball(head: FaceFile, look: dict[str, float]) -> None:
    for amount in np.linspace(0, 1, 9):
        assert lid_clearance(head, posed(head, eyeBlink=float(amount), **look), "L") > 0, amount


def test_lid_clearance_sees_a_ball_that_comes_through(head: FaceFile) -> None:
    vertices = posed(head, eyeBlink=1)
    ball = region(head, "eye.L")
    vertices[ball] = eye_centre(head, "L") + 1.2 * (vertices[ball] - eye_centre(head, "L"))
    assert lid_clearance(head, vertices, "L") < -0.5


def test_no_eyeball_is_seen_through_closed_lids(head: FaceFile) -> None:
    renderer = PreviewRenderer(head, (320, 320))
    eye = [head.material_names.index(n) for n in ("sclera", "iris", "pupil")]
    assert np.isin(renderer.materials_seen(posed(head).astype(np.float32)), eye).sum() > 200
    for look in LOOKS:
        if "eyeLookUp" in look:
            continue  # it raises the lids, from closed ones as well
        seen = renderer.materials_seen(posed(head, eyeBlink=1, **look).astype(np.float32))
        assert np.isin(seen, eye).sum() == 0, look


def test_shapes_add_up_without_folds(head: FaceFile) -> None:
    skin, random = VisibleSkin(head), np.random.default_rng(4)
    assert skin.count > 4000
    turned = np.array([skin.turned_over(natural_mixture(random)) for _ in range(2000)])
    assert turned.sum() / (2000 * skin.count) < 1e-5  # of combinations x visible triangles
    assert (turned > 0).mean() < 2e-3  # of combinations


def test_turned_over_sees_a_fold(head: FaceFile) -> None:
    skin = VisibleSkin(head)
    assert skin.turned_over(weights().astype(float)) == 0
    assert skin.turned_over(5.0 * weights(jawOpen=1, mouthSmile=1).astype(float)) > 20


def test_other_people_blink(person: FaceFile) -> None:
    for side in "LR":
        assert lid_slit(person, posed(person, eyeBlink=1), side) < 0.3
    for amount in (0.25, 0.5, 0.75, 1.0):
        for look in ({}, {"eyeLookUp": 1.0}, {"eyeLookDown": 1.0}):
            assert lid_clearance(person, posed(person, eyeBlink=amount, **look), "L") > 0, (amount, look)


def test_other_people_close_their_lips(person: FaceFile) -> None:
    assert lip_gap(person, posed(person)).max() < 0.3
    for amount in (0.25, 0.5, 0.75, 1.0):
        assert lip_gap(person, posed(person, jawOpen=amount, mouthClose=amount)).max() < 0.5
    for pose in ({}, {"mouthSmile": 1.0}, {"mouthStretch": 1.0}, {"jawOpen": 0.5}):
        vertices = posed(person, **pose)
        corners = vertices[triangles(person, region(person, "upper_teeth", "lower_teeth"))]
        assert depth_inside(lip_points(person, vertices), corners) < 0.1, pose


def test_other_people_do_not_fold(person: FaceFile) -> None:
    skin, random = VisibleSkin(person), np.random.default_rng(5)
    turned = np.array([skin.turned_over(natural_mixture(random)) for _ in range(250)])
    assert turned.sum() / (250 * skin.count) < 1e-5
    assert (turned > 0).mean() < 0.05  # of combinations; on the built-in head it is 0.002


def test_other_people_are_symmetric(person: FaceFile) -> None:
    distance, twin = cKDTree(person.vertices).query(person.vertices * [-1, 1, 1])
    found = distance < 1e-5
    assert found.mean() > 0.99
    for name in ("eyeBlinkLeft", "mouthSmileLeft"):
        here = person.shapes[ARKIT_INDEX[name]][found]
        there = person.shapes[ARKIT_INDEX[PAIRED[name]]][twin[found]] * [-1, 1, 1]
        assert np.abs(here - there).max() < 1e-5
