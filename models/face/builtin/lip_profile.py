"""Lip shapes as a displacement of each ring: which way, how far, from corner to middle and border to line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .anatomy import LIP_LINE, MOUTH_HALF
from .dental_arch import in_front
from .mesh import LIP_BORDER, MOUTH_INSIDE, Bools, Floats, smoothstep, stack
from .mesh import LIP_LINE as LINE_RING
from .mouth_area import TO_MIDDLE, UPPER
from .solver import Handle, SkinSolver

_CLEARANCE = (0.13, 0.11, 0.09, 0.07, 0.06)  # cm of the lip line and the rings behind it before the teeth
# Share of the way from the corner where the vermilion is left to the solver, so that no sliver turns over.
_LOOSE = 0.15
_LINE_HEIGHT = LIP_LINE[0][1]
_ROUND = 0.15  # upper and lower lip pass into each other at the corner without a kink
_MIDDLE = (np.hypot(TO_MIDDLE, _ROUND) - _ROUND) / (np.hypot(1, _ROUND) - _ROUND)
_INSIDE_FOLLOWS = {9: 1.0, 10: 0.95, 11: 0.7, 12: 0.45}


@dataclass(frozen=True)
class LipRing:
    """One ring of the left half's lips, as profiles see it.

    Attributes:
        number: 5 border, 6 and 7 the red, 8 the line.
        at: [31, 3] rest positions; upper: [31] upper lip; middle: [31] 0 corner .. 1 midline.
    """

    number: int
    at: Floats
    upper: Bools
    middle: Floats

    @property
    def corner(self) -> Floats:
        """[31] 1 at the corner .. 0 at the midline."""
        return 1 - self.middle

    @property
    def reach(self) -> Floats:
        """[31] sideways place in half mouth widths."""
        result: Floats = self.at[:, 0] / MOUTH_HALF
        return result

    @property
    def sign(self) -> Floats:
        """[31] 1 on the upper lip, -1 on the lower."""
        return np.where(self.upper, 1.0, -1.0)

    def pick(self, border: float, outer: float, inner: float, line: float) -> float:
        """The value for this ring."""
        return (border, outer, inner, line)[self.number - LIP_BORDER]


Profile = Callable[[LipRing], Floats]


def lip_handles(solver: SkinSolver, profile: Profile, weight: float = 60.0) -> list[Handle]:
    """Handles of the lips' rings; those behind the line follow it, less and less."""
    mouth = solver.mesh.rings["mouth"]
    handles = []
    for number in range(LIP_BORDER, MOUTH_INSIDE + 1):
        shown = min(number, LINE_RING)
        move = profile(LipRing(shown, solver.skin[mouth[shown]], UPPER, _MIDDLE))
        rest = solver.skin[mouth[number]]
        move = move * _INSIDE_FOLLOWS.get(number, 1.0)
        if number >= LINE_RING:
            move = in_front(rest + move, _CLEARANCE[number - LINE_RING]) - rest
        held = np.where((TO_MIDDLE < _LOOSE) & (number < LINE_RING), 0.0, weight)
        handles.append(Handle(mouth[number], move, held))
    return handles


def smile(lip: LipRing) -> Floats:
    """Corners out, up and back; the lips follow in a curve and thin, lying on the teeth."""
    thin = -lip.sign * lip.pick(0.13, 0.07, 0.01, 0) * smoothstep(lip.middle, 0, 0.5)
    return stack(
        0.66 * lip.reach**1.15,
        0.72 * lip.corner**1.9 + 0.03 + thin,
        -0.14 - 0.62 * lip.corner**1.25,
    )


def frown(lip: LipRing) -> Floats:
    lift = 0.05 * lip.middle * ~lip.upper
    return stack(0.10 * lip.corner, -0.62 * lip.corner**1.6 + lift, -0.08 * lip.corner)


def dimple(lip: LipRing) -> Floats:
    return stack(0.36 * lip.reach**2, 0.08 * lip.corner**2, -0.06 - 0.40 * lip.corner**1.5)


def stretch(lip: LipRing) -> Floats:
    """Corners pulled straight outwards and down, the lips drawn flat over the teeth."""
    thin = -lip.sign * lip.pick(0.10, 0.03, 0, 0) * lip.middle
    return stack(0.78 * lip.reach**1.15, -0.22 * lip.corner**1.5 + thin, -0.12 - 0.58 * lip.corner**1.3)


def press(lip: LipRing) -> Floats:
    inward = smoothstep(lip.middle, -0.05, 0.35)
    return stack(
        0.03 * lip.corner,
        lip.sign * lip.pick(-0.20, -0.13, -0.05, 0) * inward,
        -0.05 * inward - lip.pick(0, 0.08, 0.08, 0) * inward,
    )


def lower_down(lip: LipRing) -> Floats:
    low = ~lip.upper
    return stack(
        0.05 * lip.middle * low, -0.66 * low * smoothstep(lip.middle, 0, 0.62), -0.10 * lip.middle * low
    )


def upper_up(lip: LipRing) -> Floats:
    rise = 0.60 * lip.upper * smoothstep(lip.middle, 0, 0.62) * lip.pick(0.85, 1, 1, 1)
    return stack(0.04 * lip.middle * lip.upper, rise, 0.04 * lip.middle * lip.upper)


def puff(lip: LipRing) -> Floats:
    """Closed lips pressed from inside: drawn a little together, their red turned in at the line."""
    tight = lip.sign * lip.pick(-0.06, -0.05, -0.02, 0) * smoothstep(lip.middle, 0, 0.4)
    forward = lip.pick(0.22, 0.14, 0.10, 0.08) + 0.40 * lip.corner**1.3
    return stack(0.10 * lip.reach * lip.corner, tight, forward)


def sneer(lip: LipRing) -> Floats:
    return stack(
        0,
        lip.pick(0.24, 0.15, 0.05, 0) * lip.upper * smoothstep(lip.middle, 0, 0.6),
        0.03 * lip.upper * lip.middle,
    )


def pucker(lip: LipRing) -> Floats:
    """Half as wide, pushed forward; the lips stay full near the new corners."""
    swell = 2.0 * lip.corner * lip.middle
    upper = lip.pick(0, 0.06, 0.05, 0) + lip.pick(0.12, 0.10, 0.05, 0) * swell
    lower = lip.pick(0, 0.06, 0.05, 0) + lip.pick(0.14, 0.12, 0.05, 0) * swell
    forward = lip.pick(0.50, 0.68, 0.76, 0.74) + 0.30 * lip.corner**1.2
    return stack(-0.50 * lip.at[:, 0], np.where(lip.upper, upper, -lower), forward)


def funnel(lip: LipRing) -> Floats:
    """Lips turned out and forward round a hole, the upper one kept over the upper teeth's edge."""
    open_ = np.sin(np.pi / 2 * np.clip(lip.middle * 1.25, 0, 1))
    upper = lip.pick(0.10, 0.10, 0.02, -0.10) * open_
    lower = lip.pick(-0.10, -0.14, -0.10, 0.02) * open_
    forward = lip.pick(0.42, 0.66, 0.84, 0.74) + 0.16 * lip.corner
    return stack(-0.46 * lip.at[:, 0], np.where(lip.upper, upper, lower), forward)


def roll(upper: bool) -> Profile:
    """One lip turned in over the teeth: its border comes to the line, the red lies behind it on the teeth."""
    share = 0.78 if upper else 0.70

    def profile(lip: LipRing) -> Floats:
        turned = (lip.upper == upper) * smoothstep(lip.middle, 0, 0.5)
        way = np.abs(lip.at[:, 1] - _LINE_HEIGHT)
        back = lip.pick(-0.14, -0.50, -0.62, -0.42)
        return stack(0, -lip.sign * way * share * turned, back * turned)

    return profile


def shrug_lower(lip: LipRing) -> Floats:
    share = smoothstep(lip.middle, -0.1, 0.6)
    return stack(0, np.where(lip.upper, 0.25, 0.255) * share, np.where(lip.upper, 0.06, 0.18) * lip.middle)


def shrug_upper(lip: LipRing) -> Floats:
    share = smoothstep(lip.middle, -0.1, 0.6)
    upper = 0.22 * lip.pick(0.7, 1, 1, 1)
    return stack(0, np.where(lip.upper, upper, 0.215) * share, np.where(lip.upper, 0.16, 0.10) * lip.middle)
