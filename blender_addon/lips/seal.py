"""What contact asks of the lips, per column: sealed for p, b, m; the lower lip at the upper teeth for f, v.

Displacements are pairs of depth and height: nothing moves along the lips, so that sealed lips may slide.
"""

from __future__ import annotations

import numpy as np

from ..protocol.tensorfile import Array
from .posed import Mouth, TeethBeside
from .profiles import INNER, LINE, ROWS

LOWER_SHARE = 0.62  # of a gap's height, what the lower lip closes
_LOWER_DEPTH = 0.85  # of its depth: an upper lip drawn back would press on the teeth
# How much of a gap stays open at a contact: (1 - contact / full) ^ power. At contact 0.8 a gap of 10 mm is
# closed to 0.3 mm. The power at the corners is higher: they close first and part last.
_FULL, _POWER, _POWER_CORNER = 0.88, 1.45, 3.0
_STICK_MIDDLE = 0.15  # how much the middle of the lips sticks, beside the corners
# Metres between sealed lips on the line and on the inner row: a hidden overlap lets no light through.
_REST = np.array([0.03e-3, -0.2e-3], np.float32)
_FOLLOW = {6: 0.96, 7: 0.985, 8: 1.0, 10: 1.0, 12: 0.7}  # share of the lip line's way that a row goes along
_ROOM = {6: 1.2e-3, 7: 0.6e-3}  # metres that the red keeps from the seam of sealed lips
_ROUND = 0.3e-3  # metres over which a limit is rounded
# Where the pull to the teeth fades out: place towards the lips' corner, metres to the side, metres of way.
_BITE_FADE, _BITE_SIDE, _BITE_REACH = (0.30, 0.97), (8e-3, 17e-3), (5e-3, 9e-3)
_BITE_FOLLOW = np.array([0.72, 0.90, 1.0, 1.0, 0.6], np.float32)
_BITE_HEIGHT, _BITE_DEPTH = 0.1e-3, 0.2e-3  # metres from the biting edge to the lip's inner side

_UPWARDS = np.array([1, -1], np.float32)  # from the other lip: upper, lower
_SHARES = np.array(  # [depth or height, 1, upper or lower, 1, 1]
    [[1 - _LOWER_DEPTH, _LOWER_DEPTH], [1 - LOWER_SHARE, LOWER_SHARE]], np.float32
).reshape(2, 1, 2, 1, 1)
_FOLLOW_MATRIX = np.zeros((2, 5), np.float32)  # [line or inner row, handle row]
_FOLLOW_MATRIX[[0, 0, 0, 1, 1], range(5)] = list(_FOLLOW.values())


def smoothstep(x: Array, a: float, b: float) -> Array:
    """0 below `a`, 1 above `b`, smooth between."""
    t = np.clip((x - a) / (b - a), 0, 1)
    step: Array = t * t * (3 - 2 * t)
    return step


def at_least_zero(x: Array, rounding: float) -> Array:
    """max(x, 0), rounded over about `rounding` and exactly 0 below minus that."""
    t = np.clip(x, -rounding, rounding) + rounding
    soft: Array = np.where(x > rounding, x, t * t / (4 * rounding))
    return soft


def open_share(contact: Array, held: Array, corner: Array) -> Array:
    """[F, n] share of the gap that stays open at places `corner` [n].

    `held` [F] is the contact that sticking lips still feel.
    """
    felt = contact[:, None] + (held - contact)[:, None] * (_STICK_MIDDLE + (1 - _STICK_MIDDLE) * corner**2)
    power = _POWER + (_POWER_CORNER - _POWER) * corner**2
    return np.asarray((1 - np.minimum(felt / _FULL, 1)) ** power)


def gap_of(own: Array, other: Array) -> Array:
    """[2, F, 2, N - 2, 2] depth and height, own minus other, on the line and the inner row.

    Args:
        own, other: [2, F, 2, N, R] depth and height of each lip and of the other beside it.
    """
    gap: Array = (own - other)[..., 1:-1, LINE : INNER + 1 : INNER - LINE]
    return gap


def wanted_gap(gap: Array, open_: Array) -> Array:
    """What shall be left of `gap` when the share `open_` [F, N - 2] of it stays."""
    open_ = open_[None, :, None, :, None]
    wanted = open_ * gap
    wanted[1] += ((1 - open_) * _UPWARDS[:, None, None] * _REST)[0]
    return wanted


def seal(missing: Array) -> Array:
    """[2, F, 2, N - 2, 5] displacement of the handles that adds `missing` [2, F, 2, N - 2, 2] to the gap."""
    moved: Array = (missing * _SHARES) @ _FOLLOW_MATRIX
    return moved


def red_room(height: Array, handles: Array, open_: Array, corner: Array) -> Array:
    """[F, 2, N - 2, 2] upward displacement of rows 6 and 7 that keeps the red on its side of the seam.

    Args:
        height: [F, 2, N, R]; handles: [2, F, 2, N - 2, 5]; open_: [F, N - 2]; corner: [N - 2].
    """
    inner = height[:, :, 1:-1]
    seam = inner[..., LINE] + handles[1, ..., 2]
    upwards = _UPWARDS[:, None]
    out = []
    for handle, (row, room) in enumerate(_ROOM.items()):
        stands = (inner[..., ROWS.index(row)] + handles[1, ..., handle] - seam) * upwards
        out.append(upwards * (1 - open_)[:, None] * at_least_zero(room * (1 - corner) - stands, _ROUND))
    return np.stack(out, -1)


def bite(mouth: Mouth, handles: Array, upper_teeth: TeethBeside, open_: Array, corner: Array) -> Array:
    """[2, F, N - 2, 5] displacement of the lower lip that lays its inner side on the upper teeth's edge.

    Args:
        handles: [2, F, 2, N - 2, 5] how far the seal moves the lips already.
        open_: [F] share of the way that remains.
    """
    place = (slice(None), 1, slice(1, -1), INNER)
    forward = upper_teeth.edge_depth[place] + _BITE_DEPTH - mouth.depth[place] - handles[0, :, 1, :, 3]
    upward = upper_teeth.edge[place] + _BITE_HEIGHT - mouth.height[place] - handles[1, :, 1, :, 3]
    pull = (1 - open_)[:, None] * (1 - smoothstep(corner, *_BITE_FADE))
    pull = pull * (1 - smoothstep(np.abs(mouth.x[place]), *_BITE_SIDE))
    pull = pull * (1 - smoothstep(-forward, *_BITE_REACH))
    return np.asarray(np.stack([forward, upward])[..., None] * pull[..., None] * _BITE_FOLLOW)
