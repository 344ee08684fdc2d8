"""A clip's motion on a portrait that smiles with open lips, on the mesh."""

from __future__ import annotations

import numpy as np
import pytest

from blender_addon.protocol.arkit import sided_indices
from blender_addon.protocol.clip import ClipInfo, MotionClip, expression_clip
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.face import load_head
from models.face.deform import Deformer
from models.portrait.fit import PortraitFit
from models.portrait.points import landmark_points
from models.render import Pinhole
from models.video.align import aligned
from models.video.driving import Driving

SIDE = 600


def _smiling() -> PortraitFit:
    """Our head, seen from 1.2 m in front, its landmarks one pixel off at random."""
    face, own = load_head(), np.zeros(52, np.float32)
    own[sided_indices("mouthSmile", "mouthUpperUp", "mouthLowerDown")] = 0.4
    own[sided_indices("jawOpen")] = 0.15
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera = Pinhole(rotation, np.array([0, 0, 1.2]), 2 * SIDE, (SIDE / 2, SIDE / 2))
    seen = landmark_points(face).of(camera.project(Deformer(face)(own)))
    seen = seen + np.random.default_rng(0).normal(0, 1, seen.shape)
    identity = np.zeros(len(face.identity_names), np.float32)
    light = np.eye(9, 3)
    return PortraitFit(face, identity, own, np.zeros(4), camera, light, seen, (SIDE, SIDE), 0.0)


def _clip(weights: Array, contact: Array) -> MotionClip:
    return expression_clip(ClipInfo(fps=25.0), weights.astype(np.float32), contact.astype(np.float32))


@pytest.fixture(scope="module")
def fit() -> PortraitFit:
    return _smiling()


def _gaps(fit: PortraitFit, clip: MotionClip) -> Array:
    """[F] metres: the mean height between the lip lines, without their corners."""
    driving = Driving(fit, clip)
    face = aligned(fit, landmark_points(fit.face))
    deformer, rings = Deformer(face), face.rings
    upper, lower = rings["lip_upper"][3:-3], rings["lip_lower"][3:-3]
    posed = [deformer(motion.weights, motion.lip) for motion in (driving[n] for n in range(len(driving)))]
    return np.array([(mesh[upper, 2] - mesh[lower, 2]).mean() for mesh in posed])


def test_an_open_smile_closes_on_p_and_opens_again(fit: PortraitFit) -> None:
    touching = np.zeros((30, 2))
    touching[10:15, 0] = 1.0
    gaps = _gaps(fit, _clip(np.zeros((30, 52)), touching))
    assert gaps[0] > 0.004
    assert np.abs(gaps[10:15]).max() < 0.0008
    assert gaps[-1] == pytest.approx(gaps[0], abs=1e-5)


def test_silence_is_the_portrait(fit: PortraitFit) -> None:
    motion = Driving(fit, _clip(np.zeros((3, 52)), np.zeros((3, 2))))[1]
    assert np.allclose(motion.weights, fit.weights, atol=1e-6)
    assert np.abs(motion.lip).max() < 1e-5
    assert np.abs(motion.pose).max() == 0.0


def test_a_clip_of_the_portrait_itself_is_taken_as_it_is(fit: PortraitFit) -> None:
    weights = np.random.default_rng(0).uniform(0, 0.5, (4, 52))
    driving = Driving(fit, _clip(weights, np.zeros((4, 2))), relative=False)
    assert np.allclose(driving[2].weights, weights[2])
    with pytest.raises(InputError, match="Give 0 to 3"):
        driving[4]


def test_alignment_halves_the_distance_to_landmarks(fit: PortraitFit) -> None:
    points = landmark_points(fit.face)
    moved = fit.landmarks + np.array([6.0, -4.0, 0.0])  # as if the fit were off
    off = PortraitFit(**(vars(fit) | {"landmarks": moved}))
    seen = points.of(off.camera.project(Deformer(aligned(off, points))(off.weights)))
    front = np.linalg.norm((seen - moved)[:468, :2], axis=1)
    assert np.median(front) < 0.35 * np.hypot(6, 4)


def test_moved_lids_still_meet(fit: PortraitFit) -> None:
    face = aligned(fit, landmark_points(fit.face))
    weights = fit.weights.copy()
    weights[sided_indices("eyeBlink")] = 1.0
    mesh = Deformer(face)(weights)
    for side in "LR":
        apart = mesh[face.rings[f"lid_upper.{side}"]] - mesh[face.rings[f"lid_lower.{side}"]]
        assert np.linalg.norm(apart, axis=1).max() < 0.0003
