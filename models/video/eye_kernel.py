"""The pixels of one eye: ball, iris, catchlight, lid and lashes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import inlined, kernel

# Our choices, by eye.
LID_SHADE = 0.30  # light that the upper lid takes from the ball at its margin
SHADE_REACH = 0.09  # of the width
_GLINT_FOLLOWS = 0.5  # of the iris's way: the cornea's centre turns about half as far
_LASH_LINE, _FRINGE = 0.016, 0.055  # of the width: the dark line of a closed lid, and the lashes under it
_MIRROR_FROM, _MIRROR_FULL = 0.35, 0.95  # of the picture's own lid height: where mirrored skin takes over
_ROUND = 0.07  # how much darker a closed lid is at its margin than at the crease
_CREASE_LINE = 0.07  # how dark the crease of a closed lid is


class EyeSources(NamedTuple):
    """Pictures in the reference's pixels, f32 sRGB code, and where their first pixels lie.

    Attributes:
        white, glint, rest: [h, w, 3]; iris: [h, w, 4]; skin, detail: [k, l, 3]; picture: [H, W, 3] u8.
        ball_at, skin_at: [2] f64 left, top.
        below: [N, 3] f32 colours that the lid comes to along its margin; lash: [3] f32.
        fringe: [n] f32 length of lashes, 0-1.
    """

    white: Array
    glint: Array
    rest: Array
    iris: Array
    skin: Array
    detail: Array
    picture: Array
    ball_at: Array
    skin_at: Array
    below: Array
    lash: Array
    fringe: Array


class EyeState(NamedTuple):
    """Where everything is.

    Attributes:
        now, then: [4, N] still, crease, upper, lower curve of the frame and of the reference.
        frame, home: [7] their axes (`EyeFrame.row`).
        back: [2, 3] from the frame's pixels to the reference's, for what stays with the head.
        turn: [3, 3] from the new gaze to the picture's (right, down, toward the viewer).
        ball: [3] centre x, y and radius of the path of the iris, reference pixels.
        slide: [2] way of the iris, reference pixels.
        closing: 0-1; keeps: 0-1 how much of what could not be explained is kept.
        near: depth before which something hides the eye; reach, strength: as in `LidSkin`.
    """

    now: Array
    then: Array
    frame: Array
    home: Array
    back: Array
    turn: Array
    ball: Array
    slide: Array
    closing: float
    keeps: float
    near: float
    reach: float
    strength: float


@kernel
def draw_eye(
    src: EyeSources, state: EyeState, left: int, top: int, depth: Array, out: tuple[Array, Array]
) -> None:
    """Fill color [h, w, 3] (premultiplied) and coverage [h, w] of a box whose `depth` [h, w] is known."""
    color, coverage = out
    frame, now = state.frame, state.now
    at, ball, lid = np.zeros(4, np.float32), np.zeros(3, np.float32), np.zeros(3, np.float32)
    for y in range(coverage.shape[0]):
        for x in range(coverage.shape[1]):
            if depth[y, x] < state.near:
                continue
            px, py = left + x + 0.5 - frame[0], top + y + 0.5 - frame[1]
            s = (px * frame[2] + py * frame[3]) / frame[6]
            if s < 0.0 or s > 1.0:
                continue
            v = px * frame[4] + py * frame[5]
            upper, lower = _curve(now, 2, s), _curve(now, 3, s)
            still = _curve(now, 0, s)
            if v < still or v > lower + _FRINGE * frame[6] + 1.0:
                continue
            above = min(max(upper - v + 0.5, 0.0), 1.0)
            open_ = max(min(max(lower - v + 0.5, 0.0), 1.0) - above, 0.0)
            ends = _smooth(min(s, 1.0 - s) / 0.08)
            above *= _smooth((v - still) / max(0.5 * (_curve(now, 1, s) - still), 1.0)) * ends
            for c in range(3):
                ball[c] = 0.0
                lid[c] = 0.0
            if open_ > 0.0:
                _ball_color(src, state, left + x + 0.5, top + y + 0.5, v - upper, at, ball)
            if above > 0.0:
                _lid_color(src, state, s, v, at, lid)
            dark = _lash_cover(src, state, s, v - upper) * ends
            rest = (1.0 - dark) * open_
            lids = (1.0 - dark) * above
            total = rest + lids + dark
            if total > 1.0:
                rest, lids = rest / total, lids / total
                dark, total = dark / total, 1.0
            coverage[y, x] = total
            for c in range(3):
                color[y, x, c] = ball[c] * rest + lid[c] * lids + src.lash[c] * dark


@inlined
def _curve(curves: Array, row: int, s: float) -> float:
    """A curve at s in 0-1, linear."""
    last = curves.shape[1] - 1
    place = min(max(s, 0.0), 1.0) * last
    i = min(int(place), last - 1)
    value: float = curves[row, i] + (curves[row, i + 1] - curves[row, i]) * (place - i)
    return value


@inlined
def _smooth(t: float) -> float:
    t = min(max(t, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@inlined
def _sample(image: Array, x: float, y: float, out: Array) -> None:
    """`image` [h, w, C] at pixel place x, y (centres at +0.5), linear, edges repeat."""
    x = min(max(x - 0.5, 0.0), image.shape[1] - 1.001)
    y = min(max(y - 0.5, 0.0), image.shape[0] - 1.001)
    i, j = int(y), int(x)
    fy, fx = np.float32(y - i), np.float32(x - j)
    one = np.float32(1.0)
    for c in range(image.shape[2]):
        upper = image[i, j, c] * (one - fx) + image[i, j + 1, c] * fx
        lower = image[i + 1, j, c] * (one - fx) + image[i + 1, j + 1, c] * fx
        out[c] = upper * (one - fy) + lower * fy


@inlined
def _ball_color(
    src: EyeSources, state: EyeState, x: float, y: float, under: float, at: Array, out: Array
) -> None:
    """The ball at a pixel that lies `under` pixels below the upper margin."""
    back, ball = state.back, state.ball
    qx = back[0, 0] * x + back[0, 1] * y + back[0, 2]
    qy = back[1, 0] * x + back[1, 1] * y + back[1, 2]
    gain = 1.0 - LID_SHADE * np.exp(-max(under, 0.0) / (SHADE_REACH * state.frame[6]))
    bx, by = src.ball_at[0], src.ball_at[1]
    _sample(src.white, qx - bx, qy - by, at)
    for c in range(3):
        out[c] = at[c]
    nx, ny = (qx - ball[0]) / ball[2], (qy - ball[1]) / ball[2]
    square = nx * nx + ny * ny
    if square < 0.999:
        nz, turn = np.sqrt(1.0 - square), state.turn
        if turn[2, 0] * nx + turn[2, 1] * ny + turn[2, 2] * nz > 0.0:
            ix = ball[0] + ball[2] * (turn[0, 0] * nx + turn[0, 1] * ny + turn[0, 2] * nz)
            iy = ball[1] + ball[2] * (turn[1, 0] * nx + turn[1, 1] * ny + turn[1, 2] * nz)
            _sample(src.iris, ix - bx, iy - by, at)
            for c in range(3):
                out[c] = out[c] * (1.0 - at[3]) + at[c]
    for c in range(3):
        out[c] *= gain
    _sample(
        src.glint,
        qx - bx - _GLINT_FOLLOWS * state.slide[0],
        qy - by - _GLINT_FOLLOWS * state.slide[1],
        at,
    )
    for c in range(3):
        out[c] += at[c]
    _sample(src.rest, qx - bx, qy - by, at)
    for c in range(3):
        out[c] = min(max(out[c] + at[c] * state.keeps, 0.0), 255.0)


@inlined
def _lid_color(src: EyeSources, state: EyeState, s: float, v: float, at: Array, out: Array) -> None:
    """The upper lid and the fold over it."""
    home, now, then = state.home, state.now, state.then
    scale = home[6] / state.frame[6]
    still, crease, upper = _curve(now, 0, s), _curve(now, 1, s), _curve(now, 2, s)
    still0, crease0, upper0 = _curve(then, 0, s), _curve(then, 1, s), _curve(then, 2, s)
    line = (v - crease) / (0.03 * state.frame[6] + 0.6)
    line = 1.0 - _CREASE_LINE * np.exp(-line * line)
    if v < crease:
        share = (v - still) / max(crease - still, 1e-3)
        source = still0 + share * (crease0 - still0)
        _picture(src, home, s, source, at, out)
        smooth = _smooth(state.closing * 1.5) * _smooth(2.0 * share)
        _toward_skin(src, home, s, source, source, smooth, (0.0, line), at, out)
        return
    tall, tall0 = (upper - crease) * scale, upper0 - crease0
    over = (upper - v) * scale
    _picture(src, home, s, upper0 - min(over, tall0), at, out)
    unfolds = _smooth((over / max(tall0, 1e-3) - _MIRROR_FROM) / (_MIRROR_FULL - _MIRROR_FROM))
    unfolds *= _smooth((tall - tall0) / max(0.5 * tall0, 1e-3))
    share = (v - crease) / max(upper - crease, 1e-3)
    mirrored = crease0 - (v - crease) * scale * state.reach
    shades = (_smooth(2.5 * share) * 0.95, line - _ROUND * share * share)
    _toward_skin(src, home, s, crease0, mirrored, unfolds, shades, at, out)


@inlined
def _toward_skin(
    src: EyeSources,
    home: Array,
    s: float,
    low: float,
    fine: float,
    amount: float,
    shades: tuple[float, float],
    at: Array,
    out: Array,
) -> None:
    """Mix `out` by `amount` toward skin whose colour is that at `low` and whose detail that at `fine`.

    `shades` are how far the colour comes to that of the margin, and how bright it is.
    """
    if amount <= 0.0:
        return
    _skin(src.detail, src, home, s, fine, at)
    for c in range(3):
        out[c] += amount * (at[c] - out[c])
    _skin(src.skin, src, home, s, low, at)
    n = int(min(max(s, 0.0), 1.0) * (src.below.shape[0] - 1) + 0.5)
    for c in range(3):
        out[c] += amount * (at[c] + shades[0] * (src.below[n, c] - at[c])) * shades[1]


@inlined
def _skin(image: Array, src: EyeSources, home: Array, s: float, v: float, out: Array) -> None:
    """`image` in the skin's box at eye coordinates of the reference."""
    x = home[0] + home[2] * s * home[6] + home[4] * v - src.skin_at[0]
    y = home[1] + home[3] * s * home[6] + home[5] * v - src.skin_at[1]
    _sample(image, x, y, out)


@inlined
def _picture(src: EyeSources, home: Array, s: float, v: float, at: Array, out: Array) -> None:
    """The reference at eye coordinates."""
    x = home[0] + home[2] * s * home[6] + home[4] * v
    y = home[1] + home[3] * s * home[6] + home[5] * v
    _sample(src.picture, x, y, at)
    for c in range(3):
        out[c] = at[c]


@inlined
def _lash_cover(src: EyeSources, state: EyeState, s: float, under: float) -> float:
    """Opacity of the lash line and the lashes, `under` pixels below the upper margin."""
    width = state.frame[6]
    line = under / (_LASH_LINE * width * 0.6 + 0.5)
    cover = 0.45 * np.exp(-line * line)
    place = s * (src.fringe.shape[0] - 1)
    n = int(place)
    part = place - n
    last = src.fringe.shape[0] - 1
    length = src.fringe[n] * (1.0 - part) + src.fringe[min(n + 1, last)] * part
    length *= _FRINGE * width * (0.5 + 0.5 * s)
    if under > 0.0 and length > 0.0:
        cover = max(cover, 0.35 * max(1.0 - under / length, 0.0))
    result: float = cover * state.strength * state.closing * state.closing
    return result
