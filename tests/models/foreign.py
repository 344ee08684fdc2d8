"""Two heads that are not ours, made by code: other topology, other proportions, other units and axes.

`long_head` is a narrow, tall head whose triangles come from collapsing our skin's edges in random order and
then subdividing by the square root of 3; centimetres, +Y up. `round_head` is a cartoon on a grid of latitudes
and longitudes, with big eyes in sockets that are open behind, a slit for a mouth, no ears and no cavity;
decimetres, +Z up. Both bring eyeballs and two rows of teeth as islands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.regions import SKIN_REGIONS

Faces = list[tuple[int, ...]]
Patches = dict[int, tuple[int, int]]  # side -> first row and column of an eye's opening


@dataclass(frozen=True)
class Foreign:
    """A mesh as a user has it: vertices [V, 3], faces of any size, and landmark name -> vertex id."""

    vertices: Array
    faces: tuple[tuple[int, ...], ...]
    landmarks: dict[str, int]

    def obj(self) -> str:
        """The text of an OBJ file."""
        lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in self.vertices]
        return "\n".join(lines + ["f " + " ".join(str(i + 1) for i in face) for face in self.faces]) + "\n"


NEEDED = (
    "nose_tip",
    "chin",
    "mouth_corner.L",
    "mouth_corner.R",
    "lip_upper_middle",
    "lip_lower_middle",
    *(f"{n}.{s}" for s in "LR" for n in ("eye_inner", "eye_outer", "lid_upper_middle", "lid_lower_middle")),
)


def long_head(head: FaceFile, collapses: int = 5500) -> Foreign:
    """A narrow head, triangles only."""
    skin = np.isin(head.region, [head.region_names.index(name) for name in SKIN_REGIONS])
    chains = [
        head.rings[n]
        for n in ("lip_upper", "lip_lower", *(f"lid_{k}.{s}" for k in ("upper", "lower") for s in "LR"))
    ]
    marks = {head.landmarks[name] for name in NEEDED}
    triangles = _collapse(head.vertices.astype(float), _triangles(head, skin), chains, marks, collapses)
    vertices, triangles, kept = _root_three(head.vertices.astype(float), triangles, chains)
    back = {int(old): new for new, old in enumerate(kept)}
    landmarks = {name: back[head.landmarks[name]] for name in NEEDED}
    vertices = _narrow(vertices)
    parts, faces = [vertices], [tuple(map(int, t)) for t in triangles]
    for side in (1, -1):
        bone = next(b for b in head.bones if b.name == ("eye.L" if side > 0 else "eye.R"))
        centre = _narrow(np.array([bone.head]))[0]
        _add(parts, faces, *_sphere(centre, 0.0115, 20, 24))
    for z, low in ((-0.060, False), (-0.069, True)):
        front = _narrow(np.array([[0, -0.090, z]]))[0]
        _add(parts, faces, *_denture(front, 0.021, -0.008 if low else 0.008))
    metres = np.concatenate(parts)
    return Foreign(metres[:, [0, 2, 1]] * [100, 100, -100], tuple(faces), landmarks)


def _narrow(points: Array) -> Array:
    """Narrower, with a longer lower face, a bigger nose and closer eyes."""
    x, y, z = points.T
    front = np.clip(-y / 0.1, 0, 1)
    stretched = np.where(z < -0.01, -0.01 + (z + 0.01) * 1.22, z * 1.08)
    nose = np.exp(-((x / 0.014) ** 2) - ((z + 0.03) / 0.02) ** 2) * front
    return np.stack([x * (0.84 - 0.05 * np.tanh(z / 0.05)), y * 1.02 - 0.012 * nose, stretched], 1)


def _triangles(head: FaceFile, keep: Array) -> Array:
    quads = head.polygons[keep[head.polygons].all(1)]
    whole = quads[:, 3] >= 0
    return np.concatenate([quads[:, :3], quads[whole][:, [0, 2, 3]]]).astype(int)


def _collapse(vertices: Array, triangles: Array, chains: list[Array], marks: set[int], count: int) -> Array:
    """Half-edge collapses of short edges in random order; chains only along themselves, marks never."""
    rng = np.random.default_rng(7)
    faces = {i: list(map(int, t)) for i, t in enumerate(triangles)}
    around: dict[int, set[int]] = {}
    for i, face in faces.items():
        for v in face:
            around.setdefault(v, set()).add(i)
    chained = {int(v) for chain in chains for v in chain}

    def ring(v: int) -> set[int]:
        return {w for f in around[v] for w in faces[f]} - {v}

    edges = [(a, b) for t in faces.values() for a, b in zip(t, t[1:] + t[:1], strict=True)]
    length = np.array([np.linalg.norm(vertices[a] - vertices[b]) for a, b in edges])
    order = np.argsort(length * rng.uniform(0.7, 1.4, len(edges)))
    done = 0
    for gone, kept in (edges[i] for i in order):
        if done == count:
            break
        if gone not in around or kept not in around or gone in chained or gone in marks:
            continue
        if not around[gone] or len(ring(gone) & ring(kept)) != 2 or len(around[gone]) != len(ring(gone)):
            continue
        moved = [f for f in around[gone] if kept not in faces[f]]
        new = [[kept if v == gone else v for v in faces[f]] for f in moved]
        if any(_turned(vertices[faces[f]], vertices[face]) for f, face in zip(moved, new, strict=True)):
            continue
        for f in list(around[gone]):
            for v in faces[f]:
                if v != gone:
                    around[v].discard(f)
            del faces[f]
        for f, face in zip(moved, new, strict=True):
            faces[f] = face
            for v in face:
                around[v].add(f)
        del around[gone]
        done += 1
    return np.array(list(faces.values()))


def _turned(before: Array, after: Array) -> bool:
    """Whether a triangle turns by more than 53 degrees, or collapses."""
    a, b = (np.cross(t[1] - t[0], t[2] - t[0]) for t in (before, after))
    length = np.linalg.norm(b)
    return a @ b < 0.6 * np.linalg.norm(a) * length or length < 1e-8


def _root_three(vertices: Array, triangles: Array, chains: list[Array]) -> tuple[Array, Array, Array]:
    """A vertex in every triangle; every old edge flips, but not those of chains or of the boundary."""
    kept = np.unique(triangles)
    triangles = np.searchsorted(kept, triangles)
    place = {int(old): new for new, old in enumerate(kept)}
    fixed = {frozenset((place[int(a)], place[int(b)])) for c in chains for a, b in pairwise(c)}
    n = len(kept)
    middle = vertices[kept][triangles].mean(1)
    beside: dict[tuple[int, int], int] = {}
    for f, t in enumerate(triangles):
        for a, b in zip(t, np.roll(t, -1), strict=True):
            beside[int(a), int(b)] = f
    out = []
    for (a, b), f in beside.items():
        other = beside.get((b, a))
        if other is None or frozenset((a, b)) in fixed:
            out.append((a, b, n + f))
        elif a < b:
            out += [(a, n + other, n + f), (b, n + f, n + other)]
    return np.concatenate([vertices[kept], middle]), np.array(out), kept


def _add(parts: list[Array], faces: Faces, vertices: Array, more: Faces) -> None:
    start = sum(len(p) for p in parts)
    parts.append(vertices)
    faces += [tuple(start + i for i in face) for face in more]


def _sphere(centre: Array, radius: float, rows: int, columns: int) -> tuple[Array, Faces]:
    """A ball of quads with triangles at its poles."""
    latitude = np.pi * (np.arange(1, rows) / rows - 0.5)
    around = 2 * np.pi * np.arange(columns) / columns
    la, ar = np.meshgrid(latitude, around, indexing="ij")
    body = np.stack([np.cos(la) * np.cos(ar), np.cos(la) * np.sin(ar), np.sin(la)], -1).reshape(-1, 3)
    points = np.concatenate([body, [[0, 0, -1], [0, 0, 1]]])[:, [0, 2, 1]] * [1, -1, 1] * radius + centre
    faces = []
    for j in range(columns):
        k = (j + 1) % columns
        faces.append((k, j, len(body)))
        for i in range(rows - 2):
            faces.append((i * columns + j, i * columns + k, (i + 1) * columns + k, (i + 1) * columns + j))
        last = (rows - 2) * columns
        faces.append((last + j, last + k, len(body) + 1))
    return points, faces


def _denture(front: Array, radius: float, height: float) -> tuple[Array, Faces]:
    """A curved box; `front` is the middle of its biting edge."""
    angle = np.linspace(-1.2, 1.2, 13)
    rows = []
    for r, z in ((radius, 0.0), (radius, height), (radius - 0.006, height), (radius - 0.006, 0.0)):
        across, back = r * np.sin(angle), front[1] + radius - r * np.cos(angle)
        rows.append(np.stack([across, back, np.full(13, front[2] + z)], 1))
    faces = []
    for i in range(4):
        a, b = i * 13, (i + 1) % 4 * 13
        for j in range(12):
            quad = (a + j, a + j + 1, b + j + 1, b + j)
            faces.append(quad if height > 0 else quad[::-1])
    return np.concatenate(rows), faces


ROWS, COLUMNS = 72, 104
EYE = (0.34, 0.15, 0.17, 0.135)  # longitude, latitude, half width, half height of the opening, radians
EYE_ROWS, EYE_COLUMNS = 10, 12
BALL = 0.27  # the lids' inner radius, decimetres
LOOPS = 1.9  # how far loops follow the opening, in its size
MOUTH_COLUMNS, MOUTH_ROW = 24, 22


def round_head() -> Foreign:
    """A cartoon of quads, 2.4 dm high: much of its face is eyes."""
    longitude = (np.arange(COLUMNS) - COLUMNS // 2) / COLUMNS * 2 * np.pi
    longitude = longitude - 0.62 * np.sin(longitude) * np.cos(longitude / 2) ** 2  # finer in front
    latitude = np.linspace(-1.35, 1.5, ROWS)
    for middle, amount, width in ((latitude[MOUTH_ROW], 0.6, 0.28), (EYE[1], 0.35, 0.3)):
        latitude = latitude - amount * (latitude - middle) * np.exp(-(((latitude - middle) / width) ** 2))
    lo, la = np.meshgrid(longitude, latitude)  # [rows, columns]
    eye_row = int(np.argmin(np.abs(latitude - EYE[1]))) - EYE_ROWS // 2
    eye_column = int(np.argmin(np.abs(longitude - EYE[0]))) - EYE_COLUMNS // 2
    patches = {1: (eye_row, eye_column), -1: (eye_row, COLUMNS - eye_column - EYE_COLUMNS)}
    for side, (row, column) in patches.items():
        _almond(lo, la, side, row, column)
    return _cut(_cartoon_surface(lo, la), patches)


def _almond(lo: Array, la: Array, side: int, row: int, column: int) -> None:
    """Bend the grid so that the patch's rectangle and the loops round it become ellipses."""
    rows, columns = np.arange(ROWS) - row - EYE_ROWS / 2, np.arange(COLUMNS) - column - EYE_COLUMNS / 2
    v, u = np.meshgrid(rows / (EYE_ROWS / 2), columns / (EYE_COLUMNS / 2), indexing="ij")
    largest = np.maximum(np.abs(u), np.abs(v))
    round_ = largest / np.maximum(np.hypot(u, v), 1e-9)
    t = np.clip((LOOPS + 0.6 - largest) / (LOOPS - 0.4), 0, 1)
    blend = t * t * (3 - 2 * t)
    lo += blend * (side * EYE[0] + EYE[2] * u * round_ - lo)
    la += blend * (EYE[1] + EYE[3] * v * round_ - la)


def _cartoon_surface(lo: Array, la: Array) -> Array:
    """Points [rows, columns, 3] in decimetres: a wide ball on a short neck, nose, chin."""
    direction = np.stack([np.sin(lo) * np.cos(la), -np.cos(lo) * np.cos(la), np.sin(la)], -1)
    grid = direction * [1.12, 0.98, 1.05]
    t = np.clip((-la - 0.95) / 0.4, 0, 1)[..., None]
    neck = t * t * (3 - 2 * t)
    down = np.stack([0.5 * np.sin(lo), -0.5 * np.cos(lo) + 0.1, -1.0 - 0.9 * (-la - 1.0)], -1)
    grid = grid * (1 - neck) + down * neck
    front = np.cos(lo) > 0
    nose = np.exp(-((lo / 0.12) ** 2) - ((la + 0.10) / 0.09) ** 2) * front
    chin = np.exp(-((lo / 0.4) ** 2) - ((la + 0.85) / 0.2) ** 2) * front
    grid += direction * (0.2 * nose + 0.06 * chin)[..., None]
    return grid


@dataclass
class _Build:
    """A mesh under construction."""

    vertices: list[Array]
    faces: list[tuple[int, ...]]

    def add(self, points: Sequence[Array] | Array) -> Array:
        """Add points [n, 3]; their ids."""
        start = len(self.vertices)
        self.vertices += list(points)
        return np.arange(start, len(self.vertices))

    def band(self, one: Array, other: Array, turned: bool) -> None:
        """Quads, or triangles where ids meet, between two rows of ids."""
        for j in range(len(one) - 1):
            face = tuple(dict.fromkeys((one[j], one[j + 1], other[j + 1], other[j])))
            if len(face) > 2:
                self.faces.append(face[::-1] if turned else face)


def _cut(grid: Array, patches: Patches) -> Foreign:
    """Open the eyes and the mouth, add lips' insides, lid rims, eyeballs and teeth."""
    first = COLUMNS // 2 - MOUTH_COLUMNS // 2
    slit = np.arange(first, first + MOUTH_COLUMNS + 1)
    _swell_lips(grid, slit)
    centres = {side: _bulge_eye(grid, *patch) for side, patch in patches.items()}
    build = _Build(list(grid.reshape(-1, 3)), [])
    index = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    lower = index[MOUTH_ROW].copy()
    lower[slit[1:-1]] = build.add(grid[MOUTH_ROW, slit[1:-1]])
    _skin(build, index, lower, patches)
    for line, up in ((index[MOUTH_ROW, slit], 1.0), (lower[slit], -1.0)):
        _line_lip(build, line, up, grid[MOUTH_ROW, slit])
    loops = {side: _rim(build, index, patch, centres[side]) for side, patch in patches.items()}
    vertices = np.array(build.vertices)
    landmarks = _landmarks(grid, index, slit, lower) | _eye_landmarks(vertices, loops)
    parts, faces = [vertices], [tuple(map(int, face)) for face in build.faces]
    for side in (1, -1):
        _add(parts, faces, *_sphere(centres[side], 0.262, 20, 24))
    front = grid[MOUTH_ROW, slit[len(slit) // 2]]
    for rise, height in ((0.015, 0.1), (-0.015, -0.1)):
        at, quads = _denture(front / 10 + [0, 0.02, rise / 10], 0.032, height / 10)
        _add(parts, faces, at * 10, quads)
    return Foreign(np.concatenate(parts), tuple(faces), landmarks)


def _swell_lips(grid: Array, slit: Array) -> None:
    across = np.linspace(-1, 1, len(slit))
    for offset, bulge in enumerate((0.005, 0.04, 0.055, 0.045, 0.02, 0.006)):
        for row in {MOUTH_ROW + offset, MOUTH_ROW - offset}:
            grid[row, slit, 1] -= bulge * (1 - across**2)


def _bulge_eye(grid: Array, row: int, column: int) -> Array:
    """Lay the skin round an opening onto a ball; the ball's centre."""
    middle = grid[row : row + EYE_ROWS + 1, column : column + EYE_COLUMNS + 1].mean((0, 1))
    centre = middle - 0.215 * middle * [0.6, 1, 0] / np.hypot(0.6 * middle[0], middle[1])
    arm = grid - centre
    distance = np.linalg.norm(arm, axis=-1, keepdims=True)
    t = np.clip((1.75 - distance / BALL) / 0.6, 0, 1)
    near = t * t * (3 - 2 * t) * (arm[..., 1:2] < 0.15)
    grid += near * arm * ((BALL + 0.02) / np.maximum(distance, 1e-9) - 1)
    return centre


def _skin(build: _Build, index: Array, lower: Array, patches: Patches) -> None:
    """Quads of the grid without the eyes' patches, parted along the mouth, closed at the crown."""
    holes = {(r + i, c + j) for r, c in patches.values() for i in range(EYE_ROWS) for j in range(EYE_COLUMNS)}
    for r in range(ROWS - 1):
        above = lower if r + 1 == MOUTH_ROW else index[r + 1]
        for c in range(COLUMNS):
            d = (c + 1) % COLUMNS
            if (r, c) not in holes:
                build.faces.append((index[r, c], index[r, d], above[d], above[c]))
    crown = np.mean([build.vertices[i] for i in index[-1]], axis=0) + np.array([0, 0, 0.01])
    pole = build.add([crown])[0]
    build.faces += [(index[-1, c], index[-1, (c + 1) % COLUMNS], pole) for c in range(COLUMNS)]


def _line_lip(build: _Build, line: Array, up: float, seam: Array) -> None:
    """Three rows inwards from one side of the slit; they end in the open."""
    across = np.linspace(-1, 1, len(seam))
    share = np.sqrt(np.clip(1 - across**2, 0, 1))[:, None]
    before = line
    for depth, rise in ((0.05, 0.004), (0.11, 0.03), (0.17, 0.09)):
        inside = seam + share * np.array([0, depth, up * rise])
        row = np.concatenate([line[:1], build.add(inside[1:-1]), line[-1:]])
        build.band(before, row, turned=up > 0)
        before = row


def _rim(build: _Build, index: Array, patch: tuple[int, int], centre: Array) -> list[int]:
    """Two rows from the lid margin towards the ball; the margin's loop of ids."""
    row, column = patch
    r2, c2 = row + EYE_ROWS, column + EYE_COLUMNS
    loop = [index[row, c] for c in range(column, c2)] + [index[r, c2] for r in range(row, r2)]
    loop += [index[r2, c] for c in range(c2, column, -1)] + [index[r, column] for r in range(r2, row, -1)]
    margin = np.array([build.vertices[v] for v in loop])
    before = np.array(loop)
    for depth in (0.06, 0.14):
        inside = build.add(margin - depth * (margin - centre) + 0.5 * depth * np.array([0.0, BALL, 0.0]))
        build.band(np.append(before, before[0]), np.append(inside, inside[0]), turned=True)
        before = inside
    return loop


def _landmarks(grid: Array, index: Array, slit: Array, lower: Array) -> dict[str, int]:
    middle = COLUMNS // 2
    off_nose = np.abs(grid[:, middle, 2] + 0.1) > 0.15
    return {
        "nose_tip": int(index[np.argmin(grid[:, middle, 1] + 9 * off_nose), middle]),
        "chin": int(index[9, middle]),
        "mouth_corner.R": int(index[MOUTH_ROW, slit[0]]),
        "mouth_corner.L": int(index[MOUTH_ROW, slit[-1]]),
        "lip_upper_middle": int(index[MOUTH_ROW, middle]),
        "lip_lower_middle": int(lower[middle]),
    }


def _eye_landmarks(vertices: Array, loops: dict[int, list[int]]) -> dict[str, int]:
    marks = {}
    for side, name in ((1, "L"), (-1, "R")):
        loop, at = loops[side], vertices[loops[side]]
        marks[f"eye_inner.{name}"] = int(loop[np.argmin(side * at[:, 0])])
        marks[f"eye_outer.{name}"] = int(loop[np.argmax(side * at[:, 0])])
        marks[f"lid_upper_middle.{name}"] = int(loop[np.argmax(at[:, 2])])
        marks[f"lid_lower_middle.{name}"] = int(loop[np.argmin(at[:, 2])])
    return marks
