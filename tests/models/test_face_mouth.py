"""The mouth's inside: teeth that meet, lips that stay off them, lips that seal, a tongue that gets out."""

from __future__ import annotations

import numpy as np
import pytest

from blender_addon.protocol.face import FaceFile
from models.face import load_head

from .face_measures import (
    BASES,
    DEPTH,
    HEIGHT,
    MM,
    SIDED,
    X,
    depth_inside,
    lip_gap,
    lip_points,
    posed,
    region,
    triangles,
)

TEETH = ("upper_teeth", "lower_teeth")
MOUTH_SHAPES = [b for b in BASES if b.startswith(("mouth", "cheekPuff", "noseSneer"))]
POSES: tuple[dict[str, float], ...] = (
    {},
    *(
        {name: 1.0}
        for name in [*MOUTH_SHAPES, *SIDED, "jawOpen", "jawForward", "tongueOut"]
        if name != "mouthClose"
    ),
    {"jawOpen": 1.0, "mouthClose": 1.0},
    {"jawOpen": 0.4, "mouthClose": 0.4},
    {"jawOpen": 0.5, "mouthSmile": 0.8},
    {"mouthSmile": 0.8, "mouthUpperUp": 0.5, "mouthLowerDown": 0.5},
)


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


def test_jaw_opens_and_mouth_close_seals_it(head: FaceFile) -> None:
    assert lip_gap(head, posed(head)).max() < 0.2
    assert 20 < lip_gap(head, posed(head, jawOpen=1))[15] < 35
    for amount in (0.25, 0.4, 0.55, 0.7, 0.85, 1.0):
        assert lip_gap(head, posed(head, jawOpen=amount, mouthClose=amount)).max() < 0.5, amount


@pytest.mark.parametrize("name", ["mouthSmile", "mouthPucker", "mouthPress", "cheekPuff", "mouthStretch"])
def test_closed_lips_stay_closed(head: FaceFile, name: str) -> None:
    assert lip_gap(head, posed(head, **{name: 1.0})).max() < 0.3


@pytest.mark.parametrize("pose", POSES, ids=lambda pose: "+".join(pose) or "rest")
def test_lips_stay_out_of_the_teeth(head: FaceFile, pose: dict[str, float]) -> None:
    vertices = posed(head, **pose)
    corners = vertices[triangles(head, region(head, *TEETH))]
    assert depth_inside(lip_points(head, vertices), corners) < 0.1


def test_depth_inside_measures_a_known_depth(head: FaceFile) -> None:
    vertices = posed(head)
    corners = vertices[triangles(head, region(head, *TEETH))]
    front = vertices[head.rings["teeth_upper_front"]]
    edge = front[np.abs(front[:, X]) < 0.01] + [0, 0.001, 0]
    assert 0.3 < depth_inside(edge, corners) < 1.1
    assert depth_inside(edge - [0, 0.0015, 0], corners) == 0


def test_teeth_meet_as_teeth_do(head: FaceFile) -> None:
    upper, lower = (head.vertices[head.rings[f"teeth_{jaw}_edge"]] * MM for jaw in ("upper", "lower"))
    middle = slice(len(upper) // 2 - 2, len(upper) // 2 + 2)
    assert 1.5 < (lower - upper)[middle, HEIGHT].mean() < 2.5  # overbite
    assert 1.5 < (lower - upper)[middle, DEPTH].mean() < 3.0  # overjet
    assert (upper[-1] - upper[0])[X] > 45
    back, front = upper[[0, -1], HEIGHT].mean(), upper[middle, HEIGHT].mean()
    assert 1 < back - front < 6  # the occlusal plane and the curve of Spee rise backwards
    one = head.vertices[triangles(head, region(head, "upper_teeth"))].astype(float)
    other = head.vertices[triangles(head, region(head, "lower_teeth"))].astype(float)
    assert depth_inside(other.mean(1), one) < 0.1
    assert depth_inside(one.mean(1), other) < 0.1


def test_tooth_rings_run_right_to_left_at_matching_stations(head: FaceFile) -> None:
    rings = [head.rings[f"teeth_{jaw}_{line}"] for jaw in ("upper", "lower") for line in ("edge", "front")]
    assert len({len(ring) for ring in rings}) == 1
    for ring in rings:
        x, depth, _ = head.vertices[ring].T
        assert (np.diff(np.arctan2(x, -0.04 - depth)) > 0).all()  # round a point behind the premolars
    for jaw in ("upper", "lower"):
        assert region(head, f"{jaw}_teeth")[head.rings[f"teeth_{jaw}_edge"]].all()


def test_lower_lip_is_near_the_upper_incisors(head: FaceFile) -> None:
    """For f and v the wet part of the lower lip has to come back no more than 4 mm."""
    edge = head.vertices[head.rings["teeth_upper_edge"]]
    edge = edge[np.abs(edge[:, X]) < 0.008]
    wet = head.vertices[head.rings["lip_lower.9"]]
    wet = wet[np.abs(wet[:, X]) < 0.008]
    back = (edge[:, None, DEPTH] - wet[None, :, DEPTH])[np.abs(edge[:, None, X] - wet[None, :, X]) < 0.001]
    assert 0 < back.max() * MM < 4


def test_funnel_does_not_bare_clenched_teeth(head: FaceFile) -> None:
    vertices = posed(head, mouthFunnel=1)
    between = vertices[head.rings["teeth_upper_edge"]] - vertices[head.rings["teeth_lower_edge"]]
    middle = slice(len(between) // 2 - 3, len(between) // 2 + 3)
    assert between[middle, HEIGHT].min() * MM > 2
    assert 4 < lip_gap(head, vertices)[15] < 12


def test_tongue_comes_out_between_the_teeth(head: FaceFile) -> None:
    tongue = region(head, "tongue")
    faces = triangles(head, tongue)

    def crossing(vertices: np.ndarray) -> float:
        points = np.concatenate([vertices[tongue], vertices[faces].mean(1)])
        return depth_inside(points, vertices[triangles(head, region(head, *TEETH))])

    lips = head.vertices[head.rings["lip_lower.7"], DEPTH].min()
    assert posed(head)[tongue, DEPTH].min() > lips + 0.015
    assert posed(head, tongueOut=1)[tongue, DEPTH].min() < lips - 0.012
    for jaw in (0.0, 0.3, 0.7):
        assert crossing(posed(head, jawOpen=jaw)) < 0.1
        assert crossing(posed(head, jawOpen=jaw, tongueOut=1)) < 0.5
    for out in (0.25, 0.4, 0.55, 0.75):  # behind the lips the tip slips over the lower edges
        assert crossing(posed(head, tongueOut=out)) < 1.5
        assert crossing(posed(head, jawOpen=0.4, tongueOut=out)) < 0.5
