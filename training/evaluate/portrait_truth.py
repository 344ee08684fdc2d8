"""Pictures of faces of which everything is known: random people, expressions, poses, cameras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import deform, rotation
from models.face.identity import sample_identity, with_identity
from models.portrait.landmarks import LandmarkSource
from models.portrait.point_model import look_weights
from models.portrait.points import MeshPoints, landmark_points
from models.portrait.priors import EYE_DISTANCE
from models.render import PreviewRenderer
from models.render.camera import Camera, Pinhole

PIXELS = 512
YAW, PITCH, ROLL = 35.0, 20.0, 15.0  # degrees, greatest
LANDMARK_NOISE = 0.01  # of the inter-ocular distance, root mean square of the distance
_DISTANCE, _FOCAL = (0.5, 1.6), (1.0, 2.2)  # metres; sides of the picture
_AWRY = 0.05  # spread of the difference between the sides of an expression
# How often a random face has an expression and how strongly at most.
_EXPRESSIONS = (
    ("mouthSmile", 0.5, 0.9),
    ("jawOpen", 0.5, 0.7),
    ("eyeBlink", 0.4, 1.0),
    ("browDown", 0.4, 0.6),
    ("browInnerUp", 0.3, 0.7),
    ("browOuterUp", 0.2, 0.6),
    ("eyeSquint", 0.3, 0.6),
    ("eyeWide", 0.15, 0.6),
    ("mouthPucker", 0.15, 0.6),
    ("mouthFrown", 0.15, 0.6),
    ("mouthUpperUp", 0.15, 0.5),
    ("mouthLowerDown", 0.2, 0.5),
)
_GAZE = np.radians(10.0)
# Warps out of the basis: wavelengths in metres, waves, root mean square displacement in metres, and the share
# of it that differs between the sides.
_WAVES, _LENGTHS, _WARP, _UNEVEN = 12, (0.10, 0.30), 0.0018, 0.25


@dataclass(frozen=True)
class Truth:
    """A face of which everything is known.

    Attributes:
        face: the neutral head.
        vertices: [V, 3] with its expression, in the head's rest frame.
        landmarks: [478, 2] pixels, with noise.
    """

    face: FaceFile
    weights: Array
    gaze: Array
    vertices: Array
    camera: Pinhole
    landmarks: Array


def known_face(head: FaceFile, seed: int, outside: bool) -> Truth:
    """A random face: a person of `head`'s identity fields, warped out of them if `outside`."""
    random = np.random.default_rng(seed)
    person = with_identity(head, sample_identity(head, random))
    weights, gaze = random_expression(random)
    whole = (weights + look_weights(gaze)).astype(np.float32)
    vertices = deform(person, whole)
    if outside:
        warp = _warp(random)
        person, vertices = replace(person, vertices=warp(person.vertices)), warp(vertices)
    camera = _camera(random)
    return Truth(
        person, weights, gaze, vertices, camera, _landmarks(landmark_points(head), vertices, camera, random)
    )


def drawn_face(head: FaceFile, seed: int, source: LandmarkSource) -> Truth | None:
    """A random person, drawn, with the landmarks that `source` finds; None where it finds none."""
    random = np.random.default_rng(seed)
    person = with_identity(head, sample_identity(head, random))
    weights, gaze = random_expression(random)
    vertices = deform(person, (weights + look_weights(gaze)).astype(np.float32))
    turn, distance = random.uniform(-1, 1, 2) * (YAW, PITCH), random.uniform(*_DISTANCE)
    camera = Camera(yaw=turn[0], pitch=turn[1], distance=distance)
    faces = source.detect(PreviewRenderer(person, (PIXELS, PIXELS), camera).draw(vertices))
    if not faces:
        return None
    return Truth(person, weights, gaze, vertices, pinhole(camera, PIXELS), faces[0].landmarks)


def _landmarks(points: MeshPoints, vertices: Array, camera: Pinhole, random: np.random.Generator) -> Array:
    places = camera.project(points.of(vertices))[:, :2].astype(np.float64)
    eyes = camera.focal / camera.translation[2] * EYE_DISTANCE
    return np.asarray(places + random.normal(0, LANDMARK_NOISE * eyes / np.sqrt(2), places.shape))


def random_expression(random: np.random.Generator) -> tuple[Array, Array]:
    weights = np.zeros(len(ARKIT_NAMES))
    for start, often, most in _EXPRESSIONS:
        if random.random() < often:
            amount = random.uniform(0.05, most)
            for name in (start, start + "Left", start + "Right"):
                if name in ARKIT_INDEX:
                    awry = 0.0 if name == start else random.normal(0, _AWRY)
                    weights[ARKIT_INDEX[name]] = np.clip(amount + awry, 0, 1)
    return weights, np.tile(random.uniform(-_GAZE, _GAZE, 2), 2)


def _camera(random: np.random.Generator) -> Pinhole:
    yaw, pitch, roll = np.radians([random.uniform(-most, most) for most in (YAW, PITCH, ROLL)])
    ahead = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    turns = [rotation(np.eye(3)[axis] * angle) for axis, angle in ((2, roll), (0, pitch), (1, yaw))]
    distance, focal = random.uniform(*_DISTANCE), PIXELS * random.uniform(*_FOCAL)
    place = np.array([*random.uniform(-0.03, 0.03, 2), distance])
    return Pinhole(turns[0] @ turns[1] @ turns[2] @ ahead, place, focal, (PIXELS / 2, PIXELS / 2))


def pinhole(camera: Camera, pixels: int) -> Pinhole:
    """`camera` of a square picture as the camera of a given picture."""
    axes = camera.axes()
    focal = pixels * camera.distance / camera.span
    return Pinhole(axes, -axes @ camera.position(), focal, (pixels / 2, pixels / 2))


def _warp(random: np.random.Generator) -> Callable[[Array], Array]:
    """A smooth displacement of space [n, 3] -> [n, 3], mostly alike on both sides."""
    wave = random.normal(size=(_WAVES, 3))
    wave *= (2 * np.pi / random.uniform(*_LENGTHS, _WAVES) / np.linalg.norm(wave, axis=1))[:, None]
    phase, size = random.uniform(0, 2 * np.pi, _WAVES), random.normal(size=(_WAVES, 3))

    def moved(points: Array) -> Array:
        there = np.cos(points @ wave.T + phase) @ size
        here = np.cos((points * (-1, 1, 1)) @ wave.T + phase) @ size * (-1, 1, 1)
        field = (there + here) / 2 + _UNEVEN * (there - here) / 2
        return np.asarray(points + field * scale, np.float32)

    scale = 1.0
    grid = random.uniform((-0.07, -0.11, -0.1), (0.07, 0.0, 0.07), (500, 3))
    scale = _WARP / float(np.sqrt(((moved(grid) - grid) ** 2).sum(1).mean()))
    return moved
