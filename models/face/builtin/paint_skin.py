"""Painting the skin: colour zones, mottling, freckles, pores, fine lines, lips, brows' shade, cropped hair.

Every place was chosen by eye on the mean head; coordinates are those of the package (cm).
"""

from __future__ import annotations

import numpy as np

from .hair import BROW_ANGLE, BROW_HALF, BROW_X, BROW_Y
from .labels import within_hairline
from .mesh import LID_MARGIN, LIP_BORDER, LIP_LINE, Floats, gauss, smoothstep
from .noise import cells, noise
from .palette import (
    BLUSH,
    BROW,
    CAVITY,
    FRECKLE,
    HAIR,
    LASH_LINE,
    LIP,
    LIP_DEEP,
    LIP_PALE,
    LIP_SEAM,
    MOLE,
    NOSTRIL,
    OLIVE,
    PALE,
    SCALP,
    SHADE,
    STUBBLE,
    WATERLINE,
    WET,
    Look,
)
from .samples import Samples

_SKULL, _SKULL_RADIUS = np.array([0.0, 3.0, 0.0]), 9.0  # cm; about which the scalp is round
_WHORL = np.array([0.0, 0.8, -0.6])  # from where hair grows, seen from the skull's middle
_PORE, _GRAIN = 0.062, 0.035  # cm between pores, size of the skin's fine grain


def paint_skin(samples: Samples) -> Look:
    """The look of the skin's places."""
    look = Look.blank(len(samples.part))
    zones = _Zones(samples)
    _complexion(look, zones)
    _spots(look, zones)
    _relief(look, zones)
    _eyelids(look, samples)
    _lips(look, samples)
    _openings(look, samples)
    _brows(look, zones)
    _scalp(look, samples)
    return look


class _Zones:
    """Coordinates and soft masks that the painters share. `ax` is the distance from the midline."""

    def __init__(self, samples: Samples) -> None:
        self.point = samples.position
        self.x, self.y, self.z = self.point.T
        self.ax = np.abs(self.x)
        self.front = smoothstep(self.z, 2.0, 6.0)
        self.ear = smoothstep(samples["ear"], 0.10, 0.25)
        self.bare = 1 - smoothstep(samples["mouth"], LIP_BORDER - 0.7, LIP_BORDER)
        self.nose = self.spot(0.0, -3.0, 1.35, 1.0)
        self.cheek = self.spot(4.1, -2.9, 1.6, 1.5)
        self.socket = self.spot(3.1, 0.9, 1.7, 0.5)

    def spot(self, cx: float, cy: float, rx: float, ry: float) -> Floats:
        """[n] Gaussian about (+-cx, cy) on the front."""
        amount: Floats = self.front * np.exp(-0.5 * (((self.ax - cx) / rx) ** 2 + ((self.y - cy) / ry) ** 2))
        return amount


def _complexion(look: Look, z: _Zones) -> None:
    """Broad zones: pale forehead, red cheeks, nose and ears, dark sockets, grey beard; then mottling."""
    broad, patch, fine = noise(z.point, 2.6, 1, 3), noise(z.point, 0.55, 2, 3), noise(z.point, 0.11, 3, 2)
    flush = np.clip(1 + 0.5 * patch, 0.2, 2)
    look.blend(OLIVE, 0.30 + 0.5 * broad)
    look.blend(PALE, 0.65 * z.spot(0, 5.0, 4.5, 2.0))
    look.blend(BLUSH, 0.34 * z.cheek * flush)
    look.blend(BLUSH, 0.16 * z.nose * flush + 0.2 * z.spot(1.45, -3.6, 0.5, 0.6))
    look.blend(BLUSH, 0.26 * z.spot(0, -9.6, 1.6, 0.8) * flush + 0.40 * z.ear)
    look.blend(BLUSH, 0.16 * smoothstep(-z.y, 11.0, 14.0) * flush)
    look.blend(SHADE, 0.42 * z.socket + 0.40 * z.spot(2.7, -1.05, 1.25, 0.42))
    look.blend(SHADE, 0.36 * z.spot(1.35, 0.1, 0.5, 0.8) + 0.25 * z.spot(2.6, -4.6, 0.5, 0.9))
    beard = z.front * smoothstep(-z.y, 4.6, 6.4) * (1 - smoothstep(-z.y, 10.6, 12.4)) * z.bare
    look.blend(STUBBLE, 0.22 * beard * (1 - 0.8 * z.spot(3.9, -5.0, 1.2, 1.2)))
    look.blend(BLUSH, 0.22 * np.clip(patch, 0, 1) + 0.12 * np.clip(fine, 0, 1))
    look.albedo[:] *= (1 + 0.06 * patch + 0.07 * fine)[:, None]
    look.roughness[:] = 0.50 + 0.05 * patch - 0.09 * z.nose - 0.06 * z.spot(0, 4.5, 2.5, 2.5)


def _spots(look: Look, z: _Zones) -> None:
    """Sparse soft freckles over nose and cheeks, and a few small moles."""
    here = noise(z.point, 1.3, 5, 2)
    freckle = 1 - smoothstep(cells(z.point, 0.34, 6) + 0.25 * noise(z.point, 0.12, 7), 0.10, 0.26)
    band = z.spot(2.6, -2.4, 2.6, 1.6) + 0.3 * z.spot(0, 4.0, 4.0, 2.0)
    look.blend(FRECKLE, 0.34 * freckle * band * smoothstep(here, -0.15, 0.35))
    mole = 1 - smoothstep(cells(z.point, 3.1, 8), 0.022, 0.036)
    look.blend(MOLE, 0.7 * mole * z.bare)
    look.height[:] += 0.15 * mole * z.bare


def _relief(look: Look, z: _Zones) -> None:
    """Pores, the skin's grain, and faint lines of forehead, eye corners and throat."""
    pore = 1 - smoothstep(cells(z.point, _PORE, 11), 0.10, 0.42)
    porous = 0.35 + 0.65 * np.clip(z.nose + z.cheek + z.spot(0, 4.5, 3, 2) + z.spot(0, -9.6, 1.8, 1), 0, 1)
    grain = noise(z.point, _GRAIN, 12, 2) + 0.7 * noise(z.point * (1, 0.5, 1), 0.09, 13)
    look.height[:] += (0.030 * grain - 0.075 * pore * porous) * z.bare
    look.albedo[:] *= (1 - 0.10 * pore * porous * z.bare)[:, None]
    look.roughness[:] += 0.10 * pore * porous
    wave = z.y + 0.18 * noise(z.point, 1.6, 14, 2)
    furrow = 1 - smoothstep(np.abs(np.sin(np.pi * wave / 0.85)), 0.0, 0.35)
    look.height[:] -= 0.10 * furrow * z.spot(0, 5.0, 3.0, 1.1) * (0.6 + noise(z.point, 1.2, 15))
    around = np.arctan2(z.y - 0.1, z.ax - 3.4) + 0.10 * noise(z.point, 0.6, 16)
    feet = 1 - smoothstep(np.abs(np.sin(9 * around)), 0.0, 0.4)
    look.height[:] -= 0.11 * feet * z.spot(5.25, 0.0, 0.45, 0.75)
    creases = 1 - smoothstep(np.abs(noise(z.point * (1, 3.0, 1), 0.30, 17, 2)), 0.0, 0.12)
    look.height[:] -= 0.06 * creases * z.spot(3.1, -1.1, 1.2, 0.5)
    throat = 1 - smoothstep(np.abs(np.sin(np.pi * (z.y + 0.3 * noise(z.point, 2.5, 18)) / 1.9)), 0.0, 0.12)
    look.height[:] -= 0.10 * throat * smoothstep(-z.y, 12.0, 13.0) * smoothstep(z.z, 0, 4)


def _eyelids(look: Look, samples: Samples) -> None:
    """Thin, reddish lids, a brown lash line, a pink wet rim."""
    ring = samples["eye"] + 0.25 * noise(samples.position, 0.12, 21)
    upper = samples["y"] > 0.1
    look.blend(SHADE, 0.30 * smoothstep(ring, 4.0, 7.5))
    look.blend(LASH_LINE, np.where(upper, 0.75, 0.40) * gauss(ring - LID_MARGIN + 0.25, 0.5))
    rim = smoothstep(ring, LID_MARGIN + 0.1, LID_MARGIN + 0.6)
    look.blend(WATERLINE, 0.9 * rim)
    look.gloss(0.18, rim)
    look.height[:] *= 1 - 0.8 * smoothstep(ring, 5.5, 8.0)


def _lips(look: Look, samples: Samples) -> None:
    """Red lips with a soft border, a pale roll beside it, fine upright lines, a darker line between them."""
    point, ring = samples.position, samples["mouth"]
    upper = samples["upper_lip"]
    ragged = ring + 0.20 * noise(point, 0.14, 23, 2)
    lines = noise(point * (1.0, 0.16, 0.16), 0.085, 24, 2) + 0.5 * noise(point * (1.0, 0.3, 0.3), 0.04, 25)
    red = smoothstep(ragged, LIP_BORDER - 0.75, LIP_BORDER + 0.45)
    look.blend(LIP_PALE, 0.40 * gauss(ring - LIP_BORDER + 0.9, 0.45) * np.exp(-((samples["x"] / 1.6) ** 2)))
    look.blend(LIP, 0.92 * red)
    look.blend(
        LIP_DEEP, red * (0.30 * upper + 0.45 * np.clip(lines, 0, 1) + 0.25 * smoothstep(ring, 6.0, 8.0))
    )
    look.albedo[:] *= (1 + 0.10 * red * noise(point, 0.3, 26, 2))[:, None]
    look.gloss(0.33, red)
    look.roughness[:] += 0.10 * red * lines
    look.height[:] -= 0.10 * red * np.clip(lines + 0.15, 0, 1) * (1 - smoothstep(ring, 8, 9))
    look.blend(LIP_SEAM, 0.85 * gauss(ring - LIP_LINE - 0.35, 0.55))
    inside = smoothstep(ring, LIP_LINE + 0.4, LIP_LINE + 1.6)
    look.blend(WET, inside)
    look.gloss(0.26, inside)
    corner = smoothstep(np.abs(samples["x"]), 1.6, 2.2) * smoothstep(ring, LIP_BORDER + 0.4, LIP_LINE - 0.8)
    look.blend(LIP_SEAM, 0.8 * corner)
    look.gloss(1.0, corner)
    look.blend(CAVITY, 0.85 * smoothstep(ring, 12.5, 17.0))


def _openings(look: Look, samples: Samples) -> None:
    """Nostrils and ear canals go dark."""
    look.blend(NOSTRIL, 0.95 * smoothstep(samples["nostril"], 1.3, 3.0))
    look.blend(NOSTRIL, 0.85 * smoothstep(samples["ear"], 0.90, 0.98))


def _brows(look: Look, z: _Zones) -> None:
    """The shade under the brow hairs."""
    middle, half = np.interp(z.ax, BROW_X, BROW_Y), np.interp(z.ax, BROW_X, BROW_HALF)
    angle = np.radians(np.interp(z.ax, BROW_X, BROW_ANGLE) - 28 * np.clip((z.y - middle) / half, -1, 1))
    along, aside = np.cos(angle) * z.ax + np.sin(angle) * z.y, np.cos(angle) * z.y - np.sin(angle) * z.ax
    strokes = noise(np.stack([along * 0.10, aside, z.z * 0.1], 1), 0.026, 29, 2)
    density = np.interp(z.ax, [1.1, 1.8, 4.6, 5.5], [0.0, 1.0, 0.9, 0.0]) * (
        1.05 + 0.3 * noise(z.point, 0.16, 28, 2)
    )
    body = z.front * np.clip(density, 0, 1) * gauss((z.y - middle - 0.05) / (half + 0.05), 0.62)
    look.blend(BROW, body * (0.72 + 0.22 * smoothstep(strokes, -0.15, 0.25)))


def _scalp(look: Look, samples: Samples) -> None:
    """A buzz cut: short dark hairs over the scalp's shade, thinning out over an uneven hairline."""
    point = samples.position
    edge = within_hairline(point) + 0.45 * noise(point, 0.9, 81, 3) + 0.25 * noise(point, 0.10, 82)
    amount = smoothstep(edge, -0.5, 0.9) * (1 - smoothstep(samples["ear"], 0.04, 0.11))
    drawn = _along_growth(point)
    strand = noise(drawn, 0.07, 83) + 0.7 * noise(drawn, 0.16, 84)
    look.blend(SCALP, 0.80 * amount)
    look.blend(HAIR, amount * (0.62 + 0.22 * strand + 0.10 * noise(point, 2.2, 85)))
    look.gloss(0.75, amount)
    look.height[:] += 0.14 * amount * strand


def _along_growth(point: Floats) -> Floats:
    """[n, 3] places in which hairs, which lie away from the whorl, are short: round it, and away from it."""
    arm = point - _SKULL
    distance = np.linalg.norm(arm, axis=1)
    height = np.clip(arm @ _WHORL / distance, -1, 1)
    flat = arm - height[:, None] * distance[:, None] * _WHORL
    around = flat / np.maximum(np.linalg.norm(flat, axis=1), 1e-9)[:, None]
    away = 0.22 * np.arccos(height)  # strands are so drawn out that a fifth of the way counts
    places: Floats = _SKULL_RADIUS * (around + away[:, None] * _WHORL)
    return places
