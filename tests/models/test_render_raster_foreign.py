"""PyTorch3D's and nvdiffrast's conventions, by doubles that do what the libraries' documentation says."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from blender_addon.protocol.errors import InputError
from models.render.batch import rasterize_batch
from tests.models.test_render_raster_batch import assert_equal, random_mesh

SIZES = [(40, 30), (30, 40), (32, 32)]


def nearest_faces(corners: torch.Tensor, px: np.ndarray, py: np.ndarray) -> np.ndarray:
    """Face per pixel [H, W], -1 for none, of `corners` [F, 3, 3] (x, y, depth) at the places px, py."""
    nearest, ids = np.full(np.broadcast(px, py).shape, np.inf), np.full(np.broadcast(px, py).shape, -1)
    for f, ((ax, ay, az), (bx, by, bz), (cx, cy, cz)) in enumerate(corners.double().tolist()):
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        a = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
        b = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
        depth = 1 / (a / az + b / bz + (1 - a - b) / cz)
        seen = (a > 0) & (b > 0) & (a + b < 1) & (depth < nearest)
        nearest[seen], ids[seen] = depth[seen], f
    return ids


class NdcMeshes:
    """PyTorch3D's `Meshes`: lists of vertices [V, 3] and faces [F, 3]."""

    def __init__(self, vertices: list[torch.Tensor], faces: list[torch.Tensor]) -> None:
        self.vertices, self.faces = vertices, faces


def ndc_rasterize(meshes: NdcMeshes, image_size: tuple[int, int], **options: object) -> tuple[torch.Tensor]:
    """`rasterize_meshes`: +X left, +Y up, the shorter side -1 to 1, faces numbered through the batch."""
    assert options["faces_per_pixel"] == 1
    height, width = image_size
    y, x = np.mgrid[:height, :width]
    px, py = ((side - 2 * n - 1) / min(height, width) for side, n in ((width, x), (height, y)))
    found, before = [], 0
    for vertices, faces in zip(meshes.vertices, meshes.faces, strict=True):
        ids = nearest_faces(vertices[faces], px, py)
        found.append(torch.from_numpy(np.where(ids >= 0, ids + before, -1))[..., None])
        before += len(faces)
    return (torch.stack(found),)


def clip_rasterize(
    context: object,
    pos: torch.Tensor,
    tri: torch.Tensor,
    resolution: tuple[int, int],
    ranges: torch.Tensor,
    grad_db: bool,
) -> tuple[torch.Tensor, None]:
    """nvdiffrast's `rasterize` in range mode: clip space, first row at y = -1, ids from 1 in channel 3."""
    assert pos.shape[1] == 4
    assert tri.dtype == ranges.dtype == torch.int32
    height, width = resolution
    assert height % 8 == width % 8 == 0
    x, y = (np.arange(width) + 0.5) / width * 2 - 1, ((np.arange(height) + 0.5) / height * 2 - 1)[:, None]
    z = pos[:, 2] / pos[:, 3]
    assert (z[tri.long()] >= -1).all()
    assert (z[tri.long()] <= 1).all()
    screen = torch.cat([pos[:, :2] / pos[:, 3:], pos[:, 3:]], 1)
    out = torch.zeros(len(ranges), height, width, 4)
    for n, (start, count) in enumerate(ranges.tolist()):
        ids = nearest_faces(screen[tri[start : start + count].long()], x, y)
        out[n, ..., 3] = torch.from_numpy(np.where(ids >= 0, ids + start + 1, 0))
    return out, None


@pytest.mark.parametrize("size", SIZES)
def test_pytorch3d(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    doubles = {
        "pytorch3d": SimpleNamespace(),
        "pytorch3d.structures": SimpleNamespace(Meshes=NdcMeshes),
        "pytorch3d.renderer": SimpleNamespace(),
        "pytorch3d.renderer.mesh": SimpleNamespace(rasterize_meshes=ndc_rasterize),
    }
    for name, double in doubles.items():
        monkeypatch.setitem(sys.modules, name, double)
    points, triangles = random_mesh(6)
    points[0, 0] = [3, 3, -1]
    found = rasterize_batch(points, triangles, size, backend="pytorch3d")
    assert_equal(found, rasterize_batch(points, triangles, size), share=0.999)


@pytest.mark.parametrize("size", SIZES)
def test_nvdiffrast(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(rasterize=clip_rasterize, RasterizeCudaContext=lambda device: object())
    monkeypatch.setitem(sys.modules, "nvdiffrast", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", library)
    points, triangles = random_mesh(7)
    points[0, 0] = [3, 3, -1]
    with pytest.raises(InputError, match="nvdiffrast cannot draw"):
        rasterize_batch(points, triangles, size, backend="nvdiffrast")
    monkeypatch.setattr("models.render.foreign._need_cuda", lambda device: None)
    found = rasterize_batch(points, triangles, size, backend="nvdiffrast")
    assert_equal(found, rasterize_batch(points, triangles, size), share=0.999)
