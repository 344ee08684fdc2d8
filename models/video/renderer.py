"""A talking picture without a network: the portrait itself, moved by the exact motion of the fitted head."""

from __future__ import annotations

import threading

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.portrait.fit import PortraitFit
from models.portrait.points import landmark_points

from .align import aligned
from .field import MotionField, Scratch
from .matting import MatteSource, SelfieMatte, widened
from .motion import FrameMotion
from .motion_limits import YAW, limited
from .paste import Box, Ends, cut, head_box, resized, seam
from .prepare import Layers, make_reference, make_sheet, trust_of
from .regions import in_regions
from .warp import coded, composed

WORK_SIDE = 512  # pixels at which a crop is drawn at least; smaller crops are averaged from it
_SMALL_FACE = 96  # pixels of the head below which the result is soft


class PortraitRenderer:
    """Renders one portrait. Any number of threads may call `frame` and `crop` at once."""

    yaw_limit = YAW  # degrees from the portrait's own pose

    def __init__(
        self, picture: Array, fit: PortraitFit, size: int = WORK_SIDE, matting: MatteSource | None = None
    ) -> None:
        """Prepare `picture` [H, W, 3] u8 sRGB with its `fit` for crops of `size` pixels a side."""
        _check(picture, fit, size)
        self._picture, self._size = picture, size
        height, width = picture.shape[:2]
        face = aligned(fit, landmark_points(fit.face))
        self.box = head_box(_head_points(fit), width, height)
        side = size * max(-(-WORK_SIDE // size), 1)
        crop = resized(cut(picture, self.box), side)
        camera = fit.camera.cropped(self.box.left, self.box.top, side / self.box.side)
        self._reference = make_reference(fit, face, camera, crop)
        trust = trust_of(self._reference)
        self._field = MotionField(
            self._reference, trust, make_sheet(self._reference, Ends.of(self.box, width, height, side))
        )
        matte = (SelfieMatte() if matting is None else matting).matte(crop)
        self._layers = Layers.of(crop, widened(matte, self._reference.raster.triangle >= 0))
        self._seam = seam(Ends.of(self.box, width, height, self.box.side))[..., None]
        self._local = threading.local()
        self._held = False
        self._notes = _notes(fit, self.box)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know: about the portrait, and about frames drawn so far."""
        held = f"The head was asked to turn farther than one picture shows: held back near {YAW:g} degrees"
        return (*self._notes, held) if self._held else self._notes

    def frame(self, motion: FrameMotion) -> Array:
        """The whole picture [H, W, 3] u8 sRGB, exactly the input outside the crop."""
        return self.pasted(self.crop(motion))

    def pasted(self, crop: Array) -> Array:
        """The whole picture [H, W, 3] u8 sRGB with a `crop` [size, size, 3] in it."""
        result = self._picture.copy()
        rows, columns, from_rows, from_columns = self.box.inside(*self._picture.shape[1::-1])
        crop = resized(crop, self.box.side)[from_rows, from_columns]
        share = self._seam[from_rows, from_columns]
        before = result[rows, columns].astype(np.float32)
        result[rows, columns] = np.clip(before + share * (crop - before) + 0.5, 0, 255).astype(np.uint8)
        return result

    def crop(self, motion: FrameMotion) -> Array:
        """The crop [size, size, 3] u8 sRGB."""
        motion, held = limited(motion)
        self._held = self._held or held
        scratch = self._scratch()
        driven = self._field.fill(motion, scratch)
        composed(self._layers.person, self._layers.plate, self._layers.empty, scratch.flow, scratch.image)
        out = np.empty((self._size, self._size, 3), np.uint8)
        coded(scratch.image, out)
        return out

    def _scratch(self) -> Scratch:
        if not hasattr(self._local, "scratch"):
            self._local.scratch = Scratch.of(self._layers.empty.shape[0])
        scratch: Scratch = self._local.scratch
        return scratch


def _check(picture: Array, fit: PortraitFit, size: int) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(f"a portrait is [H, W, 3] of 8 bits, not {picture.shape} {picture.dtype}")
    if picture.shape[1::-1] != tuple(fit.size):
        raise InputError(
            f"the fit is of a picture of {fit.size[0]} x {fit.size[1]} pixels, not {picture.shape[1]} x {picture.shape[0]}",
            "Fit the portrait again",
        )
    if size % 64 or not 64 <= size <= 2048:
        raise InputError(f"a crop cannot have {size} pixels a side", "Choose 256 or 512")


def _head_points(fit: PortraitFit) -> Array:
    head = in_regions(fit.face, "face", "scalp", "nose", "ears", "eyelids")
    points: Array = fit.camera.project(fit.face.vertices[head])
    return points


def _notes(fit: PortraitFit, box: Box) -> tuple[str, ...]:
    if box.side < _SMALL_FACE * 2:
        return (f"The face is small ({box.side} pixels with its surroundings): the result is soft",)
    return ()
