"""Names for the head's parts: regions, materials, soft masks, rings and landmarks."""

from __future__ import annotations

import numpy as np

from models.face.regions import SKIN_REGIONS

from .mesh import (
    INNER_CANTHUS,
    LID_MARGIN,
    LIP_BORDER,
    LIP_LINE,
    LOWER_LID,
    MOUTH_INSIDE,
    OUTER_CANTHUS,
    UPPER_LID,
    Bools,
    Floats,
    HeadMesh,
    Ints,
    Part,
    smoothstep,
)
from .pieces import cornea_flags

REGIONS = (
    *SKIN_REGIONS,
    "eye.L",
    "eye.R",
    "upper_teeth",
    "lower_teeth",
    "gums",
    "tongue",
    "brows",
    "lashes",
)
MATERIALS = (
    "skin",
    "lips",
    "mouth",
    "sclera",
    "iris",
    "pupil",
    "cornea",
    "scalp",
    "teeth",
    "gums",
    "tongue",
    "brows",
    "lashes",
)
LIMBUS = 1.0  # polar angle, in iris radii, where the iris ends
PUPIL = 0.40
_SKULL_RADIUS = 8.0
_HAIR = 0.35  # distance within the hairline from which skin is covered by hair
# The hairline: height over the angle from the front to the back of the head.
HAIRLINE_ANGLE = (0.0, 0.30, 0.52, 0.70, 0.88, 1.04, 1.16, 1.24, 1.30, 1.42, 1.5, 1.75, 2.0, 2.3, 2.7, 3.2)
HAIRLINE_HEIGHT = (7.2, 7.3, 7.55, 7.1, 5.6, 3.9, 2.5, 0.9, -1.4, -1.4, -0.6, -0.4, -3.8, -6.4, -7.3, -7.5)


def region_flags(mesh: HeadMesh) -> dict[str, Bools]:
    """[V] flags by region name; later names win where two hold."""
    x, y, z = mesh.vertices.T
    mouth, eye = mesh.rings["mouth"], mesh.rings["eye"]
    skin = mesh.part == Part.SKIN
    jaw_line = np.minimum(-10.9 + 0.55 * np.abs(x) + 0.15 * np.clip(5 - z, 0, None), -7.5)
    lips = mouth[LIP_BORDER : MOUTH_INSIDE - 1]
    return {
        "face": skin,
        "scalp": skin & (within_hairline(mesh.vertices) > 0),
        "neck": skin & (y < jaw_line),
        "nose": skin & (np.abs(x) < 2.2) & (y > -4.4) & (y < 0.5) & (z > 8.8),
        "ears": mesh.marked(mesh.rings["ear"][2:]),
        "nostrils": mesh.marked(mesh.rings["nostril"][3:]),
        "eyelids": mesh.marked(eye[3:]),
        "upper_lip": mesh.marked(lips[:, 15:]),
        "lower_lip": mesh.marked(lips[:, :15]),
        "inner_mouth": mesh.marked(mouth[MOUTH_INSIDE - 1 :]),
        "eye.L": mesh.part == Part.EYE_LEFT,
        "eye.R": mesh.part == Part.EYE_RIGHT,
        "upper_teeth": mesh.part == Part.UPPER_TEETH,
        "lower_teeth": mesh.part == Part.LOWER_TEETH,
        "gums": mesh.gum,
        "tongue": mesh.part == Part.TONGUE,
        "brows": mesh.part == Part.BROW,
        "lashes": mesh.part == Part.LASHES,
    }


def within_hairline(points: Floats) -> Floats:
    """[n] distance of `points` [n, 3] from the hairline, about centimetres, positive where hair grows."""
    around = np.arctan2(np.abs(points[:, 0]), points[:, 2] + 1.0)
    height = np.interp(around, HAIRLINE_ANGLE, HAIRLINE_HEIGHT)
    ahead = np.interp(around + 0.1, HAIRLINE_ANGLE, HAIRLINE_HEIGHT)
    behind = np.interp(around - 0.1, HAIRLINE_ANGLE, HAIRLINE_HEIGHT)
    slope = (ahead - behind) / (0.2 * _SKULL_RADIUS)
    distance: Floats = (points[:, 1] - height) / np.sqrt(1 + slope**2)
    return distance


def region_ids(mesh: HeadMesh) -> Ints:
    """[V] index into `REGIONS`."""
    region = np.zeros(len(mesh.vertices), np.int64)
    for name, flags in region_flags(mesh).items():
        region[flags] = REGIONS.index(name)
    return region


def material_ids(mesh: HeadMesh, region: Ints) -> Ints:
    """[P] index into `MATERIALS`; a polygon takes the material that all its corners share, else skin's."""
    corner = region[mesh.polygons]
    iris = mesh.iris[mesh.polygons].max(1)

    def all_in(*names: str) -> Bools:
        inside: Bools = np.isin(corner, [REGIONS.index(name) for name in names]).all(1)
        return inside

    eyes = all_in("eye.L", "eye.R")
    material = np.zeros(len(mesh.polygons), np.int64)
    for name, polygons in {
        "scalp": (within_hairline(mesh.vertices) > _HAIR)[mesh.polygons].all(1) & all_in("scalp"),
        "lips": all_in("upper_lip", "lower_lip", "inner_mouth"),
        "mouth": all_in("inner_mouth"),
        "sclera": eyes,
        "iris": eyes & (iris <= LIMBUS + 0.01),
        "pupil": eyes & (iris <= PUPIL),
        "cornea": cornea_flags(mesh.part)[mesh.polygons].all(1),
        "teeth": all_in("upper_teeth", "lower_teeth"),
        "gums": all_in("gums"),
        "tongue": all_in("tongue"),
        "brows": all_in("brows"),
        "lashes": all_in("lashes"),
    }.items():
        material[polygons] = MATERIALS.index(name)
    return material


def masks(mesh: HeadMesh, jaw: Floats) -> dict[str, Floats]:
    """Soft masks [V], 0-1, by name. `jaw` is the share of the jaw's rotation that each vertex takes."""
    x, y, z = mesh.vertices.T
    flags = region_flags(mesh)
    front = smoothstep(z, 2.0, 4.5) * (mesh.part == Part.SKIN)
    mouth = np.hypot(x / 3.6, (y + 6.4) / 3.0)
    eyes = np.hypot((np.abs(x) - 3.15) / 2.2, y / 1.6)
    brows = np.hypot((np.abs(x) - 3.1) / 3.0, (y - 2.1) / 1.6)
    return {
        "lips": (flags["upper_lip"] | flags["lower_lip"]).astype(float),
        "mouth": (1 - smoothstep(mouth, 0.7, 1.3)) * front,
        "eyes": (1 - smoothstep(eyes, 0.7, 1.2)) * front,
        "brows": (1 - smoothstep(brows, 0.5, 1.1)) * front,
        "jaw": np.clip(jaw, 0, 1),
        "left": smoothstep(x, -0.9, 0.9),
    }


def rings(mesh: HeadMesh) -> dict[str, Ints]:
    """Rings of vertex ids. Lips run from the subject's right corner to the left, lids from nose to temple.

    `lip_upper` and `lip_lower` are the lip line, where the lips meet; `lip_upper.5` .. `.12` are profile
    rings from the vermilion border (5) over the lip line (8) to the inside; `lid_*` are the lid margins.
    `teeth_upper_edge` and `teeth_upper_front` (and `lower`) run along the crowns' edges and most forward
    points, three stations to a tooth, right to left.
    """
    mouth, margin = mesh.rings["mouth"], mesh.rings["eye"][LID_MARGIN]
    result: dict[str, Ints] = {}
    for number in range(LIP_BORDER, MOUTH_INSIDE + 1):
        upper, lower = mouth[number][15:], mouth[number][15::-1]
        result[f"lip_upper.{number}"] = np.concatenate([mesh.mirror[upper], upper[-2::-1]])
        result[f"lip_lower.{number}"] = np.concatenate([mesh.mirror[lower], lower[-2::-1]])
    result["lip_upper"], result["lip_lower"] = (
        result[f"lip_upper.{LIP_LINE}"],
        result[f"lip_lower.{LIP_LINE}"],
    )
    upper_lid = margin[np.concatenate([[INNER_CANTHUS], UPPER_LID[::-1], [OUTER_CANTHUS]])]
    lower_lid = margin[np.concatenate([[INNER_CANTHUS], LOWER_LID, [OUTER_CANTHUS]])]
    for name, ids in (("lid_upper", upper_lid), ("lid_lower", lower_lid)):
        result[f"{name}.L"], result[f"{name}.R"] = ids, mesh.mirror[ids]
    for jaw in ("upper", "lower"):
        for name, left in zip(("edge", "front"), mesh.rings[f"teeth_{jaw}"], strict=True):
            result[f"teeth_{jaw}_{name}"] = np.concatenate([mesh.mirror[left[::-1]], left])
    return result


def landmarks(mesh: HeadMesh) -> dict[str, int]:
    """Vertex ids of named points: from rings where a ring passes, else the nearest or most forward vertex."""
    mouth, margin, line = mesh.rings["mouth"], mesh.rings["eye"][LID_MARGIN], mesh.rings["mouth"][LIP_LINE]
    border = mouth[LIP_BORDER]
    left = {
        "eye_inner": margin[INNER_CANTHUS],
        "eye_outer": margin[OUTER_CANTHUS],
        "lid_upper_middle": margin[26],
        "lid_lower_middle": margin[6],
        "eye_centre": _pole(mesh),
        "mouth_corner": line[15],
        "lip_upper_peak": border[_nearest(mesh, border[16:], (0.6, -5.4, 9.9)) + 16],
        "brow_inner": _front(mesh, 1.4, 1.8),
        "brow_middle": _front(mesh, 3.2, 2.3),
        "brow_outer": _front(mesh, 5.0, 2.0),
        "nose_wing": _skin_near(mesh, (1.75, -3.4, 9.7)),
        "cheekbone": _skin_near(mesh, (5.6, -1.8, 6.0)),
        "jaw_angle": _skin_near(mesh, (5.2, -8.0, 2.0)),
        "ear": int(mesh.rings["ear"][13][0]),
        "ear_lobe": _skin_near(mesh, (7.3, -4.3, -0.5)),
    }
    middle = {
        "nose_tip": _most_forward(mesh, -4.0, -1.0),
        "nasion": _front(mesh, 0.0, 0.65),
        "subnasale": _front(mesh, 0.0, -4.53),
        "glabella": _front(mesh, 0.0, 2.0),
        "forehead": _front(mesh, 0.0, 5.5),
        "chin": _most_forward(mesh, -10.4, -8.7),
        "lip_upper_middle": int(line[30]),
        "lip_lower_middle": int(line[0]),
        "lip_upper_border": int(border[30]),
        "lip_lower_border": int(border[0]),
        "crown": int(np.argmax(mesh.vertices[:, 1])),
    }
    result = {name: int(i) for name, i in middle.items()}
    for name, i in left.items():
        result[f"{name}.L"], result[f"{name}.R"] = int(i), int(mesh.mirror[i])
    return result


def _nearest(mesh: HeadMesh, ids: Ints, point: tuple[float, float, float]) -> int:
    return int(np.argmin(np.linalg.norm(mesh.vertices[ids] - point, axis=1)))


def _skin_near(mesh: HeadMesh, point: tuple[float, float, float]) -> int:
    return _nearest(mesh, np.arange(mesh.skin_count), point)


def _outer_skin(mesh: HeadMesh) -> Bools:
    hidden = mesh.marked(mesh.rings["mouth"][LIP_LINE + 1 :]) | mesh.marked(
        mesh.rings["eye"][LID_MARGIN + 1 :]
    )
    outer: Bools = (mesh.part == Part.SKIN) & (mesh.vertices[:, 2] > 0) & ~hidden
    return outer


def _front(mesh: HeadMesh, x: float, y: float) -> int:
    ids = np.flatnonzero(_outer_skin(mesh))
    if x == 0.0:
        ids = ids[mesh.mirror[ids] == ids]
    return int(ids[np.argmin(np.hypot(*(mesh.vertices[ids, :2] - [x, y]).T))])


def _most_forward(mesh: HeadMesh, low: float, high: float) -> int:
    y = mesh.vertices[:, 1]
    midline = mesh.mirror == np.arange(len(y))
    ids = np.flatnonzero(_outer_skin(mesh) & midline & (y > low) & (y < high))
    return int(ids[np.argmax(mesh.vertices[ids, 2])])


def _pole(mesh: HeadMesh) -> int:
    ids = np.flatnonzero(mesh.part == Part.EYE_LEFT)
    return int(ids[np.argmin(mesh.iris[ids])])
