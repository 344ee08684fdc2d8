"""Linear-light vertex colours: skin with its warmer and darker places, lips, brows, eyes, teeth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .hair import BROW_HALF, BROW_X, BROW_Y
from .labels import LIMBUS, PUPIL, region_flags, within_hairline
from .mesh import LIP_BORDER, UPPER_LID, Floats, HeadMesh, Part, gauss, smoothstep
from .pieces import EYE_COLUMNS


def linear(code: str) -> Floats:
    """Linear-light RGB of an sRGB colour written as six hexadecimal digits."""
    srgb = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


SKIN, BLUSH, SHADE, WARM = linear("d9a88c"), linear("cf8270"), linear("b98574"), linear("dcae8a")
LIP, LIP_EDGE, LIP_SEAM, WET = linear("b5655c"), linear("c27d6c"), linear("8e453f"), linear("8a3d3d")
NOSTRIL = linear("2b130f")
HAIR, BROW, SCALP = linear("1d1512"), linear("6e5646"), linear("4a3a31")
SCLERA, VEIN, LIMBAL, IRIS_OUT, IRIS_IN = (
    linear("e6e0da"),
    linear("d9a89c"),
    linear("2a2a2c"),
    linear("4b3a28"),
    linear("85694a"),
)
TOOTH, GUM, TONGUE = linear("ece2cc"), linear("b5615f"), linear("b4605f")


def paint(mesh: HeadMesh) -> Floats:
    """[V, 3] linear albedo."""
    color = np.tile(SKIN, (len(mesh.vertices), 1))
    _paint_skin(mesh, color)
    _paint_mouth(mesh, color)
    _paint_eyes(mesh, color)
    flags = region_flags(mesh)
    color[flags["upper_teeth"] | flags["lower_teeth"]] = TOOTH
    color[flags["gums"]] = GUM
    color[flags["tongue"]] = TONGUE
    color[flags["brows"]] = BROW
    color[flags["lashes"]] = HAIR
    return np.clip(color, 0.0, 1.0)


def blend(color: Floats, toward: Floats, amount: npt.ArrayLike) -> None:
    """Mix `color` [V, 3] in place toward one colour by `amount` [V]."""
    share = np.asarray(amount, float)[:, None]
    color += (toward - color) * share


def _paint_skin(mesh: HeadMesh, color: Floats) -> None:
    x, y, z = mesh.vertices.T
    x = np.abs(x)
    skin = (mesh.part == Part.SKIN).astype(float)
    front = skin * smoothstep(z, 3.0, 6.0)
    flags = region_flags(mesh)

    def spot(cx: float, cy: float, rx: float, ry: float) -> Floats:
        amount: Floats = front * np.exp(-0.5 * (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2))
        return amount

    blend(color, WARM, 0.6 * spot(0, 5.5, 4.5, 2.2))
    blend(color, BLUSH, 0.34 * spot(4.2, -3.0, 1.6, 1.5))
    blend(color, BLUSH, 0.32 * spot(0, -3.0, 1.3, 0.9))
    blend(color, BLUSH, 0.22 * spot(0, -9.4, 1.6, 0.8))
    blend(color, SHADE, 0.40 * spot(3.1, 0.9, 1.8, 0.5))
    blend(color, SHADE, 0.38 * spot(2.7, -0.95, 1.3, 0.38))
    blend(color, SHADE, 0.30 * spot(1.35, 0.1, 0.45, 0.8))
    blend(color, BLUSH, 0.45 * flags["ears"])
    for ring, amount in ((2, 0.35), (3, 0.93), (4, 0.97), (5, 1.0)):
        blend(color, NOSTRIL, amount * mesh.marked(mesh.rings["nostril"][ring]))
    lid = np.zeros(len(color))
    for ring, amount in ((8, 0.2), (9, 0.85), (10, 0.9)):
        lid[mesh.both(mesh.rings["eye"][ring][UPPER_LID])] = amount
        lid[mesh.both(mesh.rings["eye"][ring][np.r_[37:40, 0:16]])] = 0.45 * amount
    blend(color, linear("4a2a22"), lid)
    color *= 1 + 0.08 * skin[:, None] * (np.random.RandomState(1).rand(len(color), 1) - 0.5)
    _paint_brows(mesh, color, front)
    _paint_scalp(mesh, color)


def _paint_brows(mesh: HeadMesh, color: Floats, front: Floats) -> None:
    """A soft shade under the brow hairs."""
    x, y = np.abs(mesh.vertices[:, 0]), mesh.vertices[:, 1]
    middle, width = np.interp(x, BROW_X, BROW_Y), np.interp(x, BROW_X, BROW_HALF)
    density = np.interp(x, [1.1, 1.7, 4.6, 5.5], [0.0, 1.0, 0.9, 0.0])
    blend(color, HAIR, 0.62 * front * density * gauss((y - middle) / (width + 0.06), 0.8))


def _paint_scalp(mesh: HeadMesh, color: Floats) -> None:
    """Closely cropped hair: a shade with a soft hairline."""
    skin = mesh.part == Part.SKIN
    amount = smoothstep(within_hairline(mesh), -0.8, 0.9) * skin * ~region_flags(mesh)["ears"]
    uneven = 1 + 0.5 * (np.random.RandomState(2).rand(len(color)) - 0.5)
    blend(color, SCALP, 0.92 * amount)
    color *= 1 + amount[:, None] * (uneven[:, None] - 1)


def _paint_mouth(mesh: HeadMesh, color: Floats) -> None:
    mouth = mesh.rings["mouth"]
    for ring, toward, amount in (
        (LIP_BORDER, LIP_EDGE, 0.55),
        (6, LIP, 1.0),
        (7, LIP, 1.0),
        (8, LIP_SEAM, 1.0),
        (9, LIP_SEAM, 1.0),
        (10, WET, 1.0),
    ):
        ids = mesh.both(mouth[ring])
        color[ids] += (toward - color[ids]) * amount
    color[mesh.both(mouth[11:])] = WET
    for ring, amount in zip(range(13, 19), (0.9, 0.75, 0.55, 0.4, 0.3, 0.25), strict=True):
        color[mesh.both(mouth[ring])] = WET * amount


def _paint_eyes(mesh: HeadMesh, color: Floats) -> None:
    eye = np.isin(mesh.part, (Part.EYE_LEFT, Part.EYE_RIGHT))
    polar = mesh.iris[eye]
    white = np.tile(SCLERA, (len(polar), 1))
    blend(white, VEIN, smoothstep(polar, 1.6, 3.2))
    tint = np.tile(IRIS_IN, (len(polar), 1))
    blend(tint, IRIS_OUT, smoothstep(polar, 0.5, 0.8))
    blend(tint, LIMBAL, smoothstep(polar, 0.78, 1.0))
    fibre = np.tile(np.random.RandomState(3).rand(EYE_COLUMNS), len(polar) // EYE_COLUMNS)
    tint *= 0.75 + 0.5 * fibre[:, None]
    tint[polar <= PUPIL] = linear("060606")
    color[eye] = np.where((polar <= LIMBUS + 0.01)[:, None], tint, white)
