"""From a video to the motion of the person in it: landmarks in a file that survives a kill, then the clip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.media.audio import hash_file
from backend.media.clip_sound import save_clip
from backend.media.extract import extract_sound
from backend.media.frames import VideoInfo, probe_video, read_frames
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.clip import ClipInfo, MotionClip, frame_count
from blender_addon.protocol.errors import InputError, OutputError
from blender_addon.protocol.face import FaceFile, write_face
from blender_addon.protocol.tensorfile import Array, check_writable, output_error
from models.face import load_head
from models.life.eyes import look_weights
from models.portrait.landmarks import LandmarkSource
from models.portrait.mediapipe_landmarks import bundled_landmarks, task_landmarks
from models.portrait.record import PictureRecord, with_record
from models.portrait.sightings import SIGHTING_SIZE, Sightings, sight
from models.portrait.texture import textured
from models.portrait.track import FaceTrack
from models.portrait.tracking import clearest_frame, fit_sightings, portrait_of

KNOWN_LAYER = "known"  # what of a clip is known: ones and zeros, see docs/training.md
_UNSEEN = ("tongueOut", "cheekPuff", "jawForward")  # what landmarks on the skin from the front do not tell
_MAGIC = b"VividTalk sightings 1\n"
_BLOCK = 50  # pictures between writes: what a kill loses at most


@dataclass(frozen=True)
class TrackPlan:
    """What to track.

    Attributes:
        video: a file with a face.
        out: the clip to write (.safetensors), or a folder for clips, which get the videos' names.
        fps: of the clip; the video's own by default.
        base: the face file to fit; the built-in head by default.
        landmarks: a face landmarker's `.task` file; the bundled models by default.
    """

    video: Path
    out: Path
    fps: float | None = None
    base: Path | None = None
    landmarks: Path | None = None

    @property
    def clip(self) -> Path:
        """The clip's file."""
        if self.out.suffix.lower() == ".safetensors":
            return self.out
        return self.out / f"{self.video.stem}.safetensors"

    @property
    def face(self) -> Path:
        """The person's head, beside the clip."""
        return self.clip.with_name(f"{self.clip.stem}.face.safetensors")

    @property
    def sound(self) -> Path:
        """The video's sound, beside the clip."""
        return self.clip.with_suffix(".flac")

    @property
    def sightings(self) -> Path:
        """Landmarks found so far; removed in the end."""
        return self.clip.with_name(f".{self.clip.stem}.sightings")


@dataclass(frozen=True)
class TrackedVideo:
    """What was written.

    Attributes:
        clip: with its sound's path as stored.
        face: the person's head.
        confidence: [F] of the clip's frames.
        notes: what a user should know, one line each.
    """

    clip: MotionClip
    face: FaceFile
    confidence: Array
    notes: tuple[str, ...]


def track_video(plan: TrackPlan, on_step: Callable[[int], None] = lambda steps: None) -> TrackedVideo:
    """Track the face of a video and write the clip, its sound and the person's head.

    A run that was stopped goes on where it was. Two steps per picture are told to `on_step`: landmarks, fit.

    Raises:
        InputError, MediaError: the video cannot be read, or shows no face in half of its pictures.
        OutputError: something cannot be written.
        MissingExtraError: mediapipe is not installed.
    """
    info, base = probe_video(plan.video), load_head(plan.base)
    _prepare_folder(plan)
    source = bundled_landmarks() if plan.landmarks is None else task_landmarks(plan.landmarks)
    find_landmarks(plan, source, on_step)
    try:
        track = fit_sightings(stored_sightings(plan), info.size, base, lambda: on_step(1))
    except InputError as error:
        raise InputError(f"{plan.video}: {error.what}", error.hint) from error
    written = _write(plan, info, track, source)
    del track  # its landmarks are a view of the file
    plan.sightings.unlink(missing_ok=True)
    return written


def video_landmarks(video: Path) -> tuple[float, Array]:
    """Frames per second and landmarks [F, 478, 3] f64 of a short video: pixels, NaN where there is no face.

    Raises:
        InputError, MediaError: the video cannot be read.
        MissingExtraError: mediapipe is not installed.
    """
    frames = ((frame.time, frame.picture) for frame in read_frames(video))
    rows = np.array(list(sight(frames, bundled_landmarks())))
    return probe_video(video).fps, Sightings(rows).landmarks.astype(np.float64)


def find_landmarks(plan: TrackPlan, source: LandmarkSource, on_step: Callable[[int], None]) -> None:
    """Follow the face to the video's end, from where an earlier run stopped, into `plan.sightings`."""
    header = _header(plan)
    done = _whole_rows(plan.sightings, header)
    try:
        with plan.sightings.open("r+b" if done else "wb") as file:
            if not done:
                file.write(header)
            file.truncate(len(header) + 4 * SIGHTING_SIZE * done)
            file.seek(0, 2)
            on_step(done)
            frames = read_frames(plan.video, float(_rows(plan)[-1, 0]) if done else -1.0)
            waiting: list[Array] = []
            for row in sight(((frame.time, frame.picture) for frame in frames), source):
                waiting.append(row)
                if len(waiting) == _BLOCK:
                    file.write(np.stack(waiting).tobytes())
                    file.flush()
                    waiting = []
                on_step(1)
            file.write(b"".join(row.tobytes() for row in waiting))
    except OSError as error:
        raise output_error(plan.sightings, error) from error


def _prepare_folder(plan: TrackPlan) -> None:
    try:
        plan.clip.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(plan.clip, error) from error
    if plan.sound.resolve() == plan.video.resolve():
        raise OutputError(f"{plan.sound} is the video itself", "Choose another output")
    check_writable(plan.clip)


def _header(plan: TrackPlan) -> bytes:
    """What the landmarks in a file were found with: they are of no use to another video or detector."""
    files = [plan.video, *([plan.landmarks] if plan.landmarks else [])]
    facts = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    return _MAGIC + hashlib.sha256(json.dumps(facts).encode()).digest()


def _whole_rows(path: Path, header: bytes) -> int:
    """How many pictures a stopped run has left; 0 where there is none, or of something else."""
    try:
        with path.open("rb") as file:
            if file.read(len(header)) != header:
                return 0
        return (path.stat().st_size - len(header)) // (4 * SIGHTING_SIZE)
    except FileNotFoundError:
        return 0


def _rows(plan: TrackPlan) -> Array:
    """[F, n] f32, as a view of the file."""
    offset = len(_header(plan))
    count = (plan.sightings.stat().st_size - offset) // (4 * SIGHTING_SIZE)
    return np.memmap(plan.sightings, np.float32, "r", offset, (count, SIGHTING_SIZE))


def stored_sightings(plan: TrackPlan) -> Sightings:
    """What was found so far, as a view of the file."""
    return Sightings(_rows(plan))


def _write(plan: TrackPlan, info: VideoInfo, track: FaceTrack, source: LandmarkSource) -> TrackedVideo:
    best = clearest_frame(track)
    picture = next(read_frames(plan.video, float(track.times[best]) - 0.5 / info.fps)).picture
    face = _person(plan, track, best, picture)
    write_face(plan.face, face)
    clip = motion_clip(track, plan.fps or info.fps, face.id)
    if info.sound:
        extract_sound(plan.video, plan.sound, clip.duration)
        sound = replace(
            clip.info,
            audio_path=str(plan.sound.resolve()),
            audio_sha256=hash_file(plan.sound),
            audio_duration=clip.duration,
        )
        clip = replace(clip, info=sound)
    clip = save_clip(plan.clip, clip)
    notes = [*track.notes, *_others(source, picture, float(track.times[best]))]
    if not info.sound:
        notes.append("the video has no sound; nothing can be trained on this clip")
    confidence = track.confidence[_nearest(track.times, np.arange(clip.frames) / clip.info.fps)]
    return TrackedVideo(clip, face, confidence, tuple(notes))


def _person(plan: TrackPlan, track: FaceTrack, frame: int, picture: Array) -> FaceFile:
    """The person's head with the texture of one picture, and the record of its fit."""
    fit = portrait_of(track, frame, picture)
    face = replace(textured(fit, picture), id=plan.clip.stem)
    return with_record(face, fit, PictureRecord(plan.video.name, hash_file(plan.video)))


def _others(source: LandmarkSource, picture: Array, time: float) -> list[str]:
    faces = source.detect(picture)
    if len(faces) < 2:
        return []
    boxes = "; ".join(f"{f.box[0]:.0f}, {f.box[1]:.0f}, {f.box[2]:.0f} x {f.box[3]:.0f}" for f in faces)
    return [
        f"{len(faces)} faces are in the picture at {time:.2f} s ({boxes}); the first largest was followed"
    ]


def motion_clip(track: FaceTrack, fps: float, face_id: str) -> MotionClip:
    """`track` as a clip that begins with the video's sound, without the sound itself.

    Its layer `known` has zeros where no face was seen, and for what landmarks do not tell.
    """
    times = track.times
    step = float(np.median(np.diff(times))) if track.frames > 1 else 1.0 / fps
    grid = np.arange(frame_count(float(times[-1]) + step, fps)) / fps

    def at(values: Array) -> Array:
        columns = [np.interp(grid, times, column) for column in values.reshape(len(times), -1).T]
        return np.stack(columns, 1).astype(np.float32) if columns else np.zeros((len(grid), 0), np.float32)

    gaze = at(track.gaze)
    weights = at(track.weights)
    looks = [i for i, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook")]
    weights[:, looks] = np.clip(look_weights(gaze), 0.0, 1.0)[:, looks]
    contact = np.concatenate([at(track.contact), np.zeros((len(grid), 1), np.float32)], 1)
    seen = track.seen[_nearest(times, grid)] & (grid > times[0] - step) & (grid < times[-1] + step)
    known = np.repeat(seen[:, None], len(ARKIT_NAMES), 1).astype(np.float32)
    known[:, [ARKIT_INDEX[name] for name in _UNSEEN]] = 0.0
    return MotionClip(
        info=ClipInfo(fps=fps, face_id=face_id),
        weights=weights,
        lip=at(track.lip),
        contact=contact,
        pose=at(track.pose),
        pose_codes=np.zeros(0, np.int32),
        gaze=gaze,
        layers={KNOWN_LAYER: {"weights": known, "contact": np.stack([seen, 0 * seen], 1).astype(np.float32)}},
    )


def _nearest(times: Array, grid: Array) -> Array:
    """[n] rows of `times` [F] nearest to each of `grid`."""
    after = np.clip(np.searchsorted(times, grid), 1, max(len(times) - 1, 1))
    before = after - 1
    last = len(times) - 1
    closer = np.abs(times[np.minimum(after, last)] - grid) < np.abs(times[before] - grid)
    return np.asarray(np.minimum(np.where(closer, after, before), last))
