"""How well a head is fitted to a face: against known truth, drawn pictures, and landmarks left out.

    python -m training.evaluate.portrait [--faces 200] [PICTURE ...]
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.identity import with_identity
from models.portrait.fitting import fit_landmarks, person_model
from models.portrait.point_model import PointModel
from models.portrait.solve import State

from .portrait_truth import PIXELS, Truth, known_face

_FACE = ("face", "nose", "nostrils", "eyelids", "upper_lip", "lower_lip")
LIMITS = {"vertices": 0.40, "rotation": 1.5, "jawOpen": 0.08, "blink": 0.08, "smile": 0.08}
_WEIGHTS = {
    "jawOpen": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
}


@dataclass(frozen=True)
class Misses:
    """How far fits are from the truth.

    Attributes:
        vertices, mean_face: [n] millimetres over the face, of the fit and of the average head, after the best
            rigid motion and scale.
        rotation, gaze: [n] degrees; weights: name -> [n].
    """

    vertices: Array
    mean_face: Array
    rotation: Array
    gaze: Array
    weights: dict[str, Array]
