"""Identity fields: named smooth deformations of the whole head, each about one standard deviation.

Every field moves skin, eyes and teeth together, is linear, and is symmetric. `identity_statistics` says how
far weights go and how they go together; amounts were set so that draws spread about as `norms.SPREAD`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .anatomy import EYE_CENTRE
from .bones import PIVOT
from .identity_fit import fit
from .mesh import FLIP, LIP_BORDER, Floats, HeadMesh, Part, gauss, smoothstep, stack
from .mouth_area import TO_MIDDLE, UPPER

_AMOUNT = 0.57  # of the fields as drawn below, which were judged singly

_MIXTURES: dict[str, dict[str, float]] = {
    "masculine": {
        "browRidge": 1.5,
        "jawWidth": 0.8,
        "chinHeight": 0.8,
        "chinWidth": 1.1,
        "browHeight": -0.9,
        "noseBridgeHeight": 0.5,
        "noseWidth": 0.7,
        "upperLipFullness": -0.7,
        "lowerLipFullness": -0.4,
        "neckWidth": 1.3,
        "larynx": 0.9,
        "jawAngle": 1.1,
        "eyeOpening": -0.6,
        "foreheadSlope": 0.7,
        "cheekFullness": -0.4,
        "midfaceLength": 0.3,
    },
    "age": {
        "cheekFullness": -0.7,
        "eyeBags": 1.5,
        "lidFold": 1.2,
        "tearTrough": 1.3,
        "nasolabialFold": 1.6,
        "jowls": 1.3,
        "frownLines": 1.1,
        "foreheadLines": 1.2,
        "upperLipFullness": -0.9,
        "lowerLipFullness": -0.6,
        "noseLength": 0.6,
        "earSize": 0.9,
        "earLobe": 0.8,
        "browHeight": -0.5,
    },
    "weight": {
        "cheekFullness": 1.7,
        "jawWidth": 0.8,
        "neckWidth": 1.7,
        "jawAngle": 0.5,
        "chinWidth": 0.5,
        "doubleChin": 1.5,
        "jowls": 0.6,
        "nasolabialFold": 0.5,
    },
}


def identity_fields(mesh: HeadMesh) -> dict[str, Floats]:
    """Fields [V, 3] in centimetres by name."""
    head = _Head(mesh)
    fields = (
        _skull(head)
        | _eyes(head)
        | _nose(head)
        | _cheeks_and_jaw(head)
        | _soft_tissue(head)
        | _mouth(head)
        | _ears_neck(head)
    )
    fields = {name: _AMOUNT * fit(mesh, name, field) for name, field in fields.items()}
    for name, parts in _MIXTURES.items():
        fields[name] = np.sum([share * fields[part] for part, share in parts.items()], axis=0)
    return {name: (field + field[mesh.mirror] * FLIP) / 2 for name, field in fields.items()}


class _Head:
    """Coordinates and falloffs that the fields share. `ax` is the distance from the midline."""

    def __init__(self, mesh: HeadMesh) -> None:
        self.mesh = mesh
        self.x, self.y, self.z = mesh.vertices.T
        self.ax, self.side = np.abs(self.x), np.sign(self.x)
        self.front = smoothstep(self.z, 0, 5)
        self.neck = smoothstep(-self.y, 9, 15)
        self.ball = np.isin(mesh.part, (Part.EYE_LEFT, Part.EYE_RIGHT))

    def spot(self, cx: float, cy: float, rx: float, ry: float) -> Floats:
        """Gaussian about (+-cx, cy) on the front."""
        q = ((self.ax - cx) / rx) ** 2 + ((self.y - cy) / ry) ** 2
        falloff: Floats = np.exp(-0.5 * q) * self.front
        return falloff

    def blob(self, centre: tuple[float, float, float], radius: tuple[float, float, float]) -> Floats:
        """Gaussian about a point in space and its mirror image."""
        offset = np.stack([self.ax - centre[0], self.y - centre[1], self.z - centre[2]])
        falloff: Floats = np.exp(-0.5 * ((offset / np.array(radius)[:, None]) ** 2).sum(0))
        return falloff

    def line(self, path: tuple[tuple[float, float], ...], width: float) -> Floats:
        """Gaussian falloff from a polyline (+-x, y) on the front."""
        distance = np.full(len(self.x), 99.0)
        for (x0, y0), (x1, y1) in pairwise(path):
            way = np.array([x1 - x0, y1 - y0])
            share = np.clip(((self.ax - x0) * way[0] + (self.y - y0) * way[1]) / (way @ way), 0, 1)
            apart = np.hypot(self.ax - x0 - share * way[0], self.y - y0 - share * way[1])
            distance = np.minimum(distance, apart)
        falloff: Floats = gauss(distance, width) * self.front
        return falloff

    def field(
        self, out: npt.ArrayLike = 0.0, up: npt.ArrayLike = 0.0, forward: npt.ArrayLike = 0.0
    ) -> Floats:
        """A field [V, 3]; `out` is away from the midline on both sides."""
        return stack(self.side * np.asarray(out), up, np.asarray(forward) + 0.0 * self.x)


def _skull(h: _Head) -> dict[str, Floats]:
    ax, y, z = h.ax, h.y, h.z
    face = smoothstep(y, -13.5, -9) * (1 - smoothstep(y, 3, 8)) * smoothstep(z, -6, 2)
    fore = gauss(y - 4.5, 2.2) * smoothstep(ax, 1.5, 6) * smoothstep(z, -2, 4)
    lower = -0.46 * smoothstep(-y, 4.2, 10) * (1 - 0.4 * h.neck) - 0.276 * h.neck
    return {
        "size": 0.04 * (h.mesh.vertices - np.array(PIVOT)),
        "headWidth": h.field(0.05 * ax * (1 - 0.7 * smoothstep(-y, 1, 8)) * (1 - h.neck)),
        "headLength": h.field(forward=0.05 * z * (1 - h.neck)),
        "cranialHeight": h.field(up=0.055 * np.clip(y - 2, 0, None) * smoothstep(y, 2, 9)),
        "faceWidth": h.field(0.04 * ax * face),
        "lowerFaceLength": h.field(up=lower),
        "midfaceLength": h.field(up=-0.36 * smoothstep(-y, 0.8, 4.2)),
        "foreheadHeight": h.field(up=0.4 * smoothstep(y, 2.2, 7)),
        "foreheadWidth": h.field(0.35 * fore),
        "foreheadSlope": h.field(forward=-0.6 * smoothstep(y, 2.5, 8) * smoothstep(z, 0, 6)),
        "templeFullness": h.field(0.32 * h.blob((6.6, 2.3, 4), (1.3, 2.0, 2.8))),
    }


def _eyes(h: _Head) -> dict[str, Floats]:
    cx, cy, cz = EYE_CENTRE
    reach = np.hypot(h.ax - cx, h.y - cy)
    eye = (1 - smoothstep(reach, 1.5, 2.9)) * smoothstep(h.z, 2.5, 5.0)
    eye = np.where(h.ball, 1.0, eye)
    skin = ~h.ball
    upper = h.spot(3.15, 0.75, 1.05, 0.33) * (h.z < 8.6) * skin
    lower = h.spot(3.15, -0.45, 1.0, 0.25) * skin
    brow = h.spot(3.0, 2.1, 2.2, 0.75)
    return {
        "browRidge": h.field(forward=0.25 * h.spot(2.4, 1.9, 2.0, 0.6)),
        "browHeight": h.field(up=0.30 * brow),
        "browTilt": h.field(up=0.28 * (h.ax - 3.1) / 2 * h.spot(3.1, 2.1, 2.2, 0.8)),
        "eyeSpacing": h.field(0.12 * eye),
        "eyeSize": h.field(0.05 * (h.ax - cx) * eye, 0.05 * (h.y - cy) * eye, 0.05 * (h.z - cz) * eye),
        "eyeHeight": h.field(up=0.22 * eye),
        "eyeDepth": h.field(forward=-0.22 * eye),
        "eyeTilt": h.field(up=0.11 * (h.ax - cx) * eye * skin),
        "eyeOpening": h.field(up=0.11 * upper - 0.05 * lower, forward=-0.03 * upper),
        "lidFold": h.field(
            up=-0.20 * h.spot(3.3, 1.35, 1.3, 0.33) * skin, forward=0.10 * h.spot(3.3, 1.25, 1.3, 0.40) * skin
        ),
        "eyeBags": h.field(forward=0.13 * h.spot(3.0, -1.25, 1.0, 0.38) * skin),
    }


def _nose(h: _Head) -> dict[str, Floats]:
    nose = h.spot(0, -2.4, 1.6, 2.2) * smoothstep(h.z, 8.2, 9.6)
    wing = h.spot(1.6, -3.5, 0.45, 0.55)
    return {
        "noseLength": h.field(up=-0.38 * nose * smoothstep(-h.y, -1, 3.4)),
        "noseWidth": h.field(0.085 * h.ax * h.spot(0, -3.4, 1.9, 1.1) * smoothstep(h.z, 8.4, 9.6)),
        "noseBridgeHeight": h.field(forward=0.28 * h.spot(0, -0.4, 0.8, 1.5)),
        "noseBridgeWidth": h.field(0.14 * smoothstep(h.ax, 0, 0.5) * h.spot(0.7, -1.0, 0.7, 1.4)),
        "noseProjection": h.field(forward=0.32 * h.spot(0, -3.1, 1.0, 1.0)),
        "noseTipRotation": h.field(up=0.28 * h.spot(0, -3.2, 1.0, 0.7) * smoothstep(h.z, 9.6, 11.2)),
        "noseTipWidth": h.field(0.14 * smoothstep(h.ax, 0, 0.4) * h.spot(0.5, -3.0, 0.55, 0.7)),
        "nostrilFlare": h.field(0.11 * wing, 0.05 * wing),
        "noseHump": h.field(forward=0.20 * h.spot(0, -1.4, 0.5, 0.7)),
    }


def _cheeks_and_jaw(h: _Head) -> dict[str, Floats]:
    chin = smoothstep(-h.y, 7.6, 10) * (1 - smoothstep(-h.y, 11.5, 15)) * smoothstep(h.z, 1, 6)
    angle_out = 0.06 * h.blob((5.2, -8.2, 2), (1.5, 1.5, 2.4))
    return {
        "cheekboneWidth": h.field(0.22 * h.blob((5.6, -1.7, 4.5), (1.4, 1.4, 3))),
        "cheekboneForward": h.field(forward=0.30 * h.spot(4.2, -2.1, 1.3, 1.1)),
        "cheekFullness": h.field(
            0.34 * h.blob((4.9, -5.4, 4.5), (1.6, 1.9, 3.2)), forward=0.22 * h.spot(4.2, -5.4, 1.3, 1.7)
        ),
        "jawWidth": h.field(0.22 * h.blob((5.2, -7.6, 2.6), (1.8, 2.0, 3.2))),
        "jawAngle": h.field(angle_out, -0.45 * h.blob((5.0, -8.6, 2), (1.7, 1.5, 2.6))),
        "chinHeight": h.field(up=-0.36 * chin),
        "chinProjection": h.field(forward=0.42 * h.spot(0, -9.9, 2.0, 1.1)),
        "chinWidth": h.field(0.34 * smoothstep(h.ax, 0.2, 2.2) * h.spot(2.4, -9.8, 1.5, 1.2)),
    }


def _soft_tissue(h: _Head) -> dict[str, Floats]:
    """Folds and fullness that come with years and weight."""
    fold = h.line(((1.95, -3.8), (2.5, -4.6), (2.95, -5.5), (3.15, -6.3)), 0.2)
    beside = h.line(((2.5, -3.7), (3.1, -4.6), (3.55, -5.6)), 0.42)
    hollow = h.line(((1.75, -0.95), (2.6, -1.4), (3.6, -1.65)), 0.3)
    jowl = h.blob((3.6, -8.9, 6.6), (0.9, 0.9, 1.3)) - 0.5 * h.blob((2.6, -9.0, 8.0), (0.5, 0.8, 0.9))
    under_chin = h.blob((0.0, -11.6, 5.8), (2.6, 1.3, 2.0))
    frown = h.line(((0.42, 1.2), (0.5, 2.2)), 0.13)
    brow_lines = h.line(((0.0, 4.6), (3.2, 4.75)), 0.16) + h.line(((0.0, 5.5), (2.6, 5.6)), 0.16)
    return {
        "nasolabialFold": h.field(0.02 * beside, forward=0.11 * beside - 0.12 * fold),
        "tearTrough": h.field(forward=-0.14 * hollow),
        "jowls": h.field(0.22 * jowl, -0.16 * jowl, 0.10 * jowl),
        "doubleChin": h.field(up=-0.55 * under_chin, forward=0.25 * under_chin),
        "frownLines": h.field(forward=-0.07 * frown),
        "foreheadLines": h.field(forward=-0.045 * brow_lines),
    }


def _ring_weights(h: _Head, amounts: dict[int, float], profile: Floats) -> tuple[Floats, Floats]:
    """Upper and lower lip weights [V]: an amount per ring times a profile [31] along it."""
    upper, lower = np.zeros(len(h.x)), np.zeros(len(h.x))
    for ring, amount in amounts.items():
        for ids in (h.mesh.rings["mouth"][ring], h.mesh.mirror[h.mesh.rings["mouth"][ring]]):
            upper[ids] = amount * profile * UPPER
            lower[ids] = amount * profile * (np.arange(len(profile)) < 15)
    return upper, lower


def _mouth(h: _Head) -> dict[str, Floats]:
    deep = smoothstep(h.z, 6.5, 8.5)
    rim = {2: 0.15, 3: 0.4, 4: 0.75, LIP_BORDER: 1.0, 6: 0.75, 7: 0.4, 8: 0.0}
    border_up, border_low = _ring_weights(h, rim, np.sin(np.pi / 2 * TO_MIDDLE))
    red_up, red_low = _ring_weights(h, {LIP_BORDER: 0.4, 6: 1.0, 7: 1.0, 8: 0.5}, TO_MIDDLE)
    stand = h.spot(0, -6.4, 1.9, 0.95) * smoothstep(h.z, 8, 9.3) * np.where(h.mesh.part == Part.SKIN, 1, 0.4)
    bow = gauss(h.ax - 0.62, 0.28) - gauss(h.ax, 0.22)
    below = smoothstep(-h.y, 4.4, 6) * (1 - smoothstep(-h.y, 7, 9.5)) * smoothstep(h.z, 6, 8.5)
    return {
        "mouthWidth": h.field(0.10 * h.ax * h.spot(0, -6.4, 2.6, 1.0) * deep),
        "mouthHeight": h.field(up=0.28 * h.spot(0, -6.4, 3.0, 1.3)),
        "upperLipFullness": h.field(up=0.17 * border_up, forward=0.08 * red_up),
        "lowerLipFullness": h.field(up=-0.17 * border_low, forward=0.08 * red_low),
        "lipProjection": h.field(forward=0.26 * stand),
        "cupidBow": h.field(up=0.07 * bow * border_up),
        "philtrumLength": h.field(up=-0.21 * below),
        "mouthCornerHeight": h.field(up=0.16 * h.spot(2.5, -6.47, 0.7, 0.7) * deep),
    }


def _ears_neck(h: _Head) -> dict[str, Floats]:
    ear = gauss(h.ax - 7.6, 0.8) * gauss(h.y + 1.3, 2.2) * gauss(h.z + 1.2, 1.8) * smoothstep(h.ax, 6.75, 7.2)
    neck = h.neck * (1 - smoothstep(-h.y, 16.5, 20.5))
    below_chin = smoothstep(-h.y, 11.5, 17.5)
    shoulder = smoothstep(h.ax, 5.0, 11.5) * smoothstep(-h.y, 13.0, 17.0)
    return {
        "earSize": h.field(up=0.10 * (h.y + 1.3) * ear, forward=0.10 * (h.z + 0.8) * ear),
        "earFlare": h.field(0.35 * ear * smoothstep(-h.z, 0.2, 2.6)),
        "earLobe": h.field(up=-0.30 * ear * smoothstep(-h.y, 2.8, 4.2)),
        "neckWidth": h.field(0.07 * h.ax * neck, forward=0.045 * h.z * neck),
        "neckLength": h.field(up=-0.9 * below_chin),
        "larynx": h.field(forward=0.28 * h.spot(0, -13.5, 0.9, 1.0)),
        "shoulderWidth": h.field(0.9 * shoulder, 0.15 * shoulder),
        "shoulderSlope": h.field(up=-0.7 * shoulder),
    }
