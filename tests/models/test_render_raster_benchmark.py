"""The comparison that `python -m models.render.benchmark` prints."""

from __future__ import annotations

import numpy as np

from models.render.benchmark import compare, head_scene, numpy_loop, raster_milliseconds
from tests.models.raster_reference import trace


def test_the_loop_draws_what_rays_meet() -> None:
    scene = head_scene(24)
    some = scene.triangles[::11]
    rays = trace(scene.points, some, 24, 24)
    assert (numpy_loop(scene.points, some, 24) == rays.triangle).mean() > 0.995


def test_every_way_draws_the_same_triangles() -> None:
    lines = compare(64)
    shares = [float(line.split("same triangle")[1].strip(" %")) for line in lines if "same triangle" in line]
    assert len(shares) >= 3
    assert np.min(shares) > 99.9
    assert raster_milliseconds(64, "cpu") > 0
