"""Spherical harmonics, and light measured on surfaces of known albedo."""

from __future__ import annotations

import numpy as np
from scipy.special import sph_harm_y

from models.portrait.light import harmonics, measured_light


def directions(count: int, seed: int) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def real_harmonic(normals: np.ndarray, degree: int, order: int) -> np.ndarray:
    """By scipy's complex ones, without the Condon-Shortley phase."""
    x, y, z = normals.T
    complex_one = sph_harm_y(degree, abs(order), np.arccos(z), np.arctan2(y, x))
    if order == 0:
        return complex_one.real
    part = complex_one.real if order > 0 else complex_one.imag
    return (-1.0) ** order * np.sqrt(2) * part


def test_harmonics_are_those_of_the_books() -> None:
    normals = directions(200, 0)
    pairs = [(degree, order) for degree in range(3) for order in range(-degree, degree + 1)]
    expected = np.stack([real_harmonic(normals, *pair) for pair in pairs], 1)
    np.testing.assert_allclose(harmonics(normals), expected, atol=2e-6)


def test_light_is_found_again_among_strays() -> None:
    rng = np.random.default_rng(1)
    normals, albedo = directions(3000, 2), rng.uniform(0.2, 0.6, (3000, 3))
    light = rng.normal(0, 0.15, (9, 3))
    light[0] = 3.0
    radiance = albedo * (harmonics(normals) @ light)
    radiance[:300] *= 0.1  # a beard
    found = measured_light(normals, albedo, radiance, np.ones(3000))
    shade, truth = harmonics(normals) @ found, harmonics(normals) @ light
    assert np.abs(shade / truth - 1).mean() < 0.05


def test_nothing_trusted_counts() -> None:
    normals, albedo = directions(500, 3), np.full((500, 3), 0.4)
    radiance = 0.4 * (harmonics(normals) @ np.eye(9, 3))
    radiance[:250] = 9.0
    trust = (np.arange(500) >= 250).astype(float)
    found = measured_light(normals, albedo, radiance, trust)
    found_other = measured_light(normals[250:], albedo[250:], radiance[250:], trust[250:])
    np.testing.assert_allclose(found, found_other, atol=1e-9)
