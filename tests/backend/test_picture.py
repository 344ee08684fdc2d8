"""Still pictures: whatever the file's kind, the same upright sRGB, or one clear line."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from backend.media import picture
from backend.media.picture import read_picture
from blender_addon.protocol.errors import InputError, MissingExtraError

SIZE = (48, 40)  # width, height


@pytest.fixture
def colors() -> np.ndarray:
    """A smooth picture whose corners differ, [40, 48, 3] u8."""
    x, y = np.meshgrid(np.linspace(0, 1, SIZE[0]), np.linspace(0, 1, SIZE[1]))
    return np.round(np.stack([30 + 200 * x, 20 + 210 * y, 120 + 60 * (x - y)], -1)).astype(np.uint8)


def saved(path: Path, image: Image.Image, **settings: Any) -> Path:
    image.save(path, **settings)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "tga"])
def test_lossless_kinds_come_back_exactly(tmp_path: Path, colors: np.ndarray, suffix: str) -> None:
    found = read_picture(saved(tmp_path / f"a.{suffix}", Image.fromarray(colors)))
    np.testing.assert_array_equal(found.rgb, colors)
    assert found.alpha is None
    assert found.notes == ()


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif"])
def test_lossy_kinds_come_back_nearly(tmp_path: Path, colors: np.ndarray, suffix: str) -> None:
    found = read_picture(saved(tmp_path / f"a.{suffix}", Image.fromarray(colors), quality=95))
    assert np.abs(found.rgb.astype(int) - colors).mean() < 3


# How a stored picture comes from the upright one, per EXIF orientation (Exif 2.32, tag 274).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_turns_the_picture_upright(tmp_path: Path, colors: np.ndarray, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](colors)))
    found = read_picture(saved(tmp_path / "a.jpg", stored, exif=exif, quality=98, subsampling=0))
    assert found.rgb.shape == colors.shape
    assert np.abs(found.rgb.astype(int) - colors).mean() < 3


def test_damaged_exif_is_a_note(tmp_path: Path, colors: np.ndarray) -> None:
    path = saved(
        tmp_path / "a.jpg", Image.fromarray(colors), exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff", quality=95
    )
    assert read_picture(path).rgb.shape == colors.shape


@pytest.mark.parametrize("bits", [8, 16])
def test_deep_pngs_keep_their_range(tmp_path: Path, bits: int) -> None:
    values = np.linspace(0, 2**bits - 1, 40 * 48).reshape(40, 48).astype(f"u{bits // 8}")
    expected = np.round(values / (2**bits - 1) * 255)
    cv2.imwrite(str(tmp_path / "gray.png"), values)
    cv2.imwrite(
        str(tmp_path / "rgb.png"), np.stack([values, values.T.reshape(40, 48), values[::-1]], -1)[..., ::-1]
    )
    gray, rgb = read_picture(tmp_path / "gray.png").rgb, read_picture(tmp_path / "rgb.png").rgb
    assert np.abs(gray - expected[..., None]).max() <= 1
    assert np.abs(rgb[..., 0] - expected).max() <= 1
    assert np.abs(rgb[..., 2] - expected[::-1]).max() <= 1


@pytest.mark.parametrize(
    ("ink", "color"),
    [
        ((0, 255, 255, 0), (255, 0, 0)),
        ((255, 255, 0, 0), (0, 0, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0,) * 4, (255,) * 3),
    ],
)
def test_cmyk_jpeg_is_not_inverted(tmp_path: Path, ink: tuple[int, ...], color: tuple[int, ...]) -> None:
    found = read_picture(saved(tmp_path / "a.jpg", Image.new("CMYK", SIZE, ink), quality=98))
    np.testing.assert_allclose(found.rgb.mean((0, 1)), color, atol=6)


def linear_profile() -> bytes:
    """An ICC profile (ICC.1:2010) with sRGB's primaries and a straight tone curve."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(78),
        b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249),
        b"rXYZ": b"XYZ \0\0\0\0" + fixed(0.4361, 0.2225, 0.0139),
        b"gXYZ": b"XYZ \0\0\0\0" + fixed(0.3851, 0.7169, 0.0971),
        b"bXYZ": b"XYZ \0\0\0\0" + fixed(0.1431, 0.0606, 0.7141),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, data, begin = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", begin + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = struct.pack(">I", begin + len(data)) + bytes(4) + bytes([2, 0x40, 0, 0]) + b"mntrRGB XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def test_a_colour_profile_is_applied(tmp_path: Path, colors: np.ndarray) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(colors), icc_profile=linear_profile())
    light = colors / 255.0
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(read_picture(path).rgb - expected).max() <= 2


@pytest.mark.parametrize("profile", [b"nonsense", linear_profile()[:200]])
def test_a_damaged_colour_profile_is_a_note(tmp_path: Path, colors: np.ndarray, profile: bytes) -> None:
    found = read_picture(saved(tmp_path / "a.png", Image.fromarray(colors), icc_profile=profile))
    np.testing.assert_array_equal(found.rgb, colors)
    assert "profile" in found.notes[0]


def test_a_palette_with_a_clear_colour(tmp_path: Path) -> None:
    image = Image.new("P", SIZE, 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(1, (0, 0, 24, 40))
    found = read_picture(saved(tmp_path / "a.png", image, transparency=0))
    assert tuple(found.rgb[5, 5]) == (200, 100, 50)
    assert tuple(found.rgb[5, 40]) == (255, 255, 255)
    assert found.alpha is not None
    assert found.alpha[5, 5] == 255
    assert found.alpha[5, 40] == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_lie_on_white(tmp_path: Path, mode: str) -> None:
    alpha = np.linspace(0, 255, SIZE[0]).round().astype(np.uint8)[None].repeat(SIZE[1], 0)
    image = Image.merge(mode, [*(Image.new("L", SIZE, 100) for _ in mode[:-1]), Image.fromarray(alpha)])
    found = read_picture(saved(tmp_path / "a.png", image))
    np.testing.assert_array_equal(found.alpha, alpha)
    np.testing.assert_allclose(found.rgb[..., 0], 255 + (100 - 255.0) * alpha / 255, atol=0.51)
    assert "white" in found.notes[0]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_the_first_of_many_frames(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", SIZE, color) for color in ("red", "lime", "blue")]
    path = saved(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:])
    found = read_picture(path)
    assert found.rgb[3, 3, 0] > 240
    assert found.rgb[3, 3, 1] < 20
    assert "first of 3" in found.notes[0]


def test_twenty_megapixels_stay_and_more_are_reduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = saved(tmp_path / "a.jpg", Image.linear_gradient("L").resize((5000, 4100)))
    assert read_picture(large).rgb.shape == (4100, 5000, 3)
    monkeypatch.setattr(picture, "KEPT_PIXELS", 10_000)
    small = read_picture(saved(tmp_path / "b.png", Image.linear_gradient("L").resize((400, 100))))
    assert small.rgb.shape == (50, 200, 3)
    assert "reduced from 400 x 100" in small.notes[0]
    np.testing.assert_allclose(small.rgb[:, 100, 0], np.linspace(0, 255, 50), atol=6)
    monkeypatch.setattr(picture, "LARGEST_PIXELS", 10_000)
    with pytest.raises(InputError, match="megapixels"):
        read_picture(tmp_path / "b.png")


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100)))]
    data = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    with pytest.raises(InputError, match="megapixels"):
        read_picture(tmp_path / "a.png")


def test_bad_files_get_one_line(
    tmp_path: Path, colors: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture at all, but it is long enough to look at")
    (tmp_path / "folder").mkdir()
    for name in ("small.png", "thin.jpg"):
        saved(tmp_path / name, Image.new("RGB", (8, 200)))
    for name in ("empty.png", "text.jpg", "folder", "small.png", "thin.jpg", "missing.png"):
        with pytest.raises(InputError) as caught:
            read_picture(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.hint
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "webp", "tif"])
def test_cut_and_scrambled_files_never_surprise(tmp_path: Path, colors: np.ndarray, kind: str) -> None:
    buffer = io.BytesIO()
    rng = np.random.default_rng(3)
    noise = Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8))
    noise.save(buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(kind, kind.upper()))
    whole = buffer.getvalue()
    path = tmp_path / f"a.{kind}"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=f"a.{kind}"):
        read_picture(path)
    for _ in range(40):
        damaged = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 400), 6):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        with suppress(InputError):
            assert read_picture(path).rgb.dtype == np.uint8


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match="portrait"):
        read_picture(tmp_path / "a.png")
