"""Values carried over a mesh, and texels of vertices."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import laplacian

from models.portrait.spread import MeshSpread, edges_of
from models.portrait.tones import alike, skin_tone


def strip(length: int) -> tuple[np.ndarray, np.ndarray]:
    """A ladder of quads, 1 cm steps."""
    x, y = np.meshgrid(np.arange(length), [0.0, 1.0])
    vertices = np.column_stack([x.ravel(), y.ravel(), np.zeros(2 * length)]) * 0.01
    first = np.arange(length - 1)
    return vertices, np.stack([first, first + 1, first + 1 + length, first + length], 1)


def test_edges_are_each_side_once() -> None:
    polygons = np.array([[0, 1, 2, 3], [1, 4, 2, -1]])
    assert {tuple(edge) for edge in edges_of(polygons)} == {(0, 1), (1, 2), (2, 3), (0, 3), (1, 4), (2, 4)}


def test_between_two_known_ends_values_go_straight() -> None:
    vertices, polygons = strip(12)
    trust, values = np.zeros(24), np.zeros((24, 1))
    trust[[0, 11, 12, 23]], values[[11, 23]] = 1e6, 1.0
    spread = MeshSpread(vertices, polygons)(values, trust, np.full(1, 0.5))
    np.testing.assert_allclose(spread[:12, 0], np.linspace(0, 1, 12), atol=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_it_solves_its_equation_and_overshoots_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vertices, polygons = strip(15)
    trust, values = rng.uniform(0, 30, 30) * (rng.uniform(size=30) < 0.3), rng.normal(size=(30, 3))
    spread = MeshSpread(vertices, polygons)(values, trust, np.zeros(3))
    graph = np.zeros((30, 30))
    edges = edges_of(polygons)
    graph[edges[:, 0], edges[:, 1]] = graph[edges[:, 1], edges[:, 0]] = 1.0
    rest = laplacian(graph) @ spread + trust[:, None] * (spread - values)
    np.testing.assert_allclose(rest, -3e-3 * spread, atol=1e-8)
    known = np.concatenate([values[trust > 0], np.zeros((1, 3))])
    assert (spread <= known.max(0) + 1e-9).all()
    assert (spread >= known.min(0) - 1e-9).all()


def test_skin_is_told_from_a_beard_and_mixtures_from_strangers() -> None:
    rng = np.random.default_rng(0)
    skin, beard = np.log([0.5, 0.3, 0.2]), np.log([0.04, 0.03, 0.02])
    colors = np.concatenate([skin + rng.normal(0, 0.08, (700, 3)), beard + rng.normal(0, 0.2, (300, 3))])
    tone = skin_tone(colors)
    assert tone is not None
    np.testing.assert_allclose(tone.color, skin, atol=0.05)
    assert tone.likeness(colors[:700]).mean() > 0.95
    assert tone.likeness(colors[700:]).max() < 0.05
    assert skin_tone(colors[:5]) is None
    half = 2.2 * np.log((np.exp(skin / 2.2) + np.exp(beard / 2.2)) / 2)
    strangers = np.log([[0.1, 0.2, 0.6], [0.02, 0.5, 0.05]])
    found = alike(np.vstack([skin, beard, half, strangers]), skin, beard)
    np.testing.assert_allclose(found, [1, 1, 1, 0, 0], atol=1e-6)
