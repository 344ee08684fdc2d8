"""A clip's motion for a portrait: added to the face that the portrait makes, with lips that still close."""

from __future__ import annotations

import numpy as np

from blender_addon.lips.region import LipRegion, prepare_lips
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES, sided_indices
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.portrait.fit import PortraitFit
from models.portrait.points import landmark_points

from .align import aligned
from .motion import FrameMotion

_JAW, _CLOSE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
# Shapes of the portrait's own that part the lips: they give way where lips touch, and in part to a jaw that
# opens by itself, all of that part from `_SPEAKS` on. Shapes that give way to a rounded mouth. Our choice.
_PARTING = sided_indices("jawOpen", "mouthClose", "mouthUpperUp", "mouthLowerDown", "mouthFunnel")
_WIDE = sided_indices("mouthSmile", "mouthStretch", "mouthDimple")
_ROUND = sided_indices("mouthPucker", "mouthFunnel")
_GIVES_WAY, _SPEAKS = 0.6, 0.25
_BLINKS = sided_indices("eyeBlink")
_LOOKS = np.array([i for i, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook")])


class Driving:
    """A clip prepared for one portrait; `driving[frame]` is a frame's motion."""

    def __init__(
        self, fit: PortraitFit, clip: MotionClip, relative: bool = True, lips: LipRegion | None = None
    ) -> None:
        """`relative`: the portrait's own expression is the rest that the clip's motion is added to.

        Otherwise the clip is the portrait's own, as tracked from a video of it. `lips` are what
        `portrait_lips` prepares, for a portrait that is driven more than once.
        """
        self._clip, self._own_gaze = clip, fit.gaze if relative else np.zeros(4)
        self._weights, self._lip = clip.weights, clip.lip
        if relative:
            self._weights = added(fit.weights, clip.weights, clip.contact)
            self._lip = _lips(lips or portrait_lips(fit), fit.weights, self._weights, clip)

    def __len__(self) -> int:
        return self._clip.frames

    def __getitem__(self, frame: int) -> FrameMotion:
        if not 0 <= frame < self._clip.frames:
            raise InputError(f"the clip has no frame {frame}", f"Give 0 to {self._clip.frames - 1}")
        clip = self._clip
        return FrameMotion(
            self._weights[frame],
            self._lip[frame],
            clip.pose[frame] if len(clip.pose) else np.zeros(6),
            self._own_gaze + clip.gaze[frame] if len(clip.gaze) else np.zeros(0),
        )


def driven(fit: PortraitFit, clip: MotionClip, frame: int, relative: bool = True) -> FrameMotion:
    """The motion of one frame. For many frames keep a `Driving`."""
    return Driving(fit, clip, relative)[frame]


def added(own: Array, weights: Array, contact: Array) -> Array:
    """The portrait's `own` weights [52] and a clip's `weights` [F, 52] together, [F, 52] f32 0-1.

    What parts the portrait's lips gives way where the clip's `contact` [F, 2] wants them to touch, and in
    part where the clip opens the jaw; its smile gives way to a rounded mouth, half-closed lids to a blink.
    """
    rest = np.tile(own.astype(np.float32), (len(weights), 1))
    touching = np.clip(contact.max(1), 0, 1)[:, None]
    speaking = np.clip(weights[:, [_JAW]] / _SPEAKS, 0, 1)
    rest[:, _PARTING] *= (1 - touching) * (1 - _GIVES_WAY * speaking)
    rounded = np.clip(weights[:, _ROUND].sum(1), 0, 1)[:, None]
    rest[:, _WIDE] *= 1 - _GIVES_WAY * rounded
    result = rest + weights
    result[:, _BLINKS] = rest[:, _BLINKS] + (1 - rest[:, _BLINKS]) * weights[:, _BLINKS]
    result[:, _CLOSE] = np.minimum(result[:, _CLOSE], result[:, _JAW])
    return np.clip(result, 0, 1).astype(np.float32)


def portrait_lips(fit: PortraitFit) -> LipRegion | None:
    """The portrait's own lips, prepared in half a second; None for a face without a lip basis."""
    face = aligned(fit, landmark_points(fit.face))
    return prepare_lips(face) if len(face.lip_basis) else None


def _lips(lips: LipRegion | None, own: Array, weights: Array, clip: MotionClip) -> Array:
    """[F, K] coefficients that seal, bite and keep apart the portrait's own lips."""
    if lips is None:
        return np.zeros((len(weights), 0), np.float32)
    held = sticky_contact(clip.contact[:, 0], clip.info.fps).held
    solved = solve_coefficients(lips, weights, clip.contact, held)
    nothing = np.zeros((1, 2), np.float32)
    at_rest = solve_coefficients(lips, own[None].astype(np.float32), nothing, nothing[:, 0])
    result: Array = solved - (1 - np.clip(clip.contact.max(1, keepdims=True), 0, 1)) * at_rest
    return result.astype(np.float32)
