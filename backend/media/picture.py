"""Reading a still picture of any usual kind as upright 8-bit sRGB."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.protocol.errors import InputError, MissingExtraError
from blender_addon.protocol.tensorfile import Array, input_error

# Formats without interpreters or outside programs behind them.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "JPEG2000", "PPM", "TGA")
SMALLEST_SIDE = 32  # pixels; our choice: no face in less
KEPT_PIXELS = 50_000_000  # larger pictures are reduced to about this (our choice: every phone's is kept)
LARGEST_PIXELS = 170_000_000  # nothing larger is decoded (our choice, within Pillow's own limit)
_WHITE = 255
_OWN_PROBLEM = "Save it again as PNG or JPEG"


@dataclass(frozen=True)
class Picture:
    """A picture as a person sees it.

    Attributes:
        rgb: [H, W, 3] u8 sRGB, upright; transparent parts lie on white.
        alpha: [H, W] u8 opacity, or None where all is opaque.
        notes: what was done to it that a person may want to know, a line each.
    """

    rgb: Array
    alpha: Array | None
    notes: tuple[str, ...]


def read_picture(path: Path) -> Picture:
    """Read the picture at `path`: the first frame of an animation, the first page of many.

    Raises:
        InputError: the file is missing, no picture, damaged, too small or too large.
        MissingExtraError: Pillow is not installed.
    """
    pillow = _pillow()
    notes: list[str] = []
    with warnings.catch_warnings():  # Pillow warns of size and of odd metadata; both are dealt with here
        warnings.simplefilter("ignore")
        with _opened(pillow, path) as image:
            _check_size(path, *image.size)
            notes += _frames_note(image, _decode(path, image))
            stored, alpha = _split(_upright(image, notes))
            color = _srgb(path, stored, image.info.get("icc_profile"), notes)
    color, alpha = _reduced(color, alpha, notes)
    return _on_white(np.asarray(color), None if alpha is None else np.asarray(alpha), notes)


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageCms
        import PIL.ImageOps
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "reading pictures needs Pillow, which is not installed",
            "Install it with: pip install -e .[portrait]",
        ) from error
    return PIL


def _opened(pillow: Any, path: Path) -> Any:
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder", "Give a picture")
    try:
        if Path(path).stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)", "Save the picture again")
        return pillow.Image.open(path, formats=FORMATS)
    except pillow.Image.DecompressionBombError as error:
        raise _too_large(path, "") from error
    except pillow.UnidentifiedImageError as error:
        raise InputError(
            f"{path} is not a picture that can be read", "Give PNG, JPEG, WebP, AVIF, GIF, TIFF or BMP"
        ) from error
    except OSError as error:
        raise input_error(path, error) from error
    except Exception as error:  # a damaged header fails in as many ways as there are formats
        raise _damaged(path, error) from error


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > LARGEST_PIXELS:
        raise _too_large(path, f" ({width} x {height})")
    if min(width, height) < SMALLEST_SIDE:
        raise InputError(
            f"{path} has {width} x {height} pixels, too few for a face",
            f"Give at least {SMALLEST_SIDE} a side; 512 and more look good",
        )


def _too_large(path: Path, size: str) -> InputError:
    most = LARGEST_PIXELS // 1_000_000
    return InputError(f"{path} has more than {most} megapixels{size}", "Scale the picture down first")


def _damaged(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path} is a damaged picture ({reason})", _OWN_PROBLEM)


def _frames_note(image: Any, frames: int) -> list[str]:
    if frames == 1 or image.format == "MPO":  # a phone's JPEG holds previews beside the picture
        return []
    return [f"the first of {frames} {'pages' if image.format == 'TIFF' else 'frames'} is used"]


def _decode(path: Path, image: Any) -> int:
    """How many frames there are; the first is ready for use."""
    try:
        frames = int(getattr(image, "n_frames", 1))
        image.load()
        return frames
    except Exception as error:  # and so do damaged pixels
        raise _damaged(path, error) from error


def _upright(image: Any, notes: list[str]) -> Any:
    """`image` turned as its EXIF orientation says."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # damaged EXIF fails in many ways; the pixels are sound all the same
        notes.append(f"its EXIF data cannot be read ({type(error).__name__}): taken as upright")
        return image


def _split(image: Any) -> tuple[Any, Any]:
    """Colours of a plain mode, and the opacity or None."""
    if image.mode.startswith("I"):  # 16 bits of grey, whichever way they are stored
        values = np.clip(np.asarray(image, np.int64), 0, 65535)
        return _gray(np.round(values / 257.0).astype(np.uint8)), None
    if image.mode == "F":
        return _gray(np.round(np.clip(np.nan_to_num(np.asarray(image)), 0, 1) * 255).astype(np.uint8)), None
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        full = image.convert("RGBA")
        return full.convert("RGB"), full.getchannel("A")
    if image.mode in ("P", "1", "RGBX", "HSV", "YCbCr"):
        return image.convert("RGB"), None
    return image, None


def _gray(values: Array) -> Any:
    from PIL import Image

    return Image.fromarray(values)


def _srgb(path: Path, color: Any, profile: bytes | None, notes: list[str]) -> Any:
    """`color` (L, RGB, CMYK or LAB) in sRGB, by its own profile where it has a sound one."""
    from PIL import ImageCms

    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(color, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append("its colour profile does not fit: taken without one")
    try:
        return color.convert("RGB")
    except ValueError as error:
        raise InputError(f"{path} has colours of an unusual kind ({color.mode})", _OWN_PROBLEM) from error


def _reduced(color: Any, alpha: Any, notes: list[str]) -> tuple[Any, Any]:
    width, height = color.size
    if width * height <= KEPT_PIXELS:
        return color, alpha
    from PIL import Image

    scale = (KEPT_PIXELS / (width * height)) ** 0.5
    size = max(round(width * scale), SMALLEST_SIDE), max(round(height * scale), SMALLEST_SIDE)
    notes.append(f"reduced from {width} x {height} to {size[0]} x {size[1]} pixels")
    box = Image.Resampling.BOX
    return color.resize(size, box), None if alpha is None else alpha.resize(size, box)


def _on_white(rgb: Array, alpha: Array | None, notes: list[str]) -> Picture:
    if alpha is None or alpha.min() == 255:
        return Picture(np.ascontiguousarray(rgb), None, tuple(notes))
    notes.append("its transparent parts are shown on white")
    mixed = np.empty_like(rgb)
    for row in range(len(rgb)):  # a large picture as floats would take gigabytes
        share = alpha[row, :, None] / np.float32(255)
        mixed[row] = np.round(rgb[row] * share + _WHITE * (1 - share))
    return Picture(mixed, np.ascontiguousarray(alpha), tuple(notes))
