"""What tracking is measured on: a film of our own head, a still picture, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.devices import load_motion_models
from backend.faces import talking_face
from backend.media.frames import probe_video, read_frames
from backend.media.video import write_video
from backend.pipeline import AnimateRequest, animate
from backend.tracking import TrackPlan, find_landmarks, stored_sightings
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.controls import ExpressionControls, HeadControls
from blender_addon.protocol.face import FaceFile, write_face
from blender_addon.protocol.tensorfile import Array
from models.face import load_head
from models.face.identity import sample_identity, with_identity
from models.face.lip_range import with_lip_basis
from models.portrait.mediapipe_landmarks import bundled_landmarks
from models.portrait.track import FaceTrack
from models.portrait.tracking import fit_sightings
from models.render import Camera, PreviewRenderer
from models.render.camera import Pinhole

VOICE = Path(__file__).resolve().parents[1] / "models" / "assets" / "demo_voice.flac"
SIZE = (1280, 720)
# A head and shoulders, seen a little from the side, by a lens that the tracker does not know.
_CAMERA = Camera(span=0.42, distance=0.9, yaw=-6.0, pitch=2.0)
# Livelier than usual, and a smile: more of what there is to find.
_CONTROLS = ExpressionControls(
    emotions={"happy": ((3.0, 0.0), (3.6, 0.9), (5.0, 0.9), (6.0, 0.0))},
    head=HeadControls(yaw=1.8, pitch=1.6, roll=1.6, shift=1.5),
)
_STILL, _GRAIN = 60, 3.0  # pictures of the still; standard deviation of their grain, of 255
_TIMED = 60  # pictures on which the detector alone is timed


@dataclass(frozen=True)
class Film:
    """A face that acts a clip before a camera; `size` is (width, height) in pixels."""

    face: FaceFile
    clip: MotionClip
    camera: Camera
    size: tuple[int, int]

    def pictures(self) -> Iterator[Array]:
        """[H, W, 3] u8 sRGB per frame."""
        renderer, clip = PreviewRenderer(self.face, self.size, self.camera), self.clip
        for frame in range(clip.frames):
            yield renderer.frame(clip.weights[frame], clip.pose[frame], clip.lip[frame])

    def seen_by(self) -> Pinhole:
        """The camera as that of a picture, with the head at rest."""
        camera, axes = self.camera, self.camera.axes()
        away = camera.distance * np.array([0.0, 0.0, 1.0])
        focal = min(self.size) * camera.distance / camera.span
        centre = (self.size[0] / 2, self.size[1] / 2)
        return Pinhole(axes, away - axes @ np.array(camera.target), focal, centre)


@dataclass(frozen=True)
class Timed:
    """A track and what it took: pictures per second, decoding included, and seconds to find the person."""

    track: FaceTrack
    rate: float
    person: float


def shoot(film: Film, path: Path, on_frame: Callable[[], None]) -> None:
    """Write `film` as a silent .mp4."""
    write_video(path, film.pictures(), film.clip.info.fps, None, on_frame)


def shoot_still(video: Path, path: Path, seed: int) -> None:
    """Write the first picture of `video` again and again, each time with other grain."""
    picture = next(read_frames(video)).picture
    write_video(path, _grainy(picture, seed), probe_video(video).fps, None)


def random_film(folder: Path, seed: int) -> Film:
    """A random person who speaks the demo voice; the face file is written to `folder`."""
    head = load_head()
    person = replace(with_lip_basis(with_identity(head, sample_identity(head, seed))), id=f"person-{seed}")
    return Film(person, _spoken(folder, person, seed), _CAMERA, SIZE)


def _spoken(folder: Path, person: FaceFile, seed: int) -> MotionClip:
    path = folder / f"{person.id}.safetensors"
    write_face(path, person)
    request = AnimateRequest(audio=VOICE, seed=seed, controls=_CONTROLS, face=talking_face(path))
    return animate(request, load_motion_models("cpu", True))


def timed_track(video: Path, folder: Path, on_step: Callable[[int], None] = lambda steps: None) -> Timed:
    """Track `video` from its file, as the command does; `folder` takes what lies in between."""
    plan = TrackPlan(video, folder / f"{video.stem}-clip.safetensors")
    source = bundled_landmarks()
    plan.sightings.unlink(missing_ok=True)
    begin = time.perf_counter()
    find_landmarks(plan, source, on_step)
    found, ticks = time.perf_counter(), []

    def fitted() -> None:
        ticks.append(time.perf_counter())
        on_step(1)

    track = fit_sightings(stored_sightings(plan), probe_video(video).size, None, fitted)
    pictures = found - begin + ticks[-1] - ticks[0]
    return Timed(track, track.frames / pictures, time.perf_counter() - begin - pictures)


def detector_rate(video: Path) -> float:
    """Pictures per second of the detector alone, after its first picture, without decoding."""
    source, seconds, count = bundled_landmarks(), 0.0, 0
    for frame in read_frames(video):
        begin = time.perf_counter()
        source.follow(frame.picture)
        if count:
            seconds += time.perf_counter() - begin
        count += 1
        if count > _TIMED:
            break
    return (count - 1) / max(seconds, 1e-9)


def tenth_pictures(video: Path) -> Iterator[tuple[int, Array]]:
    """Number and picture of every tenth frame."""
    for number, frame in enumerate(read_frames(video)):
        if number % 10 == 0:
            yield number, frame.picture


def _grainy(picture: Array, seed: int) -> Iterator[Array]:
    rng = np.random.default_rng(seed)
    for _ in range(_STILL):
        grain = rng.normal(0.0, _GRAIN, picture.shape)
        yield np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)
