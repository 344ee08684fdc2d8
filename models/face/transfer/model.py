"""Our head as transfer needs it: its skin, and what of it is drawn to another head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from models.face.regions import SKIN_REGIONS

from .registration import Model, side_labels
from .rings import RING_LANDMARKS
from .surface import Floats, Ints, Surface, triangulate

# How much skin is drawn to the target's surface: parts whose form differs much from head to head less.
_DRAWN = {"ears": 0.05, "nostrils": 0.0, "neck": 0.4, "scalp": 0.4, "inner_mouth": 0.0}


@dataclass(frozen=True)
class Source:
    """Our head: the model for registration, which vertices of the face are its skin, and how these move.

    `skin` [n] ids in the face, `shapes` [52, n, 3] metres, `face` itself.
    """

    face: FaceFile
    model: Model
    skin: Ints
    shapes: Floats


def source_head(face: FaceFile) -> Source:
    """Prepare a face for transfer. Raises `InputError` when it lacks skin, landmarks or rings for it."""
    names = [i for i, name in enumerate(face.region_names) if name in SKIN_REGIONS]
    is_skin = np.isin(face.region, names)
    missing = [name for name in RING_LANDMARKS if name not in face.rings]
    if missing or not is_skin.any():
        raise InputError(f"{face.id} lacks {', '.join(missing) or 'skin'}", "Transfer from the built-in head")
    skin = np.flatnonzero(is_skin)
    to_skin = np.full(len(face.vertices), -1)
    to_skin[skin] = np.arange(len(skin))
    triangles = to_skin[triangulate(face.polygons)]
    surface = Surface(face.vertices[skin].astype(np.float64), triangles[(triangles >= 0).all(1)])
    landmarks = {name: int(to_skin[i]) for name, i in face.landmarks.items() if to_skin[i] >= 0}
    rings = {name: to_skin[face.rings[name]] for name in RING_LANDMARKS}
    weight = np.ones(len(skin))
    for name, share in _DRAWN.items():
        weight[face.region[skin] == face.region_names.index(name)] = share
    labels = side_labels(surface, rings, landmarks)
    weight[labels[:, 1] < 0] = 0.0
    lips = [face.region_names.index(name) for name in ("upper_lip", "lower_lip")]
    model = Model(
        surface=surface,
        landmarks=landmarks,
        rings=rings,
        weight=weight,
        lips=np.isin(face.region[skin], lips),
        labels=labels,
        frame=_frame(surface.vertices),
    )
    return Source(face, model, skin, face.shapes[:, skin].astype(np.float64))


def _frame(vertices: Floats) -> Ints:
    """Crown, back, sides and the neck's lower edge."""
    x, y, z = vertices.T
    back = [np.argmax(z), np.argmax(y + 0.3 * z), np.argmax(x - abs(y)), np.argmin(x + abs(y))]
    low = z < z.min() + 0.01
    edge = [np.argmax(np.where(low, side, -np.inf)) for side in (x, -x, y, -y)]
    return np.array([*back, *edge], np.int64)
