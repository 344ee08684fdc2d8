"""Rotation matrices and Blender's Euler angles against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from blender_addon.scene.rotations import euler_angles, rotation_matrices

ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


def test_matrices_are_those_of_rotation_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(200, 3))
    vectors[0] = 0.0
    assert np.allclose(rotation_matrices(vectors), Rotation.from_rotvec(vectors).as_matrix(), atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_angles_give_the_rotation_back(order: str) -> None:
    turned = Rotation.random(500, random_state=1)
    angles = euler_angles(turned.as_matrix(), order)
    columns = ["XYZ".index(letter) for letter in order]
    back = Rotation.from_euler(order.lower(), angles[:, columns])
    assert (back * turned.inv()).magnitude().max() < 1e-7


@pytest.mark.parametrize("order", ORDERS)
def test_angles_go_on_without_leaps(order: str) -> None:
    """Three full turns about each axis, in pieces: no step is larger than the turn's own."""
    angle = np.linspace(0.0, 6 * np.pi, 600)
    for axis in "xyz".replace(order[1].lower(), ""):
        matrices = Rotation.from_euler(axis, angle[:, None]).as_matrix()
        whole, pieces = euler_angles(matrices, order), [euler_angles(matrices[:10], order)]
        for start in range(10, 600, 59):
            pieces.append(euler_angles(matrices[start : start + 59], order, pieces[-1][-1]))
        assert np.allclose(np.concatenate(pieces), whole, atol=1e-9)
        assert np.allclose(whole[:, "xyz".index(axis)], angle, atol=1e-9)
