"""The neutral head as a form: sizes against norms, symmetry, sound quads, lids over eyes, a still collar."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from blender_addon.protocol.face import FaceFile
from models.face import load_head
from models.render import Camera, PreviewRenderer

from .anthropometry import Caliper, deviations
from .face_mesh import corner_turns, eye_pixels, region


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


def outer_skin_quads(head: FaceFile) -> np.ndarray:
    """Skin polygons that can be seen with the mouth shut, [n, 4]."""
    quads = head.polygons[head.polygons[:, 3] >= 0]
    hidden = region(head, "inner_mouth", "eye.L", "eye.R", "upper_teeth", "lower_teeth", "gums", "tongue")
    hidden |= region(head, "brows", "lashes")
    behind = np.zeros(len(head.vertices), bool)  # lid skin behind the margin, on the ball
    for bone in head.bones:
        if bone.name.startswith("eye"):
            reach = np.linalg.norm(head.vertices - np.array(bone.head), axis=1)
            behind |= region(head, "eyelids") & (reach < 0.0128)
    return quads[~(hidden | behind)[quads].any(1)]


def test_sizes_and_angles_are_within_two_standard_deviations_of_the_norms(head: FaceFile) -> None:
    off = deviations(Caliper(head)(head.vertices))
    assert len(off) >= 20
    assert {name: z for name, z in off.items() if abs(z) > 2} == {}
    assert np.mean(np.abs(list(off.values()))) < 1.0


def test_neutral_is_symmetric(head: FaceFile) -> None:
    distance, _ = cKDTree(head.vertices).query(head.vertices * [-1, 1, 1])
    assert distance[~region(head, "tongue")].max() < 1e-6
    assert distance.max() < 1e-4


def test_visible_quads_are_neither_folded_nor_degenerate(head: FaceFile) -> None:
    quads = outer_skin_quads(head)
    turns, area = corner_turns(head.vertices.astype(float), quads)
    assert len(quads) > 7000
    assert turns.min() > 0
    assert area.min() > 1e-10  # square metres: a hundredth of a millimetre squared


def test_skin_is_one_sheet_that_ends_at_collar_and_lids(head: FaceFile) -> None:
    other = region(head, "eye.L", "eye.R", "upper_teeth", "lower_teeth", "gums", "tongue", "brows", "lashes")
    skin = head.polygons[~other[head.polygons[:, :3]].any(1)]
    whole = skin[:, 3] >= 0
    edges = np.concatenate(
        [skin[whole][:, [i, (i + 1) % 4]] for i in range(4)]
        + [skin[~whole][:, [i, (i + 1) % 3]] for i in range(3)]
    )
    edge, count = np.unique(np.sort(edges, 1), axis=0, return_counts=True)
    assert count.max() == 2
    rim = np.unique(edge[count == 1])
    assert len(rim) == (count == 1).sum()  # closed loops: the collar, and behind each eye's lids
    in_socket = np.zeros(len(rim), bool)
    for bone in head.bones:
        if bone.name.startswith("eye"):
            in_socket |= np.linalg.norm(head.vertices[rim] - np.array(bone.head), axis=1) < 0.0145
    assert head.vertices[rim[~in_socket], 2].max() < -0.19


def test_collar_stays_and_chin_goes_with_the_head(head: FaceFile) -> None:
    skin = region(head, "face", "neck")
    held = head.bone_weights.sum(1)
    assert held[skin & (head.vertices[:, 2] < -0.171)].max() < 1e-6
    shoulder = skin & (np.abs(head.vertices[:, 0]) > 0.085) & (head.vertices[:, 2] < -0.14)
    assert shoulder.sum() > 100
    assert held[shoulder].max() < 0.05
    bones = [bone.name for bone in head.bones]
    for mark in ("chin", "lip_lower_border", "jaw_angle.L"):
        assert head.bone_weights[head.landmarks[mark], bones.index("head")] > 0.9, mark


def test_neck_widens_into_shoulders(head: FaceFile) -> None:
    x, _, z = head.vertices[region(head, "neck")].T
    widths = [np.ptp(x[np.abs(z - level) < 0.008]) for level in (-0.13, -0.15, -0.17, -0.19)]
    assert 0.095 < widths[0] < 0.125
    assert (np.diff(widths) > 0).all()
    assert widths[-1] > 0.2


@pytest.mark.parametrize("yaw", [0.0, 40.0])
def test_open_eyes_show_and_closed_eyes_do_not(head: FaceFile, yaw: float) -> None:
    renderer = PreviewRenderer(head, (240, 240), Camera(target=(0, 0, 0), span=0.15, yaw=yaw))
    assert eye_pixels(head, renderer, blink=0.0) > 500
    assert eye_pixels(head, renderer, blink=1.0) == 0
