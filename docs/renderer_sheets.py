"""Pictures of docs/video.md, section Renderer: `python docs/renderer_sheets.py docs/images`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from backend.demo import DEMO_VOICE
from backend.devices import load_motion_models
from backend.faces import talking_face
from backend.pipeline import AnimateRequest, animate
from blender_addon.protocol.arkit import sided_indices
from blender_addon.protocol.clip import ClipInfo, MotionClip, expression_clip
from blender_addon.protocol.tensorfile import Array
from models.face import load_head
from models.portrait.fit import PortraitFit
from models.portrait.fitting import fit_portrait
from models.video.driving import Driving
from models.video.motion import FrameMotion
from models.video.renderer import PortraitRenderer

_CELL = 208  # pixels
_SHOTS: tuple[tuple[str, dict[str, float], tuple[float, float, float], float], ...] = (
    ("rest", {}, (0, 0, 0), 0),
    ("p b m", {"jawOpen": 0.12, "mouthClose": 0.12, "mouthPress": 0.5}, (0, 0, 0), 0),
    ("open", {"jawOpen": 0.5}, (0, 0, 0), 0),
    ("wide", {"jawOpen": 0.15, "mouthStretch": 0.6, "mouthLowerDown": 0.3}, (0, 0, 0), 0),
    ("rounded", {"jawOpen": 0.15, "mouthPucker": 0.8}, (0, 0, 0), 0),
    ("f v", {"jawOpen": 0.12, "mouthRollLower": 0.45, "mouthUpperUp": 0.25}, (0, 0, 0), 0),
    ("blink", {"eyeBlink": 1.0}, (0, 0, 0), 0),
    ("gaze 20", {}, (0, 0, 0), 20),
    ("yaw 12", {}, (0, 0, 12), 0),
    ("yaw -12", {}, (0, 0, -12), 0),
    ("yaw 25", {}, (0, 0, 25), 0),
    ("yaw -25", {}, (0, 0, -25), 0),
    ("pitch 10", {}, (10, 0, 0), 0),
    ("pitch -10", {}, (-10, 0, 0), 0),
    ("roll 8", {}, (0, 8, 0), 0),
    ("yaw 60, asked", {}, (0, 0, 60), 0),
)
_CONTACT = {"p b m": (1, 0), "f v": (0, 1)}
_FIRST, _FRAMES = 50, 24  # of the shipped line


def motions(renderer: PortraitRenderer, fit: PortraitFit) -> Array:
    """What the portrait does in each of the shots."""
    driving, cells = Driving(fit, _shots_clip()), []
    for row, (label, _, pose, gaze) in enumerate(_SHOTS):
        look = fit.gaze + np.radians([0, gaze, 0, gaze])
        frame = replace(driving[row], pose=np.radians([*pose, 0, 0, 0]), gaze=look)
        cells.append(_cell(renderer.crop(frame), label))
    return _rows(cells, 8)


def _shots_clip() -> MotionClip:
    weights = np.zeros((len(_SHOTS), 52), np.float32)
    contact = np.zeros((len(_SHOTS), 2), np.float32)
    for row, (label, named, _, _) in enumerate(_SHOTS):
        for name, value in named.items():
            weights[row, sided_indices(name)] = value
        contact[row] = _CONTACT.get(label, (0, 0))
    return expression_clip(ClipInfo(fps=25.0), weights, contact)


def speech(renderer: PortraitRenderer, fit: PortraitFit) -> Array:
    """Consecutive frames of the shipped line, the face alone."""
    request = AnimateRequest(DEMO_VOICE, face=talking_face(None))
    driving = Driving(fit, animate(request, load_motion_models("auto")))
    cells = []
    for frame in range(_FIRST, _FIRST + _FRAMES):
        crop = renderer.crop(driving[frame])
        face = crop[len(crop) // 4 : len(crop) * 3 // 4, len(crop) // 4 : len(crop) * 3 // 4]
        cells.append(_cell(face, str(frame)))
    return _rows(cells, 8)


def projected(renderer: PortraitRenderer, fit: PortraitFit) -> Array:
    """The projected textures of the portrait and of two driven frames, beside the frames."""
    projector, cells = renderer.projector(load_head()), []
    for yaw in (0.0, 12.0, -12.0):
        turn = np.radians([0, 0, yaw, 0, 0, 0])
        frame = FrameMotion(fit.weights, np.zeros(0), turn, np.zeros(0))
        cells.append(_cell(renderer.crop(frame), f"yaw {yaw:g}"))
        texture = projector.reference() if yaw == 0 else projector.driven(frame)
        cells.append(_cell((texture.texture * 255).astype(np.uint8), "projected"))
    return _rows(cells, 6)


def _cell(image: Array, label: str) -> Array:
    small = cv2.resize(image, (_CELL, _CELL), interpolation=cv2.INTER_AREA)
    cv2.putText(small, label, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(small, label, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return small


def _rows(cells: list[Array], columns: int) -> Array:
    rows = [np.hstack(cells[n : n + columns]) for n in range(0, len(cells), columns)]
    return np.vstack(rows)


def main(out: Path) -> None:
    """Draw all of them into `out`."""
    picture = data.astronaut()  # public domain
    fit = fit_portrait(picture)
    renderer = PortraitRenderer(picture, fit)
    for draw in (motions, speech, projected):
        path = out / f"renderer-{draw.__name__}.jpg"
        cv2.imwrite(str(path), draw(renderer, fit)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 78])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
