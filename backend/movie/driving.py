"""A clip's frames as motion of a portrait's own head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from blender_addon.lips.region import LipRegion, prepare_lips
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.face import FaceFile
from models.portrait.fit import PortraitFit
from models.video.motion import FrameMotion


def motions_of(
    fit: PortraitFit, clip: MotionClip, frames: Iterable[int], relative: bool, lips: LipRegion | None = None
) -> Iterator[FrameMotion]:
    """Motion of the portrait's head at `frames` of `clip`; `lips` are the portrait's if they are prepared.

    Absolute motion of another face gets lips of the portrait's: coefficients mean nothing in another basis.
    """
    from models.video.driving import Driving

    if not relative and not _fits(clip, fit.face):
        clip = clip_with_lips(clip, fit.face)
    driving = Driving(fit, clip, relative, lips)
    return (driving[frame] for frame in frames)


def clip_with_lips(clip: MotionClip, face: FaceFile) -> MotionClip:
    """`clip` with lip coefficients solved on `face` from its weights and contact."""
    lip = np.zeros((clip.frames, 0), np.float32)
    if len(face.lip_basis):
        held = sticky_contact(clip.contact[:, 0], clip.info.fps).held
        lip = solve_coefficients(prepare_lips(face), clip.weights, clip.contact, held)
    return replace(clip, lip=lip, info=replace(clip.info, face_id=face.id))


def _fits(clip: MotionClip, face: FaceFile) -> bool:
    return clip.info.face_id == face.id and clip.lip.shape[1] == len(face.lip_basis)
