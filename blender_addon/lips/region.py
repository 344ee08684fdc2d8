"""Everything about one face that the contact solve needs, computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol.arkit import ARKIT_NAMES
from ..protocol.face import FaceFile
from ..protocol.tensorfile import Array
from .canonical import LipCoordinates, lip_coordinates
from .profiles import LINE, ROWS, Profiles, profiles_of
from .spread import laplacian_rows, spread_matrix
from .surface import distances, patch_of
from .teeth import STATIONS, tooth_lines

HANDLE_ROWS = (6, 7, 8, 10, 12)  # rows whose displacement the solve decides
# How firmly a row follows its handles; by eye.
_HELD = {6: 60.0, 7: 60.0, 8: 500.0, 9: 500.0, 10: 200.0, 11: 40.0, 12: 20.0}
_BETWEEN = {9: (8, 10), 11: (10, 12)}  # rows that follow two handle rows, half each
# How strongly skin is held against moving: free round the lips, still at the region's rim. At 1e-3 a pulled
# lip drags the chin along. For edges of the mean length below: the bi-Laplacian goes with its 4th power.
_FREE, _STILL = 3e-3, 30.0
_MEAN_EDGE = 2.6e-3  # metres, of the built-in head's lip region
_RIM = 0.35  # mouth widths over which skin comes to rest
_FROM_FILE = np.array([1.0, -1.0, 1.0])  # x, depth, height of the file's axes
_SMALLEST = 1e-6  # of a basis' singular values


@dataclass(frozen=True)
class LipRegion:
    """A face prepared for the contact solve.

    L lip vertices, R = len(ROWS), N columns, H = 2 * len(HANDLE_ROWS) * (N - 2) handles, K basis fields.

    Attributes:
        coordinates: canonical coordinates of the L vertices.
        columns: N; corner: [N - 2] 0 at the middle of the mouth .. 1 at its corners.
        rest: [3 S] f32 what the solve reads at rest: x to the left, depth forward and height of S points,
            metres: the profiles (upper and lower, column, row), then the tooth lines.
        motion: [52, 3 S] f32 their displacement per weight.
        spread: [H, L] f32 displacement of the lip vertices per displacement of the handles (upper and lower,
            column, row). follow: [H, 2 N R] f32 the same for the profiles' points.
        basis: [K, L, 3] f32 the face's lip basis, metres.
        project: [2 H, K] f32 from the handles' depths and heights to basis coefficients.
    """

    coordinates: LipCoordinates
    columns: int
    corner: Array
    rest: Array
    motion: Array
    spread: Array
    follow: Array
    basis: Array
    project: Array


def prepare_lips(face: FaceFile) -> LipRegion:
    """Prepare `face`; takes about a second. Raises `FileFormatError` where its lip rings cannot be used."""
    coordinates = lip_coordinates(face)
    profiles = profiles_of(face, coordinates)
    spread = _spread(face, coordinates, profiles)
    rest, motion = _what_is_read(face, profiles)
    follow = profiles.points.take(spread)
    return LipRegion(
        coordinates=coordinates,
        columns=profiles.columns,
        corner=np.abs(profiles.u[1:-1]).astype(np.float32),
        rest=rest,
        motion=motion,
        spread=np.ascontiguousarray(spread.T, np.float32),
        follow=np.ascontiguousarray(follow.T, np.float32),
        basis=face.lip_basis.astype(np.float32),
        project=projection(face.lip_basis, spread),
    )


def projection(basis: Array, spread: Array) -> Array:
    """[2 H, K] f32: least-squares coefficients of `basis` [K, L, 3] for the handles, `spread` [L, H]."""
    fields = len(basis)
    flat = basis.reshape(fields, 3 * len(spread)).astype(np.float64)
    inverse = np.linalg.pinv(flat.T, _SMALLEST).reshape(basis.shape)  # [K, L, 3]
    per_handle = np.einsum("klc,lh->chk", inverse[..., 1:] * _FROM_FILE[1:], spread)
    return np.ascontiguousarray(per_handle.reshape(2 * spread.shape[1], fields), np.float32)


def _what_is_read(face: FaceFile, profiles: Profiles) -> tuple[Array, Array]:
    points = profiles.points.take(face.vertices[face.lip_index].astype(np.float64))
    moved = profiles.points.take(face.shapes[:, face.lip_index].astype(np.float64))
    line = points.reshape(2, profiles.columns, len(ROWS), 3)[0, :, LINE]
    teeth = tooth_lines(face, line)
    rest = np.concatenate([points, teeth.rest.reshape(-1, 3)]) * _FROM_FILE
    motion = np.concatenate([moved, teeth.motion.reshape(len(ARKIT_NAMES), 4 * STATIONS, 3)], 1) * _FROM_FILE
    flat = np.swapaxes(motion, 1, 2).reshape(len(motion), -1)
    return rest.T.ravel().astype(np.float32), np.ascontiguousarray(flat, np.float32)


def _spread(face: FaceFile, coordinates: LipCoordinates, profiles: Profiles) -> Array:
    """[L, H] displacement of the lip vertices per displacement of the handles."""
    inner = profiles.columns - 2
    samples = np.arange(2 * len(ROWS) * profiles.columns).reshape(2, profiles.columns, len(ROWS))
    handle = np.arange(2 * len(HANDLE_ROWS) * inner).reshape(2, inner, len(HANDLE_ROWS))
    chosen, weights, targets = [], [], []
    for lip in range(2):
        for row, strength in _HELD.items():
            target = np.zeros((inner, handle.size))
            sources = _BETWEEN.get(row, (row,))
            for source in sources:
                target[np.arange(inner), handle[lip, :, HANDLE_ROWS.index(source)]] = 1 / len(sources)
            chosen.append(samples[lip, 1:-1, ROWS.index(row)])
            weights.append(np.full(inner, strength))
            targets.append(target)
    rows = np.concatenate(chosen)
    return spread_matrix(
        laplacian_rows(face.vertices, face.polygons, face.lip_index),
        _screen(face, coordinates),
        (profiles.points.ids[rows], profiles.points.shares[rows]),
        np.concatenate(weights),
        np.concatenate(targets),
    )


def _screen(face: FaceFile, coordinates: LipCoordinates) -> Array:
    """[L] how firmly each vertex is held where it is."""
    patch = patch_of(face.vertices, face.polygons, face.lip_index)
    rim = np.flatnonzero(patch.rim & (coordinates.v > 0))
    edge = np.linalg.norm(patch.points[patch.edges[:, 0]] - patch.points[patch.edges[:, 1]], axis=1).mean()
    free = _FREE * (edge / _MEAN_EDGE) ** 4
    if len(rim) == 0:
        return np.full(len(patch.points), free)
    away = np.minimum(distances(patch, rim) / (_RIM * coordinates.width), 1.0)
    still = 1 - away * away * (3 - 2 * away)
    screen: Array = free ** (1 - still) * _STILL**still
    return screen
