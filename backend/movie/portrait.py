"""From a picture file, and perhaps its fit, to a scene that can be rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.media.audio import hash_file
from backend.media.picture import Picture, read_picture
from blender_addon.lips.region import LipRegion
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import read_face
from blender_addon.protocol.render import LONGEST
from blender_addon.protocol.tensorfile import Array
from models.portrait.fit import PortraitFit

from .keys import source_key
from .scene import Scene

RENDERERS = ("warp",)
OnPhase = Callable[[str], None]
"""Called with what comes next, in words; it may raise to stop."""


@dataclass(frozen=True)
class PortraitOrder:
    """A portrait to be opened.

    Attributes:
        picture: the picture file.
        fit: the face file that was made of it; None to fit it now.
        size: pixels of the crop's side.
        longest: pixels that the picture's longer side is reduced to; 0 for never.
        renderer: one of `RENDERERS`.
        choose: which face of several, the largest is 1; 0 takes the largest and says so.
    """

    picture: Path
    fit: Path | None = None
    size: int = 512
    longest: int = LONGEST
    renderer: str = "warp"
    choose: int = 0

    def __post_init__(self) -> None:
        if self.renderer not in RENDERERS:
            raise InputError(f"there is no renderer {self.renderer!r}", f"Choose from {', '.join(RENDERERS)}")
        if self.longest and self.longest < self.size:
            raise InputError(f"a movie of {self.longest} pixels is below its part of {self.size}")


@dataclass(frozen=True)
class Portrait:
    """A fitted portrait, what renders it, and its lips, prepared for all motion to come."""

    fit: PortraitFit
    scene: Scene
    lips: LipRegion | None = None


def open_portrait(order: PortraitOrder, on_phase: OnPhase = lambda _phase: None) -> Portrait:
    """Read, fit and prepare a portrait.

    Raises:
        InputError: it cannot be read, shows no face, or is not the picture of its fit.
        MissingExtraError: mediapipe or opencv is not installed.
    """
    from models.video.driving import portrait_lips
    from models.video.renderer import PortraitRenderer

    on_phase("Reading the portrait")
    picture = read_picture(order.picture)
    fit, notes = _fitted(order, picture.rgb, on_phase)
    rgb, fit, reduced = _reduced(picture.rgb, fit, order.longest)
    on_phase("Preparing the portrait")
    renderer = PortraitRenderer(rgb, fit, order.size, alpha=_alpha(picture, rgb))
    key = source_key(hash_file(order.picture), fit, order.renderer, order.size)
    box = renderer.box
    scene = Scene(
        key,
        renderer,
        order.size,
        rgb.shape[1],
        rgb.shape[0],
        (box.left, box.top, box.side, box.side),
        (*picture.notes, *notes, *reduced),
    )
    return Portrait(fit, scene, portrait_lips(fit))


def _fitted(order: PortraitOrder, rgb: Array, on_phase: OnPhase) -> tuple[PortraitFit, tuple[str, ...]]:
    if order.fit is not None:
        from models.portrait.record import fit_of

        fit = fit_of(read_face(order.fit))
        if fit.size != (rgb.shape[1], rgb.shape[0]):
            raise InputError(
                f"{order.fit} was made of a picture of {fit.size[0]} x {fit.size[1]} pixels, "
                f"{order.picture} has {rgb.shape[1]} x {rgb.shape[0]}",
                "Give the picture that the face was made of",
            )
        return fit, ()
    from models.portrait.fitting import fit_portrait

    on_phase("Fitting the head")
    try:
        fit = fit_portrait(rgb, choose=order.choose or None)
    except InputError as error:
        raise InputError(f"{order.picture}: {error.what}", error.hint) from error
    return fit, fit.notes


def _alpha(picture: Picture, rgb: Array) -> Array | None:
    """The picture's opacity [h, w] u8 at the size of `rgb` [h, w, 3]."""
    if picture.alpha is None:
        return None
    import cv2

    alpha: Array = cv2.resize(picture.alpha, rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
    return alpha


def _reduced(rgb: Array, fit: PortraitFit, longest: int) -> tuple[Array, PortraitFit, tuple[str, ...]]:
    """Picture and fit with the longer side at `longest` at most."""
    height, width = rgb.shape[:2]
    if not longest or max(width, height) <= longest:
        return rgb, fit, ()
    import cv2

    scale = longest / max(width, height)
    small = np.ascontiguousarray(
        cv2.resize(rgb, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    )
    note = f"reduced from {width} x {height} to {small.shape[1]} x {small.shape[0]} pixels"
    scaled = replace(
        fit,
        camera=fit.camera.cropped(0.0, 0.0, scale),
        landmarks=fit.landmarks * np.float32(scale),
        size=(small.shape[1], small.shape[0]),
    )
    return small, scaled, (note,)
