"""The portrait renderer, against the true driven renders of a head whose fit is known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.face import load_head
from models.face.deform import Deformer
from models.portrait.fit import PortraitFit
from models.portrait.light import harmonics
from models.portrait.points import landmark_points
from models.render import Camera, Pinhole, PreviewRenderer, Surface, surface_maps
from models.render.look import studio_lights
from models.video.motion import FrameMotion
from models.video.renderer import PortraitRenderer

SIDE = 360


class Truth:
    """Our head in the studio: its picture, its exact fit, and how it really looks when it moves."""

    def __init__(self) -> None:
        face, camera = load_head(), Camera(yaw=0.0, pitch=0.0, span=0.4)
        self._drawn = PreviewRenderer(face, (SIDE, SIDE), camera)
        self.picture = self.frame({})
        rotation = camera.axes()
        shift = np.array([0, 0, camera.distance]) - rotation @ np.array(camera.target)
        pinhole = Pinhole(rotation, shift, SIDE * camera.distance / camera.span, (SIDE / 2, SIDE / 2))
        seen = landmark_points(face).of(pinhole.project(Deformer(face)(np.zeros(52, np.float32))))
        identity = np.zeros(len(face.identity_names), np.float32)
        self.fit = PortraitFit(
            face, identity, np.zeros(52, np.float32), np.zeros(4), pinhole, _studio(), seen, (SIDE, SIDE), 0.0
        )

    def frame(self, weights: dict[str, float], yaw: float = 0.0) -> Array:
        return self._drawn.frame(_weights(weights), _turned(yaw))


def _studio() -> Array:
    """[9, 3] the studio's light, fitted to random directions."""
    lights = studio_lights()
    normals = np.random.default_rng(0).normal(size=(2000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    radiance = lights.ground + (lights.sky - lights.ground) * (0.5 + 0.5 * normals[:, 2:])
    for toward, color in zip(lights.toward, lights.color, strict=True):
        radiance = radiance + np.maximum(normals @ toward, 0)[:, None] * color
    result: Array = np.linalg.lstsq(harmonics(normals), radiance, rcond=None)[0]
    return result


def _weights(named: dict[str, float]) -> Array:
    weights = np.zeros(52, np.float32)
    for name, value in named.items():
        weights[ARKIT_INDEX[name]] = value
    return weights


def _turned(yaw: float) -> Array:
    return np.array([0, 0, np.radians(yaw), 0, 0, 0])


def _motion(weights: dict[str, float] | None = None, yaw: float = 0.0) -> FrameMotion:
    return FrameMotion(_weights(weights or {}), np.zeros(0), _turned(yaw), np.zeros(0))


def _psnr(one: Array, other: Array) -> float:
    from skimage.metrics import peak_signal_noise_ratio

    return float(peak_signal_noise_ratio(other, one, data_range=255))


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth()


@pytest.fixture(scope="module")
def renderer(truth: Truth) -> PortraitRenderer:
    return PortraitRenderer(truth.picture, truth.fit, 256)


def test_own_motion_gives_the_portrait(truth: Truth, renderer: PortraitRenderer) -> None:
    frame = renderer.frame(_motion())
    assert _psnr(frame, truth.picture) >= 38


def test_outside_the_crop_nothing_changes(truth: Truth, renderer: PortraitRenderer) -> None:
    wide = np.random.default_rng(1).integers(0, 255, (SIDE, 2 * SIDE, 3)).astype(np.uint8)
    wide[:, :SIDE] = truth.picture
    fit = PortraitFit(**(vars(truth.fit) | {"size": (2 * SIDE, SIDE)}))
    moved = PortraitRenderer(wide, fit, 256)
    frame = moved.frame(_motion({"jawOpen": 0.6}, yaw=10))
    rows, columns, _, _ = moved.box.inside(2 * SIDE, SIDE)
    outside = np.ones(frame.shape[:2], bool)
    outside[rows, columns] = False
    assert outside.sum() > SIDE * SIDE / 2
    assert np.array_equal(frame[outside], wide[outside])
    assert not np.array_equal(frame[rows, columns], wide[rows, columns])


@pytest.mark.parametrize(
    ("weights", "yaw", "gain"),
    [
        ({"mouthPucker": 0.8}, 0.0, 2.0),
        ({"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}, 0.0, 1.0),
        ({}, 12.0, 3.0),
    ],
)
def test_nearer_to_the_true_frame_than_the_portrait(
    truth: Truth, renderer: PortraitRenderer, weights: dict[str, float], yaw: float, gain: float
) -> None:
    """Decibels gained over not moving at all, where anything moves."""
    true = truth.frame(weights, yaw)
    changed = np.abs(true.astype(int) - truth.picture).max(2) > 8
    moved = _psnr(renderer.frame(_motion(weights, yaw))[changed], true[changed])
    assert moved > _psnr(truth.picture[changed], true[changed]) + gain


def test_a_cut_out_portrait_says_itself_what_moves(truth: Truth) -> None:
    """A ball beside the head stays as background, and moves along when it is cut out with the person."""
    y, x = np.mgrid[:SIDE, :SIDE]
    ball = np.hypot(x - 0.77 * SIDE, y - 0.3 * SIDE) < 0.04 * SIDE
    picture = np.where(ball[..., None], np.uint8(250), truth.picture)
    still, moving = (
        PortraitRenderer(picture, truth.fit, 256, alpha=alpha.astype(np.uint8) * 255)
        for alpha in (np.zeros_like(ball), ball)
    )
    turned = _motion(yaw=10.0)
    assert np.abs(still.frame(turned)[ball].astype(int) - 250).mean() < 8
    assert np.abs(moving.frame(turned)[ball].astype(int) - 250).mean() > 25


def test_small_motions_change_little(renderer: PortraitRenderer) -> None:
    """No decision flips: a hundredth of a frame's motion changes no pixel much."""
    base = {"jawOpen": 0.3, "eyeBlinkLeft": 0.5}
    one = renderer.crop(_motion(base, 8.0)).astype(int)
    other = renderer.crop(_motion(base | {"jawOpen": 0.301}, 8.02)).astype(int)
    assert np.abs(one - other).mean() < 0.2


def test_far_turns_are_held_back_and_said(truth: Truth) -> None:
    renderer = PortraitRenderer(truth.picture, truth.fit, 256)
    assert renderer.notes == ()
    far, farther = renderer.crop(_motion(yaw=60)), renderer.crop(_motion(yaw=90))
    assert np.abs(far.astype(int) - farther).mean() < 0.5
    assert any("held back" in note for note in renderer.notes)


@pytest.mark.parametrize(
    "motion",
    [
        _motion({"jawOpen": 1.0, "tongueOut": 1.0}, -60),
        FrameMotion(np.ones(52, np.float32), np.zeros(0), np.array([1.0, 1, 1, 0.3, 0.3, 0.3]), np.zeros(0)),
        FrameMotion(np.full(52, np.nan, np.float32), np.zeros(0), np.full(6, np.nan), np.zeros(0)),
        FrameMotion(np.zeros(52, np.float32), np.zeros(0), np.zeros(0), np.zeros(0)),
    ],
)
def test_extremes_give_a_picture(renderer: PortraitRenderer, motion: FrameMotion) -> None:
    crop = renderer.crop(motion)
    assert crop.shape == (256, 256, 3)
    assert crop.std() > 10


def test_projected_textures_are_the_surface_maps(truth: Truth, renderer: PortraitRenderer) -> None:
    """On the face the coordinates that `surface_maps` finds, elsewhere the portrait's own pixels."""
    motion = _motion({"jawOpen": 0.3, "mouthSmileLeft": 0.5}, yaw=9.0)
    texture = renderer.projector(truth.fit.face).driven(motion)
    side = len(texture.face)
    scale = side / renderer.box.side
    camera = truth.fit.camera.cropped(renderer.box.left, renderer.box.top, scale)
    face = truth.fit.face
    vertices = Deformer(face)(motion.weights, motion.lip, motion.pose)
    maps = surface_maps(Surface.of(face), vertices[None], camera.project(vertices)[None], (side, side))
    same = np.abs(maps.ncc[0] - texture.texture).max(2) < 0.02
    assert same[texture.face > 0].mean() > 0.93  # brows and lashes are drawn in the maps only
    assert 0.1 < texture.face.mean() < 0.4


def test_projected_textures_know_the_portrait_alone(truth: Truth) -> None:
    """A driven frame's face part does not depend on any background, and its background is the portrait's."""
    other = truth.picture.copy()
    other[:, : SIDE // 4] = 255 - other[:, : SIDE // 4]
    motion = _motion({"jawOpen": 0.3}, yaw=9.0)
    textures = []
    for picture in (truth.picture, other):
        renderer = PortraitRenderer(picture, truth.fit, 256)
        textures.append(renderer.projector(truth.fit.face).driven(motion))
    on_face = textures[0].face > 0
    assert np.array_equal(textures[0].face, textures[1].face)
    assert np.array_equal(textures[0].texture[on_face], textures[1].texture[on_face])


def test_threads_agree(renderer: PortraitRenderer) -> None:
    motions = [_motion({"jawOpen": 0.1 * n}, 2.0 * n) for n in range(4)]
    alone = [renderer.crop(motion) for motion in motions]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(renderer.crop, motions * 2))
    for number, crop in enumerate(together):
        assert np.array_equal(crop, alone[number % 4])


def test_a_fit_of_another_picture_is_refused(truth: Truth) -> None:
    with pytest.raises(InputError, match="Fit the portrait again"):
        PortraitRenderer(truth.picture[:-1], truth.fit)
    with pytest.raises(InputError, match="Choose 256 or 512"):
        PortraitRenderer(truth.picture, truth.fit, 100)
