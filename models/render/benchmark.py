"""Times the rasteriser on the built-in head, one CPU thread: `python -m models.render.benchmark`.

Each line is a way to draw the same picture: milliseconds (best and median), and the share of pixels that show
the same triangle as the NumPy loop.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.face import load_head

from .batch import Backend, rasterize_batch
from .camera import Camera
from .raster import Raster, interpolate, rasterize, vertex_normals
from .surface import Surface, surface_maps

SIZES = (256, 512)
CHANNELS = 8


class Scene(NamedTuple):
    """The head in front of the preview's camera: vertices and screen points [V, 3], triangles [T, 3]."""

    size: int
    surface: Surface
    vertices: Array
    points: Array
    triangles: Array


def head_scene(size: int) -> Scene:
    """The built-in head at rest in a picture of `size` x `size` pixels."""
    head = load_head()
    surface = Surface.of(head)
    points = Camera().project(head.vertices, size, size)
    return Scene(size, surface, head.vertices, points, surface.triangles)


def milliseconds(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """Best and median of `runs` after one that is not counted."""
    work()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return min(taken), float(np.median(taken))


def raster_milliseconds(size: int, device: str) -> float:
    """Median time to rasterise the built-in head at `size` x `size` by the device's default backend.

    Args:
        device: a PyTorch device; the picture is complete there when the time ends.
    """
    scene = head_scene(size)
    if device == "cpu":
        raster = Raster.empty(size, size)
        return milliseconds(lambda: rasterize(scene.points, scene.triangles, raster), 40)[1]
    import torch

    points = torch.from_numpy(scene.points[None]).to(device)
    triangles = torch.from_numpy(scene.triangles).to(device)

    def draw() -> object:
        return rasterize_batch(points, triangles, (size, size)).triangle[0, 0, 0].item()

    return milliseconds(draw, 20)[1]


def numpy_loop(points: Array, triangles: Array, size: int) -> Array:
    """Triangle per pixel [size, size]: a loop over triangles, NumPy over the pixels of each one's box."""
    corners = points[triangles].astype(float)  # [T, 3, 3]
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    low = np.clip(np.ceil(corners[:, :, :2].min(1) - 0.5), 0, None).astype(int)
    high = np.clip(np.floor(corners[:, :, :2].max(1) + 0.5), None, size).astype(int)
    nearest, drawn = np.zeros((size, size)), np.full((size, size), -1, np.int32)
    for t in np.flatnonzero((areas < 0) & (low < high).all(1)):
        box = np.s_[low[t, 1] : high[t, 1], low[t, 0] : high[t, 0]]
        px, py = np.arange(low[t, 0], high[t, 0]) + 0.5, np.arange(low[t, 1], high[t, 1])[:, None] + 0.5
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners[t]
        a = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / areas[t]
        b = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / areas[t]
        inverse = a / az + b / bz + (1 - a - b) / cz
        seen = (a >= 0) & (b >= 0) & (a + b <= 1) & (inverse > nearest[box])
        nearest[box][seen], drawn[box][seen] = inverse[seen], t
    return drawn


def compare(size: int) -> list[str]:
    """One line per way to draw `size` x `size` pixels."""
    scene = head_scene(size)
    reference = numpy_loop(scene.points, scene.triangles, size)
    covered = float((reference >= 0).mean())
    lines = [f"{size} x {size}, {len(scene.triangles)} triangles, {covered:.0%} of the pixels covered"]

    def line(name: str, work: Callable[[], object], runs: int, drawn: Array | None = None) -> None:
        best, median = milliseconds(work, runs)
        same = "" if drawn is None else f"  same triangle {float((drawn == reference).mean()):.5%}"
        lines.append(f"  {name:34s}{best:9.2f}{median:9.2f} ms{same}")

    line("NumPy, loop over triangles", lambda: numpy_loop(scene.points, scene.triangles, size), 1, reference)
    _time_kernels(scene, line)
    for backend in ("torch", "pytorch3d"):
        _time_backend(scene, backend, line)
    return lines


def _time_kernels(scene: Scene, line: Callable[..., None]) -> None:
    raster = Raster.empty(scene.size, scene.size)
    rasterize(scene.points, scene.triangles, raster)
    line("numba", lambda: rasterize(scene.points, scene.triangles, raster), 60, raster.triangle)
    for channels in (CHANNELS, 2 * CHANNELS):
        values = np.random.default_rng(0).random((len(scene.points), channels)).astype(np.float32)
        out = interpolate(raster, scene.triangles, values)

        def fill(values: Array = values, out: Array = out) -> None:
            interpolate(raster, scene.triangles, values, out)

        line(f"numba, {channels} attributes", fill, 60)
    line("vertex normals", lambda: vertex_normals(scene.vertices, scene.triangles), 60)
    vertices, points, size = scene.vertices[None], scene.points[None], (scene.size, scene.size)
    line("all maps: NCC, normals, UV", lambda: surface_maps(scene.surface, vertices, points, size), 30)


def _time_backend(scene: Scene, backend: Backend, line: Callable[..., None]) -> None:
    from importlib.util import find_spec

    import torch

    if find_spec(backend) is None:
        return
    torch.set_num_threads(1)
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        points = torch.from_numpy(scene.points[None]).to(device)
        triangles = torch.from_numpy(scene.triangles).to(device)

        def draw(points: torch.Tensor = points, triangles: torch.Tensor = triangles) -> Array:
            drawn = rasterize_batch(points, triangles, (scene.size, scene.size), backend=backend)
            found: Array = drawn.triangle[0].cpu().numpy()
            return found

        line(f"{backend} on {device}", draw, 5, draw())


def main() -> int:
    """Print the comparison for each size."""
    for size in SIZES:
        sys.stdout.write("\n".join(compare(size)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
