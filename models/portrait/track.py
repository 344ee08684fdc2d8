"""What is known of a person in a video."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.render.camera import Pinhole


@dataclass(frozen=True)
class FaceTrack:
    """A head fitted to every picture of a video.

    Frame f of F is shown from `times[f]` on. Where `confidence` is 0 no face was found (or it was another
    person's): motion there is interpolated.

    Attributes:
        face: the person's neutral head, shared by all frames; its texture is that of the basis.
        identity: [I] standard deviations of the basis that `face` was made from.
        times: [F] f64 seconds.
        weights: [F, 52] f32 expression, 0-1, with `eyeLook*` that say the same as `gaze`.
        lip: [F, K] f32 coefficients of `face.lip_basis`: what the lips do and the weights do not say.
        contact: [F] f32 how far the lips touch, 0-1.
        pose: [F, 6] f32 rotation vector (radians) and translation (metres) about the face's pivot, relative
            to `camera`, as a clip's.
        gaze: [F, 4] f32 as a clip's, radians.
        camera: the picture's camera with the head's mean pose: `face` posed by `pose[f]` (all of it, as the
            head bone takes it) and seen by it lies on picture f.
        confidence: [F] f32, 0-1: how well the head explains the landmarks of the frame.
        landmarks: [F, 478, 3] f32 pixels as detected, NaN where no face was found. May be a file on disk.
        size: width and height of the pictures, pixels.
        cuts: first frames after the picture changed at once.
        notes: what a user should know, one line each.
    """

    face: FaceFile
    identity: Array
    times: Array
    weights: Array
    lip: Array
    contact: Array
    pose: Array
    gaze: Array
    camera: Pinhole
    confidence: Array
    landmarks: Array
    size: tuple[int, int]
    cuts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """Number of frames F."""
        return len(self.times)

    @property
    def seen(self) -> Array:
        """[F] bool: where the person was found."""
        return np.asarray(self.confidence > 0)

    def camera_at(self, frame: int) -> Pinhole:
        """The camera that sees the head at rest as picture `frame` shows it."""
        return posed_camera(self.camera, self.face.pivot, self.pose[frame])


def posed_camera(camera: Pinhole, pivot: tuple[float, float, float], pose: Array) -> Pinhole:
    """The camera for which the head at rest is where `camera` sees it in `pose` [6] about `pivot`."""
    turn = Rotation.from_rotvec(np.asarray(pose[:3], np.float64)).as_matrix()
    point = np.array(pivot)
    moved = point + np.asarray(pose[3:], np.float64) - turn @ point
    return replace(
        camera,
        rotation=camera.rotation @ turn,
        translation=camera.translation + camera.rotation @ moved,
    )


def relative_pose(camera: Pinhole, pivot: tuple[float, float, float], posed: Pinhole) -> Array:
    """The pose [6] f64 that turns `camera` into `posed`: the reverse of `posed_camera`."""
    turn = camera.rotation.T @ posed.rotation
    point = np.array(pivot)
    moved = camera.rotation.T @ (posed.translation - camera.translation)
    return np.concatenate([Rotation.from_matrix(turn).as_rotvec(), moved - point + turn @ point])
