"""The preview: repeatable, complete, and moving where the weights say."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError, OutputError
from blender_addon.protocol.face import FaceFile
from models.face import Deformer, load_head
from models.render import Camera, PreviewRenderer, write_png
from models.render.cavity import CavityLight
from models.render.occlusion import blur
from models.render.shade import TEXEL_STEP
from models.render.texture import reduced, texels

SIZE = 192


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


@pytest.fixture(scope="module")
def renderer(head: FaceFile) -> PreviewRenderer:
    return PreviewRenderer(head, (SIZE, SIZE))


def weights(**named: float) -> np.ndarray:
    result = np.zeros(52, np.float32)
    for name, value in named.items():
        result[ARKIT_INDEX[name]] = value
    return result


def row_of(head: FaceFile, landmark: str) -> int:
    point = head.vertices[head.landmarks[landmark]][None]
    return int(Camera().project(point, SIZE, SIZE)[0, 1])


def test_picture_is_repeatable_and_shows_a_lit_head(renderer: PreviewRenderer, head: FaceFile) -> None:
    first = renderer.frame(weights())
    renderer.frame(weights(jawOpen=1), np.array([0.1, 0.2, 0.0, 0, 0, 0]))
    again = renderer.frame(weights())
    assert first.shape == (SIZE, SIZE, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, PreviewRenderer(head, (SIZE, SIZE)).frame(weights()))
    cheek = first[row_of(head, "nose_tip"), SIZE // 3 : SIZE // 2].astype(int)
    assert (cheek[:, 0] > cheek[:, 2] + 15).all()  # skin is warm
    assert 90 < cheek[:, 0].mean() < 250
    assert 40 < first[4, 4].mean() < 160


def test_open_mouth_changes_only_the_lower_face(renderer: PreviewRenderer, head: FaceFile) -> None:
    rest, opened = renderer.frame(weights()), renderer.frame(weights(jawOpen=0.5))
    changed = np.abs(rest.astype(int) - opened).max(2) > 8
    assert changed[row_of(head, "lip_upper_middle") :].sum() > 100
    assert not changed[: row_of(head, "eye_centre.L")].any()


def test_blink_changes_only_the_eyes_rows(renderer: PreviewRenderer, head: FaceFile) -> None:
    rest = renderer.frame(weights())
    shut = renderer.frame(weights(eyeBlinkLeft=1, eyeBlinkRight=1))
    changed = np.abs(rest.astype(int) - shut).max(2) > 12
    rows = np.flatnonzero(changed.any(1))
    assert changed.sum() > 30
    assert rows.min() > row_of(head, "glabella") - SIZE // 20
    assert rows.max() < row_of(head, "nose_tip")


def test_no_tooth_shows_between_closed_lips(head: FaceFile) -> None:
    """Seen close up, every pixel of the closed lips belongs to skin: nothing behind shines through."""
    camera = Camera(target=(0.0, -0.09, -0.063), span=0.06, yaw=0.0, pitch=0.0)
    renderer = PreviewRenderer(head, (400, 400), camera)
    materials = [head.material_names.index(name) for name in ("teeth", "gums", "tongue")]
    deformer = Deformer(head)
    for pose in (
        weights(),
        weights(jawOpen=0.4, mouthClose=0.4),
        weights(mouthPressLeft=1, mouthPressRight=1),
    ):
        seen = renderer.materials_seen(deformer(pose))
        assert np.isin(seen, materials).sum() == 0


def test_pose_moves_the_head_in_the_picture(renderer: PreviewRenderer, head: FaceFile) -> None:
    rest = renderer.frame(weights()).astype(int)
    turned = renderer.frame(weights(), np.array([0, 0, 0.3, 0, 0, 0])).astype(int)
    moved = np.abs(turned - rest).max(2) > 12
    assert moved.mean() > 0.03
    deformer, roll = Deformer(head), np.array([0, 0, 0.3, 0, 0, 0])
    outline = renderer.materials_seen(deformer(weights()))[-6:] >= 0
    tilted = renderer.materials_seen(deformer(weights(), pose=roll))[-6:] >= 0
    assert (outline != tilted).sum() <= 12  # the collar at the picture's lower edge stays


def test_other_sizes_and_bad_sizes(head: FaceFile) -> None:
    assert PreviewRenderer(head, (96, 160)).frame(weights()).shape == (160, 96, 3)
    with pytest.raises(InputError, match="pixels"):
        PreviewRenderer(head, (0, 160))


def test_less_light_enters_a_narrower_mouth(head: FaceFile) -> None:
    cavity, deformer = CavityLight(head), Deformer(head)
    tongue = head.region == head.region_names.index("tongue")
    skin = head.region == head.region_names.index("face")
    light = [cavity(deformer(weights(jawOpen=amount))) for amount in (0.0, 0.3, 1.0)]
    assert light[0][tongue].mean() < light[1][tongue].mean() < light[2][tongue].mean() <= 1
    assert all((each[skin] == 1).all() for each in light)
    turned = cavity(deformer(weights(jawOpen=1.0), pose=np.array([0.2, 0.1, 0.4, 0, 0, 0])))
    np.testing.assert_allclose(turned[tongue], light[2][tongue], atol=0.02)


def test_texture_is_seen_where_the_uv_say(head: FaceFile) -> None:
    """A texture that codes its own coordinates: a pixel of the forehead tells where it was sampled."""
    size = 256
    u, v = np.meshgrid((np.arange(size) + 0.5) / size, 1 - (np.arange(size) + 0.5) / size)
    coded = np.stack([u, v, 0 * u + 0.5], 2)
    srgb = np.where(coded <= 0.0031308, coded * 12.92, 1.055 * coded ** (1 / 2.4) - 0.055)
    face = replace(head, textures={"albedo": np.round(srgb * 255).astype(np.uint8)})
    renderer = PreviewRenderer(face, (SIZE, SIZE), Camera(yaw=0.0, pitch=0.0))
    picture = renderer.frame(weights())
    linear = np.where(picture <= 10, picture / 255 / 12.92, ((picture / 255 + 0.055) / 1.055) ** 2.4)
    vertex = head.landmarks["forehead"]
    x, y, _ = Camera(yaw=0.0, pitch=0.0).project(head.vertices[vertex][None], SIZE, SIZE)[0]
    polygon, corner = np.argwhere(head.polygons == vertex)[0]
    red, _, blue = linear[round(float(y)), round(float(x))]
    assert red / blue * 0.5 == pytest.approx(head.uv[polygon, corner, 0], abs=0.12)
    left, right = (SIZE // 2 + offset for offset in (SIZE // 12, -SIZE // 12))
    row = row_of(head, "forehead")
    assert linear[row, left, 0] > linear[row, right, 0]  # u rises toward the subject's left


def test_texture_is_kept_in_fewer_texels_for_small_pictures() -> None:
    random = np.random.default_rng(2)
    texture = random.random((64, 64, 4)).astype(np.float32)
    half = reduced(texture, 2.0)
    np.testing.assert_allclose(half, texture.reshape(32, 2, 32, 2, 4).mean((1, 3)), rtol=1e-6)
    assert reduced(texture, 1.0) is texture
    held = (texels(texture).astype(float) * TEXEL_STEP) ** 2
    assert np.abs(held - texture).max() < 0.012


def test_a_face_without_textures_shows_its_vertex_colours(head: FaceFile) -> None:
    plain = replace(head, textures={}, color=np.tile(np.float32([0.1, 0.6, 0.1]), (len(head.color), 1)))
    picture = PreviewRenderer(plain, (SIZE, SIZE)).frame(weights()).astype(int)
    cheek = picture[row_of(head, "nose_tip"), SIZE // 3 : SIZE // 2]
    assert (cheek[:, 1] > cheek[:, 0] + 30).all()


def test_blur_keeps_the_mean_and_constants() -> None:
    image = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    np.testing.assert_allclose(blur(np.full((9, 7), 3.0, np.float32), 2.0), 3.0, rtol=1e-5)
    inner = blur(np.pad(image, 20), 2.0)
    assert inner.sum() == pytest.approx(image.sum(), rel=1e-3)
    assert inner.std() < image.std()


def test_png_decodes_to_the_same_pixels(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    image = np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    write_png(path, image)
    with av.open(str(path)) as file:
        decoded = next(file.decode(video=0)).to_ndarray(format="rgb24")
    np.testing.assert_array_equal(decoded, image)
    data = path.read_bytes()
    assert zlib.crc32(data[12:29]) == int.from_bytes(data[29:33], "big")
    with pytest.raises(OutputError):
        write_png(tmp_path / "missing" / "picture.png", image)
