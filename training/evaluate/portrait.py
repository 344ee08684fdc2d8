"""How well a head is fitted to a face: against known truth, drawn pictures, and landmarks left out.

    python -m training.evaluate.portrait [--faces 200] [--drawn 40] [PICTURE ...]

Pitch is held against the pose of mediapipe's canonical face model, which knows nothing of our head.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.load import load_head
from models.portrait.fitting import Basis, fit_landmarks, fit_portrait, yaw
from models.portrait.landmarks import LandmarkSource
from models.portrait.mediapipe_landmarks import bundled_landmarks
from models.portrait.solve import State

from .canonical_pose import canonical_turn, head_pitch
from .portrait_truth import PIXELS, Truth, drawn_face, known_face

_FACE = ("face", "nose", "nostrils", "eyelids", "upper_lip", "lower_lip")
_WEIGHTS = {
    "jawOpen": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
}
# What must hold of landmarks that stray by 1% of the eye distance.
VERTICES_LIMIT, ROTATION_LIMIT, WEIGHT_LIMIT = 0.40, 1.5, 0.08


@dataclass(frozen=True)
class Miss:
    """How far a fit is from the truth.

    Attributes:
        vertices, mean_face: millimetres over the face, of the fit and of the average head, after the best
            rigid motion and scale.
        turn: degrees between the faces in the picture, after the same motion; gaze: degrees.
        weights: by name, of `jawOpen`, `blink` and `smile`.
    """

    vertices: float
    mean_face: float
    turn: float
    gaze: float
    weights: dict[str, float]


def miss(basis: Basis, truth: Truth, state: State) -> Miss:
    """What `state` misses of `truth`."""
    rows = _face_rows(basis.head)
    true, found = truth.face.vertices[rows], basis.person(state.identity).vertices[rows]
    placed, turn = aligned(found, true)
    usual, _ = aligned(basis.head.vertices[rows], true)
    weights = {
        name: float(np.mean([abs(state.weights[i] - truth.weights[i]) for i in map(ARKIT_INDEX.get, shapes)]))
        for name, shapes in _WEIGHTS.items()
    }
    return Miss(
        float(np.linalg.norm(placed - true, axis=1).mean() * 1000),
        float(np.linalg.norm(usual - true, axis=1).mean() * 1000),
        _degrees(state.camera.rotation @ turn @ truth.camera.rotation.T),
        float(np.degrees(np.abs(state.gaze - truth.gaze)).mean()),
        weights,
    )


def aligned(points: Array, target: Array) -> tuple[Array, Array]:
    """`points` [n, 3] moved, turned and scaled onto `target`, and the turn [3, 3] back (Umeyama, 1991)."""
    one, other = points.astype(np.float64), target.astype(np.float64)
    one, middle = one - one.mean(0), other.mean(0)
    u, size, v = np.linalg.svd(one.T @ (other - middle))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    turn = (u * sign) @ v
    scale = (size * sign).sum() / (one**2).sum()
    return one @ turn * scale + middle, turn


def measured(basis: Basis, truths: Iterable[Truth]) -> list[Miss]:
    """Fits of `truths`, and what they miss."""
    return [
        miss(basis, truth, fit_landmarks(basis.model, truth.landmarks, (PIXELS, PIXELS))) for truth in truths
    ]


def row(name: str, misses: Sequence[Miss]) -> str:
    """One line of the table."""
    fit, usual = (np.mean([getattr(m, key) for m in misses]) for key in ("vertices", "mean_face"))
    turns = [m.turn for m in misses]
    weights = "".join(f"{np.mean([m.weights[key] for m in misses]):9.3f}" for key in _WEIGHTS)
    return (
        f"{name:<22}{len(misses):6}{fit:8.2f}{usual:10.2f}{fit / usual:8.0%}"
        f"{np.mean(turns):10.2f}{np.percentile(turns, 95):7.2f}{weights}"
        f"{np.mean([m.gaze for m in misses]):7.2f}"
    )


_HEADER = (
    f"{'':<22}{'faces':>6}{'fit mm':>8}{'mean face':>10}{'share':>8}{'turn deg':>10}{'95%':>7}"
    f"{'jawOpen':>9}{'blink':>9}{'smile':>9}{'gaze':>7}"
)


def _drawn(head: FaceFile, source: LandmarkSource, count: int) -> Iterable[Truth]:
    for seed in range(count):
        truth = drawn_face(head, 7000 + seed, source)
        if truth is not None:
            yield truth


def _face_rows(head: FaceFile) -> Array:
    names = [head.region_names.index(name) for name in _FACE]
    return np.flatnonzero(np.isin(head.region, names))


def _degrees(turn: Array) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


def _picture_line(path: Path, source: LandmarkSource) -> str:
    from PIL import Image

    fit = fit_portrait(np.asarray(Image.open(path).convert("RGB")), source)
    usual_yaw, usual_pitch = canonical_turn(fit.landmarks, fit.size)
    return (
        f"{path.name[:34]:<36}{fit.error:8.2%}{yaw(fit.camera):8.1f}{usual_yaw:8.1f}"
        f"{head_pitch(fit.camera):8.1f}{usual_pitch:8.1f}"
    )


@click.command()
@click.option("--faces", default=200, help="Random faces in each set of known landmarks.")
@click.option("--drawn", default=40, help="Random faces that are drawn and detected.")
@click.argument("pictures", nargs=-1, type=click.Path(path_type=Path))
def main(faces: int, drawn: int, pictures: tuple[Path, ...]) -> None:
    """Print the tables of docs/portraits.md."""
    head = load_head()
    basis = Basis.of(head)
    click.echo(_HEADER)
    for name, outside in (("in the basis", False), ("out of the basis", True)):
        truths = (known_face(head, 5000 + seed, outside) for seed in range(faces))
        click.echo(row(name, measured(basis, truths)))
    weight = f"{WEIGHT_LIMIT:9.3f}"
    click.echo(f"{'limit':<22}{VERTICES_LIMIT:32.0%}{ROTATION_LIMIT:10.2f}{'':7}{3 * weight}")
    source = bundled_landmarks()
    if drawn:
        click.echo(row("drawn and detected", measured(basis, _drawn(head, source, drawn))))
    if pictures:
        click.echo(f"\n{'':<36}{'held out':>8}{'yaw':>8}{'usual':>8}{'pitch':>8}{'usual':>8}")
    for path in pictures:
        click.echo(_picture_line(path, source))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
