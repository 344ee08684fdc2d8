"""What contact asks of the lips, per column: sealed for p, b and m; the lower lip at the upper teeth for f and v."""

from __future__ import annotations

import numpy as np

from ..protocol.tensorfile import Array
from .posed import Pairing, TeethAt, look_up
from .profiles import INNER, LINE, ROWS

LOWER_SHARE = 0.62  # of a gap, what the lower lip closes
# How much of a gap stays open at a contact: (1 - contact / full) ^ power. At contact 0.8 a gap of 10 mm is
# closed to 0.3 mm. The power at the corners is higher: they close first and part last.
_FULL, _POWER, _POWER_CORNER = 0.88, 1.45, 3.0
_REST = {LINE: 0.03e-3, INNER: -0.2e-3}  # metres between sealed lips: a hidden overlap lets no light through
_FOLLOW = {6: 0.96, 7: 0.985, 8: 1.0, 10: 1.0, 12: 0.7}  # share of the lip line's way that a row goes along
_ROOM = {7: 0.6e-3, 6: 1.2e-3}  # metres that the red keeps from the seam of sealed lips
_ROUND = 0.3e-3  # metres over which a limit is rounded
_BITE_FADE = (0.30, 0.97)  # place towards the corner where the pull to the teeth fades out
_BITE_FOLLOW = {6: 0.72, 7: 0.90, 8: 1.0, 10: 1.0, 12: 0.6}
_BITE_HEIGHT, _BITE_DEPTH = 0.0, 0.3e-3  # metres from the biting edge and the front to the lip's inner side


def smoothstep(x: Array, a: float, b: float) -> Array:
    """0 below `a`, 1 above `b`, smooth between."""
    t = np.clip((x - a) / (b - a), 0, 1)
    step: Array = t * t * (3 - 2 * t)
    return step


def at_least_zero(x: Array, rounding: float) -> Array:
    """max(x, 0), rounded over about `rounding`."""
    soft: Array = 0.5 * (x + np.sqrt(x * x + rounding * rounding)) - 0.5 * rounding * np.exp(-np.abs(x) / rounding)
    return soft


def open_share(contact: Array, held: Array, corner: Array) -> Array:
    """[F, N - 2] share of the gap that stays open. `held` [F] is the contact that sticking lips still feel."""
    felt = contact[:, None] + (held - contact)[:, None] * (0.15 + 0.85 * corner)
    return np.asarray((1 - np.minimum(felt / _FULL, 1)) ** (_POWER + (_POWER_CORNER - _POWER) * corner**2))


def seal(profiles: Array, pairing: Pairing, open_: Array, corner: Array) -> Array:
    """[F, 2, 5, N - 2, 3] displacement of the handle rows that brings both lips together.

    Args:
        profiles: [F, 2, R, N, 3]; open_: [F, N - 2] share of each gap that stays; corner: [N - 2].
    """
    rows = profiles[:, :, (LINE, INNER)]
    gap = (rows - pairing.other(rows))[:, :, :, 1:-1]  # own minus other
    upwards = np.array([1, -1], gap.dtype).reshape(1, 2, 1, 1)
    closed = (1 - open_)[:, None, None, :, None]
    share = np.array([1 - LOWER_SHARE, LOWER_SHARE], gap.dtype).reshape(1, 2, 1, 1, 1)
    rest = np.array([_REST[LINE], _REST[INNER]], gap.dtype).reshape(1, 1, 2, 1)
    gap[..., 2] -= upwards * rest
    gap[..., 0] = 0.0
    line, inner = np.moveaxis(-gap * closed * share, 2, 0)
    moved = {6: line, 7: line, 8: line, 10: inner, 12: inner}
    out = np.stack([_FOLLOW[row] * moved[row] for row in _FOLLOW], 2)
    red = profiles[:, :, :, 1:-1, 2]
    seam = red[:, :, LINE] + line[..., 2]
    side, shut = upwards[..., 0], closed[:, :, 0, :, 0]
    for handle, row in enumerate((6, 7)):
        stands = (red[:, :, ROWS.index(row)] + out[:, :, handle, :, 2] - seam) * side
        out[:, :, handle, :, 2] += side * shut * at_least_zero(_ROOM[row] * (1 - corner) - stands, _ROUND)
    return out


def bite(lower: Array, moved: Array, upper_teeth: TeethAt, open_: Array, corner: Array) -> Array:
    """[F, 5, N - 2, 3] displacement of the lower lip that lays its inner side on the upper teeth's edge.

    Args:
        lower: [F, R, N, 3] profile; moved: [F, 5, N - 2, 3] how far the seal moves it already.
        open_: [F] share of the way that remains.
    """
    point = lower[:, INNER, 1:-1] + moved[:, 3]
    edge, front = look_up(point[..., 0], upper_teeth.edge, upper_teeth.front)
    pull = (1 - open_)[:, None] * (1 - smoothstep(corner, *_BITE_FADE))
    way = np.zeros_like(point)
    way[..., 1] = pull * (-(front + _BITE_DEPTH) - point[..., 1])
    way[..., 2] = pull * (edge + _BITE_HEIGHT - point[..., 2])
    return np.stack([share * way for share in _BITE_FOLLOW.values()], 1)
