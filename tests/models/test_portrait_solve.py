"""The portrait solver's derivatives, against differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.face import load_head
from models.portrait.point_model import PointModel
from models.portrait.solve import Problem, first_state, linearised, shifted

_E = 1e-6


@pytest.mark.parametrize("unused", [False, True])
def test_derivatives_are_those_of_differences(unused: bool) -> None:
    """Of every kind of parameter: pose, focal length, person, expression, gaze."""
    rng = np.random.default_rng(0)
    model = PointModel.of(load_head())
    flat = model.mean[:, [0, 2]] * [2000, -2000] + [300, 300]
    start = first_state(model, flat, np.arange(len(flat)), (300.0, 300.0), 600.0)
    state = replace(
        start,
        identity=rng.normal(size=len(model.identity)) * 0.3,
        weights=rng.uniform(0, 0.3, 52),
        gaze=rng.normal(size=4) * 0.2,
    )
    noise = np.full(len(flat), 1e4)  # so great that no landmark counts less
    if unused:
        noise[::2] = np.inf
    problem = Problem(model, flat, noise, 600.0)
    residual, jacobian = linearised(problem, state)
    assert not residual.reshape(-1, 2)[~np.isfinite(noise)].any()
    columns = [*range(7), *rng.choice(np.arange(7, jacobian.shape[1] - 4), 20), -1, -2, -3, -4]
    for column in columns:
        move = np.zeros(jacobian.shape[1])
        move[column] = _E
        ahead, behind = (linearised(problem, shifted(problem, state, sign * move))[0] for sign in (1, -1))
        expected = (ahead - behind) / (2 * _E)
        np.testing.assert_allclose(jacobian[:, column], expected, atol=2e-5 * np.abs(expected).max())
