"""Canonical lip offsets: the same movement on every face."""

import dataclasses

import numpy as np
import pytest

from blender_addon.lips.offsets import CANONICAL_OFFSETS, canonical_offsets, coefficients_of, handles_of
from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_handles
from models.face import load_head
from models.face.lip_range import speech_range


@pytest.fixture(scope="module")
def lips():
    return prepare_lips(load_head())


@pytest.fixture(scope="module")
def speech():
    return speech_range(np.random.default_rng(0), 40)


def test_offsets_come_back_as_the_handles_they_were(lips, speech):
    handles = solve_handles(lips, speech.weights, speech.contact, speech.held)
    offsets = canonical_offsets(lips, handles)
    assert offsets.shape == (40, CANONICAL_OFFSETS)
    back = handles_of(lips, offsets)
    assert np.abs(back - handles).max() < 0.05 * np.abs(handles).max()  # its columns are not even


def test_even_columns_come_back_exactly(lips):
    even = dataclasses.replace(lips, corner=np.abs(np.linspace(-1, 1, lips.columns)[1:-1]).astype(np.float32))
    handles = np.random.default_rng(1).normal(0, 1e-3, (5, 2, len(lips.spread))).astype(np.float32)
    np.testing.assert_allclose(handles_of(even, canonical_offsets(even, handles)), handles, atol=1e-8)


def test_offsets_are_counted_in_mouth_widths(lips):
    handles = np.full((1, 2, len(lips.spread)), 1e-3 * lips.coordinates.width, np.float32)
    np.testing.assert_allclose(canonical_offsets(lips, handles), 1.0, rtol=1e-5)


def test_coefficients_rebuild_what_the_basis_can_hold(lips):
    wanted = np.random.default_rng(3).uniform(-1, 1, (6, len(lips.basis)))
    moved = np.einsum("fk,klc->flc", wanted, lips.basis)
    spread = np.linalg.pinv(lips.spread.astype(np.float64))  # [L, H]
    handles = np.stack([-moved[..., 1] @ spread, moved[..., 2] @ spread], 1).astype(np.float32)
    np.testing.assert_allclose(coefficients_of(lips, handles), wanted, atol=1e-2)
