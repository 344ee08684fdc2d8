"""Sheets of the built-in head by the preview renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_contact
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face import Deformer
from models.face.identity import sample_identity, with_identity
from models.render import Camera, PreviewRenderer

_WIDEST = 1600  # pixels
_QUALITY = 88  # of JPEG: close-ups of skin stay clean
MOUTH = Camera(target=(0.0, -0.08, -0.066), span=0.082, yaw=-24.0, pitch=0.0)
_FACE = Camera(target=(0.0, -0.03, -0.022), span=0.245, yaw=-12.0, pitch=2.0)
_TIGHT = Camera(target=(0.0, -0.04, -0.025), span=0.185, yaw=-14.0, pitch=1.0)


@dataclass(frozen=True)
class Viseme:
    """A mouth as one sound gives it: weights by shape, contact of p/b/m and of f/v."""

    name: str
    weights: Mapping[str, float]
    contact: tuple[float, float] = (0.0, 0.0)


# Chosen by eye. Those with contact are as a tracker gives them: lips near each other, not touching.
VISEMES = (
    Viseme("p b m", {"jawOpen": 0.10, "mouthPress": 0.15, "mouthRollLower": 0.1, "mouthClose": 0.05}, (1, 0)),
    Viseme("m + jaw", {"jawOpen": 0.32, "mouthClose": 0.12, "mouthFunnel": 0.1}, (1, 0)),
    Viseme("b + smile", {"jawOpen": 0.10, "mouthSmile": 0.5, "mouthStretch": 0.2}, (1, 0)),
    Viseme("f v", {"jawOpen": 0.10, "mouthRollLower": 0.25, "mouthUpperUp": 0.25}, (0, 1)),
    Viseme("v + jaw", {"jawOpen": 0.25, "mouthLowerDown": 0.1, "mouthUpperUp": 0.2}, (0, 1)),
    Viseme("th", {"jawOpen": 0.18, "tongueOut": 0.25, "mouthLowerDown": 0.15}),
    Viseme("t d n", {"jawOpen": 0.14, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1}),
    Viseme("s z", {"jawOpen": 0.05, "mouthStretch": 0.35, "mouthLowerDown": 0.3, "mouthUpperUp": 0.15}),
    Viseme("sh ch", {"jawOpen": 0.08, "mouthFunnel": 0.6, "mouthPucker": 0.2}),
    Viseme("aa", {"jawOpen": 0.55, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1}),
    Viseme("ee", {"jawOpen": 0.12, "mouthSmile": 0.45, "mouthStretch": 0.3, "mouthLowerDown": 0.25}),
    Viseme("oo", {"jawOpen": 0.12, "mouthPucker": 0.75, "mouthFunnel": 0.25}),
)


def weights_of(values: Mapping[str, float]) -> Array:
    """[52] f32; a name without a side stands for both."""
    weights = np.zeros(len(ARKIT_INDEX), np.float32)
    for name, value in values.items():
        for full in (name, f"{name}Left", f"{name}Right"):
            if full in ARKIT_INDEX:
                weights[ARKIT_INDEX[full]] = value
    return weights


def portraits(out: Path, face: FaceFile) -> None:
    """Front, three-quarter and side."""
    cameras = [Camera(span=0.33, yaw=yaw) for yaw in (-6.0, -42.0, -88.0)]
    still = weights_of({})
    save(out, np.concatenate([PreviewRenderer(face, (520, 520), c).frame(still) for c in cameras], axis=1))


def shapes(out: Path, face: FaceFile) -> None:
    """Rest and each of the 52 shapes at 1, named."""
    renderer = PreviewRenderer(face, (240, 240), _TIGHT)
    names = ("rest", *ARKIT_NAMES)
    labelled(out, [renderer.frame(weights_of({name: 1.0})) for name in names], names, 9)


def identities(out: Path, face: FaceFile) -> None:
    """Sixteen random people, numbered by their seed."""
    people = [with_identity(face, sample_identity(face, seed)) for seed in range(16)]
    still = weights_of({})
    frames = [PreviewRenderer(person, (300, 300), _FACE).frame(still) for person in people]
    save(out, np.concatenate([np.concatenate(frames[i : i + 4], axis=1) for i in range(0, 16, 4)]))


def visemes(out: Path, face: FaceFile) -> None:
    """Each viseme in close-up: above as the weights give it, below with contact."""
    renderer, deformer = PreviewRenderer(face, (300, 240), MOUTH), Deformer(face)
    weights = np.stack([weights_of(viseme.weights) for viseme in VISEMES])
    contact = np.array([viseme.contact for viseme in VISEMES], np.float32)
    offsets = solve_contact(prepare_lips(face), weights, contact)  # [F, L, 3]
    pairs = []
    for row, offset in zip(weights, offsets, strict=True):
        vertices = deformer(row)
        solved = vertices.copy()
        solved[face.lip_index] += offset
        pairs.append(np.concatenate([renderer.draw(vertices), renderer.draw(solved)]))
    labelled(out, pairs, [viseme.name for viseme in VISEMES], 6)


def mouths(
    out: Path, face: FaceFile, weights: Array, frames: Mapping[str, int], ways: Mapping[str, Array]
) -> None:
    """Close-ups of named `frames` of `weights` [F, 52], each with every way's lip coefficients [F, K]."""
    renderer = PreviewRenderer(face, (480, 384), MOUTH)
    pictures = {
        f"{sound}, {way}": renderer.frame(weights[frame], lip=coefficients[frame])
        for sound, frame in frames.items()
        for way, coefficients in ways.items()
    }
    labelled(out, list(pictures.values()), list(pictures), len(ways))


def labelled(out: Path, frames: Sequence[Array], names: Sequence[str], columns: int) -> None:
    """Pictures in a grid, each under its name."""
    height, width = frames[0].shape[:2]
    rows = -(-len(frames) // columns)
    cell = _WIDEST / columns
    picture = cell * height / width
    figure, axes = plt.subplots(rows, columns, figsize=(16, rows * (picture + 20) / 100), dpi=100)
    for axis in axes.flat:
        axis.axis("off")
    for axis, frame, name in zip(axes.flat, frames, names, strict=False):
        axis.imshow(frame, aspect="auto", interpolation="antialiased")
        axis.set_title(name, fontsize=8, pad=3)
    figure.subplots_adjust(0, 0, 1, 1 - 20 / (rows * (picture + 20)), 0.01, 20 / picture)
    figure.canvas.draw()
    save(out, np.asarray(figure.canvas.buffer_rgba())[..., :3])
    plt.close(figure)


def save(out: Path, image: Array) -> None:
    """Write `image` [H, W, 3] u8 as a JPEG."""
    Image.fromarray(np.ascontiguousarray(image)).save(out, quality=_QUALITY, subsampling=0, optimize=True)
