"""Fitting one head to every picture of a video.

    track = track_faces(frames, 25.0)           # or, with landmarks in a file that a killed run left:
    track = fit_sightings(Sightings(rows), (1280, 720))

Landmarks are found picture by picture. Then a few pictures in which the face differs most give the person
(`shared`); the person is held, and each picture gets its pose, expression and gaze, beginning at those of the
last one (`sequence`). What the lips do beyond the weights follows (`lip_residual`), and the detector's jitter
is taken out (`smoothing`), from cut to cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES, LIP_SHAPES, OTHER_SHAPES
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.load import load_head
from models.life.eyes import look_weights
from models.render.camera import Pinhole

from .fit import PortraitFit
from .fitting import held_out_error, person_model
from .landmarks import LandmarkSource
from .lip_residual import lip_contact, lip_offsets, sealed
from .mediapipe_landmarks import bundled_landmarks
from .sequence import FrameFits, fit_frames
from .shared import shared_person
from .sightings import Sightings, sight
from .skin import skin_light
from .smoothing import jitter, smoothed
from .solve import State
from .track import FaceTrack, relative_pose

_LEAST_SEEN = 0.5  # share of the pictures that must show a face
_STRANGER = 1.7  # times the usual miss from which a piece between cuts shows another person; our choice
_CANDIDATES = 600  # pictures of which those that tell most of the person are taken
_HEAD_REACH, _FACE_REACH = 3, 2  # frames to either side over which jitter is averaged; our choice
_GOOD, _POOR, _LEAST = 0.025, 0.09, 0.05  # eye distances of miss that are believed fully, hardly; how little
_SHOWN = 5  # cuts that a note lists
_TURNED = 0.2  # radians that count as a whole weight; our choice
_BLINKING, _OPEN = 4.0, 2.0  # whole weights that a blink and an open mouth count as; our choice
_BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
_LIDS = tuple(
    i for i in OTHER_SHAPES if ARKIT_NAMES[i].startswith(("eyeBlink", "eyeWide", "eyeSquint", "cheek"))
)
_BROWS = tuple(i for i in OTHER_SHAPES if ARKIT_NAMES[i].startswith(("brow", "nose")))


def track_faces(
    frames: Iterable[Array],
    fps: float,
    face: FaceFile | None = None,
    source: LandmarkSource | None = None,
) -> FaceTrack:
    """The person in a video of one face, frame by frame.

    Args:
        frames: [H, W, 3] u8 sRGB, upright, all of one size; one at a time is in memory.
        fps: frames per second.
        face: the head whose identity and shapes are fitted; the built-in head by default.
        source: what finds landmarks; mediapipe's bundled models by default.

    Raises:
        InputError: half of the pictures show no face.
        MissingExtraError: mediapipe is not installed.
    """
    size = (0, 0)

    def timed() -> Iterable[tuple[float, Array]]:
        nonlocal size
        for index, picture in enumerate(frames):
            size = (picture.shape[1], picture.shape[0])
            yield index / fps, picture

    rows = list(sight(timed(), bundled_landmarks() if source is None else source))
    return fit_sightings(Sightings(np.array(rows)), size, face)


def fit_sightings(
    sightings: Sightings,
    size: tuple[int, int],
    face: FaceFile | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> FaceTrack:
    """The person that `sightings` are of, frame by frame.

    Args:
        size: width and height of the pictures, pixels.
        face: as for `track_faces`.
        on_frame: called after each picture; may raise.

    Raises:
        InputError: half of the pictures show no face.
    """
    landmarks, found = sightings.landmarks, sightings.confidence > 0
    if found.mean() < _LEAST_SEEN:
        raise InputError(
            f"{found.mean():.0%} of the pictures show a face", "Give a video of one face, both eyes visible"
        )
    cuts = sightings.cuts()
    person = shared_person(load_head() if face is None else face, landmarks[_longest(found, cuts)], size)
    fits = fit_frames(person.model, person.camera, landmarks, cuts, on_frame)
    known = np.isfinite(fits.error) & ~_strangers(fits.error, cuts)
    lip = lip_offsets(person.face, person.model, fits, person.camera, landmarks)
    contact = lip_contact(fits, person.model, person.camera, landmarks)
    fits, lip, contact = (_filled(fits, known), _between(lip, known), _between(contact[:, None], known)[:, 0])
    camera = _mean_camera(person.camera, fits)
    pose = _poses(camera, person.face, fits)
    motion = _calmed(_Motion(pose, fits.weights, lip, fits.gaze), (*cuts, len(found)))
    weights = _whole_weights(motion.weights, motion.gaze)
    return FaceTrack(
        face=person.face,
        identity=person.identity,
        times=sightings.times,
        weights=weights,
        lip=sealed(person.face, weights, motion.lip, contact).astype(np.float32),
        contact=contact.astype(np.float32),
        pose=motion.pose.astype(np.float32),
        gaze=motion.gaze.astype(np.float32),
        camera=camera,
        confidence=_confidence(sightings.confidence, fits.error, known),
        landmarks=landmarks,
        size=size,
        cuts=cuts,
        notes=_notes(found, known, cuts, sightings.times),
    )


def portrait_of(track: FaceTrack, frame: int, picture: Array) -> PortraitFit:
    """What `track` knows of its picture [H, W, 3] u8 sRGB number `frame`, as if it were a portrait."""
    camera, weights = track.camera_at(frame), track.weights[frame]
    model = person_model(track.face)
    state = State(camera, np.zeros(0), weights - look_weights(track.gaze[[frame]])[0], track.gaze[frame])
    return PortraitFit(
        face=track.face,
        identity=track.identity,
        weights=weights,
        gaze=track.gaze[frame],
        camera=camera,
        light=skin_light(picture, track.face, weights, camera),
        landmarks=np.asarray(track.landmarks[frame]),
        size=track.size,
        error=held_out_error(model, state, track.landmarks[frame]),
        notes=track.notes,
    )


def clearest_frame(track: FaceTrack) -> int:
    """The picture that shows the person best: seen from the front, at rest, eyes open, mouth shut."""
    turned = np.linalg.norm(_from_front(track), axis=1) / _TURNED
    blinks = track.weights[:, [ARKIT_INDEX[name] for name in _BLINKS]].sum(1)
    acting = np.abs(track.weights).sum(1) + _BLINKING * blinks + _OPEN * (1.0 - track.contact)
    return int(np.where(track.seen, turned + acting, np.inf).argmin())


def _from_front(track: FaceTrack) -> Array:
    """[F, 2] radians by which the face looks past the camera, sideways and up."""
    toward = np.stack([track.camera_at(f).rotation @ (0.0, -1.0, 0.0) for f in range(track.frames)])
    return np.asarray(np.arctan2(toward[:, :2], -toward[:, 2:]))


@dataclass(frozen=True)
class _Motion:
    """pose [F, 6], weights [F, 52], lip [F, K], gaze [F, 4]."""

    pose: Array
    weights: Array
    lip: Array
    gaze: Array


def _longest(found: Array, cuts: tuple[int, ...]) -> Array:
    """Pictures with a face of the longest piece between cuts, evenly `_CANDIDATES` of them."""
    pieces = np.split(np.arange(len(found)), cuts)
    rows = max((piece[found[piece]] for piece in pieces), key=len)
    return np.asarray(rows[np.unique(np.linspace(0, len(rows) - 1, _CANDIDATES).round().astype(int))])


def _strangers(error: Array, cuts: tuple[int, ...]) -> Array:
    """[F] bool: pieces between cuts on which the person does not fit."""
    strange = np.zeros(len(error), bool)
    pieces = np.split(np.arange(len(error)), cuts)
    usual = min((float(np.nanmedian(error[p])) for p in pieces if np.isfinite(error[p]).any()), default=0.0)
    for piece in pieces:
        if np.isfinite(error[piece]).any() and np.nanmedian(error[piece]) > _STRANGER * usual:
            strange[piece] = True
    return strange


def _filled(fits: FrameFits, known: Array) -> FrameFits:
    """`fits` with pictures that are not known interpolated."""
    frames, rows = np.arange(len(known)), np.flatnonzero(known)
    if len(rows) > 1:
        turns = Slerp(rows, Rotation.from_matrix(fits.rotation[rows]))
        rotation = turns(np.clip(frames, rows[0], rows[-1])).as_matrix()
    else:
        rotation = np.repeat(fits.rotation[rows], len(known), axis=0)
    return FrameFits(
        rotation,
        _between(fits.translation, known),
        _between(fits.weights, known),
        _between(fits.gaze, known),
        fits.error,
    )


def _between(values: Array, known: Array) -> Array:
    """[F, C] with the rows that are not known interpolated between those that are."""
    frames, rows = np.arange(len(values)), np.flatnonzero(known)
    columns = [np.interp(frames, rows, column[rows]) for column in values.T]
    return np.stack(columns, 1) if columns else values


def _mean_camera(camera: Pinhole, fits: FrameFits) -> Pinhole:
    """The camera with the mean pose."""
    turn = Rotation.from_matrix(fits.rotation).mean().as_matrix()
    return replace(camera, rotation=turn, translation=fits.translation.mean(0))


def _poses(camera: Pinhole, face: FaceFile, fits: FrameFits) -> Array:
    """[F, 6] poses about the pivot of `face`, relative to `camera`."""
    posed = (
        replace(camera, rotation=turn, translation=shift)
        for turn, shift in zip(fits.rotation, fits.translation, strict=True)
    )
    return np.stack([relative_pose(camera, face.pivot, one) for one in posed])


def _calmed(motion: _Motion, ends: tuple[int, ...]) -> _Motion:
    """`motion` without jitter, piece by piece between cuts."""
    pieces = [motion.pose.copy(), motion.weights.copy(), motion.lip.copy(), motion.gaze.copy()]
    mouth = np.concatenate([motion.weights[:, LIP_SHAPES], motion.lip], 1)
    groups: list[tuple[Array, int]] = [
        (motion.pose[:, :3], _HEAD_REACH),
        (motion.pose[:, 3:], _HEAD_REACH),
        (mouth, _FACE_REACH),
        (motion.weights[:, _LIDS], _FACE_REACH),
        (motion.weights[:, _BROWS], _HEAD_REACH),
        (motion.gaze, _HEAD_REACH),
    ]
    done = [_smoothed_pieces(values, ends, reach) for values, reach in groups]
    pose, weights, lip, _ = pieces
    pose[:, :3], pose[:, 3:] = done[0], done[1]
    weights[:, LIP_SHAPES], lip[:] = done[2][:, : len(LIP_SHAPES)], done[2][:, len(LIP_SHAPES) :]
    weights[:, _LIDS], weights[:, _BROWS] = done[3], done[4]
    return _Motion(pose, np.clip(weights, 0.0, 1.0), lip, done[5])


def _smoothed_pieces(values: Array, ends: tuple[int, ...], reach: int) -> Array:
    noise = jitter(values)
    starts = (0, *ends[:-1])
    return np.concatenate([smoothed(values[a:b], noise, reach) for a, b in zip(starts, ends, strict=True)])


def _whole_weights(weights: Array, gaze: Array) -> Array:
    """[F, 52] f32 with the eyeLook* of the gaze."""
    return np.asarray(np.clip(weights + look_weights(gaze), 0.0, 1.0), np.float32)


def _confidence(detected: Array, error: Array, known: Array) -> Array:
    """[F] f32: the detector's, less where the head does not explain the landmarks."""
    miss = np.nan_to_num(error, nan=_POOR)
    believed = np.clip((_POOR - miss) / (_POOR - _GOOD), _LEAST, 1.0)
    return np.asarray(np.where(known, np.maximum(detected * believed, _LEAST), 0.0), np.float32)


def _notes(found: Array, known: Array, cuts: tuple[int, ...], times: Array) -> tuple[str, ...]:
    notes = []
    if not found.all():
        notes.append(f"{np.count_nonzero(~found)} pictures show no face; motion there is interpolated")
    if cuts:
        shown = ", ".join(f"{times[f]:.2f} s" for f in cuts[:_SHOWN]) + (" ..." if len(cuts) > _SHOWN else "")
        notes.append(f"the picture changes at once at {shown}; a cut is not smoothed over")
    if (found & ~known).any():
        notes.append(f"{np.count_nonzero(found & ~known)} pictures show somebody else; they are left out")
    return tuple(notes)
