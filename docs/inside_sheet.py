"""Draw docs/images/inside.jpg: mouths and eyes of one portrait, and how long what is painted takes.

    python docs/inside_sheet.py [PICTURE] [-o OUT.jpg]

Without a picture: scikit-image's public-domain portrait of an astronaut (Eileen Collins, NASA).
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import cv2
import numpy as np

from backend.media.picture import read_picture
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.tensorfile import Array
from models.portrait.fit import PortraitFit
from models.portrait.fitting import fit_portrait
from models.video.motion import FrameMotion
from models.video.renderer import PortraitRenderer

_MOUTHS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.12},
    {"jawOpen": 0.35},
    {"jawOpen": 0.7},
    {"jawOpen": 0.3, "mouthFunnel": 0.6, "mouthSmile": -0.8},
    {"jawOpen": 0.5, "tongueOut": 1.0},
)
_BLINKS = (0.35, 0.65, 1.0)
_GAZES = ((0, 20), (0, -20), (18, 0))  # degrees up, to the subject's left
_TILE = (200, 150)
_PASSES = 60


def _row(fit: PortraitFit, named: dict[str, float]) -> Array:
    weights = fit.weights.copy()
    for name, value in named.items():
        for full in [name] if name in ARKIT_INDEX else [name + "Left", name + "Right"]:
            weights[ARKIT_INDEX[full]] += value
    return np.clip(weights, 0, 1).astype(np.float32)


def _motion(fit: PortraitFit, named: dict[str, float], gaze: tuple[float, float] = (0, 0)) -> FrameMotion:
    turned = fit.gaze + np.radians([*gaze, *gaze])
    return FrameMotion(_row(fit, named), np.zeros(0), np.zeros(6), turned)


def _tile(crop: Array, points: Array, span: float) -> Array:
    """The part of `crop` round screen points [n, 2], `span` times their width wide."""
    width = span * np.ptp(points[:, 0])
    size = np.array([width, width * _TILE[1] / _TILE[0]])
    left, top = (points.mean(0) - size / 2).astype(int)
    part = crop[max(top, 0) : top + int(size[1]), max(left, 0) : left + int(size[0])]
    return cv2.resize(part, _TILE, interpolation=cv2.INTER_CUBIC)


@click.command()
@click.argument("picture", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("docs/images/inside.jpg"))
def main(picture: Path | None, out: Path) -> None:
    """Draw the sheet."""
    if picture is None:
        from skimage import data

        pixels = data.astronaut()
    else:
        pixels = read_picture(picture).rgb
    fit = fit_portrait(pixels)
    renderer = PortraitRenderer(pixels, fit)
    scale = 512 / renderer.box.side
    marks = (fit.landmarks[:, :2] - [renderer.box.left, renderer.box.top]) * scale
    mouth, eyes = marks[[61, 291, 0, 17]], marks[[33, 133, 362, 263]]
    rows = [[_tile(renderer.crop(_motion(fit, named)), mouth, 1.9) for named in _MOUTHS]]
    blinks = [_tile(renderer.crop(_motion(fit, {"eyeBlink": b})), eyes, 1.25) for b in _BLINKS]
    gazes = [_tile(renderer.crop(_motion(fit, {}, g)), eyes, 1.25) for g in _GAZES]
    sheet = np.vstack([np.hstack(row) for row in (*rows, [*blinks, *gazes])])
    cv2.imwrite(str(out), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    click.echo(
        f"{out}: {_milliseconds(renderer, fit):.1f} ms of the processor to paint one frame at 512 pixels"
    )


def _milliseconds(renderer: PortraitRenderer, fit: PortraitFit) -> float:
    """Least time of this thread for the layers of a talking, half blinking frame."""
    from models.face.deform import Deformer
    from models.video.inside import Inside
    from models.video.view import Driven

    reference = renderer._reference
    inside: Inside = renderer._inside
    motion = _motion(fit, {"jawOpen": 0.3, "eyeBlink": 0.4})
    vertices = Deformer(reference.face)(motion.weights)
    driven = Driven(motion, vertices, reference.camera.project(vertices), reference.raster)
    taken = []
    for _ in range(_PASSES):
        start = time.thread_time()
        inside.draw(driven)
        taken.append(time.thread_time() - start)
    return 1000 * min(taken)


if __name__ == "__main__":
    main()
