"""Painting: what each place of the head looks like, by part. The skin has a module of its own."""

from __future__ import annotations

import numpy as np

from .labels import LIMBUS, PUPIL
from .mesh import Floats, Part, gauss, smoothstep
from .noise import cells, noise
from .paint_skin import paint_skin
from .palette import (
    BROW,
    CARUNCLE,
    GUM,
    HAIR,
    IRIS_IN,
    IRIS_OUT,
    IRIS_RING,
    LIMBAL,
    PUPIL_BLACK,
    SCLERA,
    SCLERA_BACK,
    TONGUE,
    TONGUE_COAT,
    TOOTH,
    TOOTH_EDGE,
    TOOTH_NECK,
    VEIN,
    Look,
)
from .samples import Samples

_EYE_X, _EYE_Y = 3.15, 0.0  # the gaze axis


def paint(samples: Samples) -> Look:
    """The look of all places."""
    look = Look.blank(len(samples.part))
    painters = (
        ((Part.SKIN,), paint_skin),
        ((Part.EYE_LEFT, Part.EYE_RIGHT), _eyes),
        ((Part.UPPER_TEETH, Part.LOWER_TEETH), _teeth),
        ((Part.TONGUE,), _tongue),
        ((Part.BROW, Part.LASHES), _hair),
    )
    for parts, painter in painters:
        chosen = np.isin(samples.part, parts)
        if chosen.any():
            look.put(chosen, painter(samples.where(chosen)))
    np.clip(look.albedo, 0.0, 1.0, out=look.albedo)
    return look


def _eyes(samples: Samples) -> Look:
    """Sclera with vessels that thin out toward a soft limbus, and the iris on ball and cornea alike."""
    look = Look.blank(len(samples.part))
    point, polar = samples.position, samples["iris"]
    look.albedo[:] = SCLERA
    look.roughness[:] = 0.12
    aside = np.abs(point[:, 0]) - _EYE_X
    look.blend(SCLERA_BACK, 0.75 * smoothstep(polar, 1.7, 3.4))
    strands = np.abs(noise(point, 0.45, 31, 3)) + 0.02 * noise(point, 0.06, 32)
    look.blend(VEIN, 0.35 * (1 - smoothstep(strands, 0.0, 0.045)) * smoothstep(polar, 1.25, 2.4))
    look.blend(CARUNCLE, 0.6 * smoothstep(-aside, 0.75, 1.1))
    look.blend(LIMBAL, 0.35 * (1 - smoothstep(polar, 1.0, 1.16)))
    inside = polar <= LIMBUS
    look.put(inside, _iris(samples.where(inside)))
    return look


def _iris(samples: Samples) -> Look:
    """Fibres from the pupil outwards, a warm ring round the pupil, a dark limbal ring."""
    look = Look.blank(len(samples.part))
    polar = samples["iris"]
    aside, up = np.abs(samples["x"]) - _EYE_X, samples["y"] - _EYE_Y
    around = np.arctan2(up, aside)
    ring = np.stack([np.cos(around), np.sin(around), 0.10 * polar], 1)
    fibre = noise(ring, 0.055, 41, 2) + 0.6 * noise(ring, 0.16, 42, 2)
    collarette = 0.56 + 0.05 * noise(ring, 0.3, 43)
    look.albedo[:] = IRIS_OUT
    look.blend(IRIS_IN, 0.75 * gauss(polar - 0.72, 0.12))
    look.blend(IRIS_RING, 0.8 * (1 - smoothstep(polar - collarette, -0.04, 0.10)))
    look.albedo[:] *= (1.0 + 0.75 * fibre * smoothstep(polar, 0.36, 0.5))[:, None]
    crypts = cells(np.stack([np.cos(around), np.sin(around), polar], 1), 0.22, 44)
    look.blend(LIMBAL, 0.4 * (1 - smoothstep(crypts, 0.08, 0.3)) * gauss(polar - 0.68, 0.12))
    look.blend(LIMBAL, 0.92 * smoothstep(polar + 0.03 * fibre, 0.80, 1.0))
    edge = PUPIL + 0.012 * noise(ring, 0.2, 45)
    look.blend(PUPIL_BLACK, 1 - smoothstep(polar - edge, -0.02, 0.02))
    look.roughness[:] = np.where(samples.cornea, 0.03, 0.35)
    look.height[:] = np.where(samples.cornea, 0.0, 0.05 * fibre)
    return look


def _teeth(samples: Samples) -> Look:
    """Ivory crowns, warmer at the neck, greyish and clearer at the edge; stippled gums."""
    look = Look.blank(len(samples.part))
    point, crown = samples.position, samples["crown"]
    look.albedo[:] = TOOTH
    look.roughness[:] = 0.16
    look.blend(TOOTH_NECK, 0.7 * (1 - smoothstep(crown, 0.15, 0.6)))
    look.blend(TOOTH_NECK, 0.55 * smoothstep(samples["flank"], 0.72, 1.0))
    look.blend(TOOTH_EDGE, 0.55 * smoothstep(crown, 0.86, 0.99))
    look.albedo[:] *= (1 + 0.05 * noise(point, 0.35, 51, 2) + 0.04 * noise(point * (1, 0.15, 1), 0.05, 52))[
        :, None
    ]
    look.height[:] = 0.02 * noise(point * (0.3, 1, 0.3), 0.05, 53)
    gum = samples["gum"] > 0.5
    pink = Look.blank(len(samples.part))
    pink.albedo[:] = GUM * (1 + 0.12 * noise(point, 0.3, 54, 3))[:, None]
    pink.roughness[:] = 0.22
    pink.height[:] = 0.06 * noise(point, 0.07, 55, 2)
    look.put(gum, Look(pink.albedo[gum], pink.roughness[gum], pink.height[gum]))
    return look


def _tongue(samples: Samples) -> Look:
    """Pink with a paler coat of papillae in the middle."""
    look = Look.blank(len(samples.part))
    point = samples.position
    papillae = cells(point, 0.09, 61)
    look.albedo[:] = TONGUE * (1 + 0.15 * noise(point, 0.5, 62, 3))[:, None]
    coat = gauss(samples["x"], 0.9) * smoothstep(-samples["z"], -8.6, -7.4)
    look.blend(TONGUE_COAT, 0.55 * coat * (1 - 0.6 * smoothstep(papillae, 0.2, 0.7)))
    look.roughness[:] = 0.30 + 0.08 * noise(point, 0.2, 63)
    look.height[:] = -0.16 * smoothstep(papillae, 0.2, 0.8)
    return look


def _hair(samples: Samples) -> Look:
    """Hairs, a little lighter toward the tip; lashes darker than brows."""
    look = Look.blank(len(samples.part))
    brow = samples.part == Part.BROW
    look.albedo[:] = np.where(brow[:, None], BROW, HAIR)
    lighter: Floats = 0.75 + 0.5 * samples["hair"] * brow
    look.albedo[:] *= (lighter * (1 + 0.5 * noise(samples.position, 0.12, 71)))[:, None]
    look.roughness[:] = 0.55
    return look
