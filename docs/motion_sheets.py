"""Sheets of what the controls do: emotions, styles, and takes of one line that differ in their seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sheets

from backend.demo import DEMO_VOICE
from backend.devices import load_motion_models
from backend.faces import talking_face
from backend.media.audio import AudioSpan
from backend.pipeline import AnimateRequest, animate
from blender_addon.lips.region import LipRegion, prepare_lips
from blender_addon.lips.solve import solve_contact
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.controls import EMOTION_NAMES, STYLE_NAMES, ExpressionControls, MotionStyle
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.expression.layers import compose
from models.face import Deformer, load_head
from models.render import Camera, PreviewRenderer

_FACE = Camera(target=(0.0, -0.04, -0.03), span=0.17, yaw=-12.0, pitch=1.0)
_MOUTHS = (
    sheets.Viseme("rest", {}),
    sheets.Viseme("m", {"jawOpen": 0.1, "mouthClose": 0.1, "mouthPress": 0.22}, (1.0, 0.0)),
    *(viseme for viseme in sheets.VISEMES if viseme.name in ("f v", "s z", "aa", "oo")),
)
_INTENSITIES = (0.25, 0.5, 1.0)
_SEEDS = range(8)
_SPAN = AudioSpan(1.9, 5.2)  # "leisure to consider how much there might be prudently in his power to do"
_LOOKS = (0.7, 1.6, 2.6, 3.3, 4.2)  # seconds of the span


@dataclass(frozen=True)
class _Stage:
    """What draws the built-in head with its lips in contact."""

    face: FaceFile
    lips: LipRegion
    deformer: Deformer
    renderer: PreviewRenderer

    def pictures(self, weights: Array, contact: Array) -> list[Array]:
        """One picture for each row of weights [F, 52] and contact [F, 2]."""
        frames = []
        for row, offset in zip(weights, solve_contact(self.lips, weights, contact), strict=True):
            vertices = self.deformer(row).copy()
            vertices[self.face.lip_index] += offset
            frames.append(self.renderer.draw(vertices))
        return frames


def _stage(size: int) -> _Stage:
    face = load_head(None)
    return _Stage(face, prepare_lips(face), Deformer(face), PreviewRenderer(face, (size, size), _FACE))


def emotions(out: Path) -> None:
    """Six mouths in each emotion at three intensities."""
    stage = _stage(200)
    speech = np.stack([sheets.weights_of(mouth.weights) for mouth in _MOUTHS])
    contact = np.array([mouth.contact for mouth in _MOUTHS], np.float32)
    frames: list[Array] = []
    names: list[str] = []
    for emotion in EMOTION_NAMES:
        for intensity in _INTENSITIES:
            controls = ExpressionControls(asymmetry=0.0, emotions={emotion: ((0.0, intensity),)})
            frames += stage.pictures(compose(0, 25.0, speech, contact, controls, 0).weights, contact)
            names += [f"{emotion} {intensity:g}, {mouth.name}" for mouth in _MOUTHS]
    sheets.labelled(out, frames, names, len(_MOUTHS))


def styles(out: Path) -> None:
    """The widest, roundest and most spread moment of the shipped line at both ends of each slider."""
    face = load_head(None)
    stage = _Stage(face, prepare_lips(face), Deformer(face), PreviewRenderer(face, (220, 180), sheets.MOUTH))
    plain = _take(ExpressionControls(asymmetry=0.0), 0)
    shapes = ("jawOpen", "mouthPucker", "mouthStretchLeft")
    free = 1.0 - plain.contact.max(1)
    at = [int((plain.weights[:, ARKIT_INDEX[shape]] * free).argmax()) for shape in shapes]
    columns = [
        (f"{name} {value:+g}", MotionStyle(**{name: value})) for name in STYLE_NAMES for value in (-1, 1)
    ]
    rows = [(name, ExpressionControls(asymmetry=0.0, style=style)) for name, style in columns]
    rows += [(f"articulation {a:g}", ExpressionControls(a, asymmetry=0.0)) for a in (0.5, 1.5)]
    frames: list[Array] = []
    for _, controls in rows:
        clip = _take(controls, 0)
        frames += stage.pictures(clip.weights[at], clip.contact[at])
    names = [f"{name}, {shape.removesuffix('Left')}" for name, _ in rows for shape in shapes]
    sheets.labelled(out, frames, names, 2 * len(shapes))


def seeds(out: Path) -> None:
    """Brows, cheeks and lips of eight takes of one line, and frames of them."""
    stage = _stage(170)
    takes = [_take(ExpressionControls(), seed) for seed in _SEEDS]
    figure = plt.figure(figsize=(16, 20), layout="constrained")
    grid = figure.add_gridspec(len(takes) + 3, 1, height_ratios=[1.35] * len(takes) + [1.0] * 3)
    for row, take in enumerate(takes):
        axis = figure.add_subplot(grid[row])
        at = [round(moment * take.info.fps) for moment in _LOOKS]
        axis.imshow(np.concatenate(stage.pictures(take.weights[at], take.contact[at]), axis=1))
        axis.set_ylabel(f"seed {row}")
        axis.set_xticks([])
        axis.set_yticks([])
    curves = (("browInnerUp", "browOuterUpLeft"), ("browDownLeft", "cheekSquintLeft"), ("jawOpen",))
    for row, names in enumerate(curves):
        _curves(figure.add_subplot(grid[len(takes) + row]), takes, names)
    figure.savefig(out, dpi=70)
    plt.close(figure)


def _curves(axis: plt.Axes, takes: Sequence[MotionClip], names: Sequence[str]) -> None:
    """Shapes of all takes over time; closures in grey."""
    times = np.arange(takes[0].frames) / takes[0].info.fps
    closed = takes[0].contact[:, 0]
    axis.fill_between(times, 0, closed, color="0.85", lw=0, label="contact p/b/m")
    for name, style in zip(names, ("-", "--"), strict=False):
        for seed, take in enumerate(takes):
            label = name if seed == 0 else None
            axis.plot(times, take.weights[:, ARKIT_INDEX[name]], style, color=f"C{seed}", lw=1, label=label)
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper right", ncols=3)
    axis.margins(x=0)


def _take(controls: ExpressionControls, seed: int) -> MotionClip:
    request = AnimateRequest(DEMO_VOICE, span=_SPAN, seed=seed, controls=controls, face=talking_face(None))
    return animate(request, load_motion_models("auto", head=False))
