"""Light from all around as spherical harmonics of bands 0 to 2, per colour."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array

# Pull of bands 1 and 2 towards none, in parts of the samples' mean; how far from the fit a sample begins
# to count less, in parts of the mean brightness (our choice: beards, brows and shadows are no light).
_PULL = (0.0, 0.01, 0.01, 0.01, 0.05, 0.05, 0.05, 0.05, 0.05)
_STRAY, _ROUNDS = 0.15, 6


def harmonics(normals: Array) -> Array:
    """Real spherical harmonics at unit `normals` [N, 3] -> [N, 9], orthonormal on the sphere.

    Order 1; y, z, x; xy, yz, 3z^2 - 1, xz, x^2 - y^2 (R. Ramamoorthi and P. Hanrahan, 2001).
    """
    x, y, z = normals.T
    columns = [
        np.full_like(x, 0.282095),
        0.488603 * y,
        0.488603 * z,
        0.488603 * x,
        1.092548 * x * y,
        1.092548 * y * z,
        0.315392 * (3 * z * z - 1),
        1.092548 * x * z,
        0.546274 * (x * x - y * y),
    ]
    return np.stack(columns, 1)


def measured_light(normals: Array, albedo: Array, radiance: Array, trust: Array) -> Array:
    """[9, 3] light under which surfaces of `albedo` look like `radiance`.

    Args:
        normals: [N, 3] unit; albedo, radiance: [N, 3] linear; trust: [N] >= 0.
    """
    basis = harmonics(normals)
    light = np.zeros((9, 3))
    for channel in range(3):
        design, seen = basis * albedo[:, channel, None], radiance[:, channel]
        stray = _STRAY * max(float(np.average(seen, weights=trust)), 1e-6)
        weight = trust
        for _ in range(_ROUNDS):
            gram = (design * weight[:, None]).T @ design
            pull = np.diag(_PULL) * np.trace(gram)
            light[:, channel] = np.linalg.solve(gram + pull, design.T @ (weight * seen))
            weight = trust / (1 + ((seen - design @ light[:, channel]) / stray) ** 2)
    return light
