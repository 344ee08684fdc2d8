"""A talking picture without a network: the portrait itself, moved by the exact motion of the fitted head.

What the picture hides stays a smooth continuation of what it shows, so that the head cannot be turned far:
`PortraitRenderer.yaw_limit`.
"""

from __future__ import annotations

import threading

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.portrait.fit import PortraitFit
from models.portrait.points import landmark_points

from .align import aligned
from .field import MotionField, Scratch
from .inside import Inside
from .matting import MatteSource, SelfieMatte, widened
from .motion import FrameMotion
from .motion_limits import YAW, limited
from .paste import Box, Ends, cut, head_box, resized, seam
from .prepare import Layers, make_reference, make_sheet, moving, trust_of
from .projected import TextureProjector
from .regions import in_regions
from .warp import coded, composed, painted

FINE_SIDE = 512  # pixels of the portrait that crops are sampled from at least, so that small ones stay sharp
_SMALL_CROP = 200  # pixels of the crop in the picture below which the result is soft (our choice)
_COVERED = 0.5
_HEAD = ("face", "scalp", "nose", "ears", "eyelids")


class PortraitRenderer:
    """Renders one portrait. Any number of threads may call `frame` and `crop` at once.

    Attributes:
        box: the crop's place in the picture.
        yaw_limit: degrees from the portrait's own pose.
    """

    yaw_limit = YAW

    def __init__(
        self,
        picture: Array,
        fit: PortraitFit,
        size: int = FINE_SIDE,
        *,
        matting: MatteSource | None = None,
        alpha: Array | None = None,
    ) -> None:
        """Prepare `picture` [H, W, 3] u8 sRGB with its `fit` for crops of `size` pixels a side.

        What is opaque in `alpha` [H, W] u8 is the person, if the picture has one; otherwise `matting` says.

        Raises:
            InputError: the picture is not that of the fit, or the size cannot be drawn.
            MissingExtraError: mediapipe is not installed, and neither `matting` nor `alpha` is given.
        """
        _check(picture, fit, size)
        self._picture, self._size = picture, size
        height, width = picture.shape[:2]
        head = fit.face.vertices[in_regions(fit.face, *_HEAD)]
        self.box = head_box(fit.camera.project(head), width, height)
        fine = resized(cut(picture, self.box), size * max(-(-FINE_SIDE // size), 1))
        camera = fit.camera.cropped(self.box.left, self.box.top, size / self.box.side)
        face = aligned(fit, landmark_points(fit.face))
        self._reference = make_reference(fit, face, camera, resized(fine, size))
        sheet = make_sheet(self._reference, Ends.of(self.box, width, height, size))
        self._field = MotionField(self._reference, trust_of(self._reference), sheet)
        if alpha is None:
            matte = (SelfieMatte() if matting is None else matting).matte(fine)
        else:
            matte = resized(cut(alpha, self.box), len(fine)).astype(np.float32) / 255
        drawn = (self._reference.raster.triangle >= 0).astype(np.float32)
        self._layers = Layers.of(fine, widened(matte, resized(drawn, len(fine)) > _COVERED), size)
        self._inside = Inside(self._reference, _in_crop(fit.landmarks, self.box, size))
        reach = moving(sheet, self._layers.person[..., 3])
        border = seam(Ends.of(self.box, width, height, self.box.side))
        self._seam = (border * resized(reach, self.box.side))[..., None]
        self._local = threading.local()
        self._held = False
        self._notes = (*_notes(self.box), *self._inside.notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know: about the portrait, and about frames drawn so far."""
        held = f"the head was asked to turn farther than one picture can show: held back near {YAW:g} degrees"
        return (*self._notes, held) if self._held else self._notes

    def frame(self, motion: FrameMotion) -> Array:
        """The whole picture [H, W, 3] u8 sRGB, exactly the input outside the crop."""
        return self.pasted(self.crop(motion))

    def pasted(self, crop: Array) -> Array:
        """The whole picture [H, W, 3] u8 with a `crop` in it."""
        result = self._picture.copy()
        rows, columns, crop_rows, crop_columns = self.box.inside(*self._picture.shape[1::-1])
        crop = resized(crop, self.box.side)[crop_rows, crop_columns].astype(np.float32)
        before = result[rows, columns].astype(np.float32)
        mixed = before + self._seam[crop_rows, crop_columns] * (crop - before)
        result[rows, columns] = (mixed + 0.5).astype(np.uint8)
        return result

    def crop(self, motion: FrameMotion) -> Array:
        """The crop [size, size, 3] u8 sRGB."""
        motion, held = limited(motion)
        self._held = self._held or held
        scratch = self._scratch()
        driven = self._field.fill(motion, scratch)
        layers = self._layers
        composed(layers.person, layers.still, layers.plate, layers.empty, scratch.flow, scratch.image)
        for overlay in self._inside.draw(driven):
            painted(scratch.image, overlay.left, overlay.top, overlay.color, overlay.coverage)
        return coded(scratch.image)

    def projector(self, canonical: FaceFile) -> TextureProjector:
        """What projects this portrait's motion, in the colours of `canonical`'s rest mesh."""
        return TextureProjector(self._reference, self._field, self._layers, canonical)

    def _scratch(self) -> Scratch:
        """This thread's buffers."""
        if not hasattr(self._local, "scratch"):
            self._local.scratch = Scratch.of(self._size)
        scratch: Scratch = self._local.scratch
        return scratch


def _check(picture: Array, fit: PortraitFit, size: int) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(f"a portrait is [H, W, 3] of 8 bits, not {picture.shape} {picture.dtype}")
    height, width = picture.shape[:2]
    if (width, height) != tuple(fit.size):
        raise InputError(
            f"the fit is of a picture of {fit.size[0]} x {fit.size[1]} pixels, not {width} x {height}",
            "Fit the portrait again",
        )
    if size % 64 or not 64 <= size <= 2048:
        raise InputError(f"a crop cannot have {size} pixels a side", "Choose 256 or 512")


def _in_crop(landmarks: Array, box: Box, side: int) -> Array:
    """Landmarks [478, 3] of the picture in pixels of a crop drawn with `side` pixels."""
    scale = side / box.side
    result: Array = (landmarks - np.array([box.left, box.top, 0])) * scale
    return result


def _notes(box: Box) -> tuple[str, ...]:
    if box.side < _SMALL_CROP:
        return (f"the face is small: it and what is round it have {box.side} pixels, the result is soft",)
    return ()
