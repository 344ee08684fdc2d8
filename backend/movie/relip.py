"""`vividtalk video VIDEO AUDIO`: a person in a video speaks with another voice."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np

from backend.media.audio import probe_audio
from backend.media.frames import probe_video, read_frames
from backend.media.video import write_video
from blender_addon.protocol.clip import frame_count, read_clip
from blender_addon.protocol.render import FrameNotice
from blender_addon.protocol.tensorfile import Array
from models.portrait.fit import PortraitFit
from models.portrait.skin import skin_light
from models.portrait.track import FaceTrack
from models.portrait.tracking import track_faces
from models.video.motion import FrameMotion
from models.video.relip import (
    LowerFace,
    WholeMatte,
    back_and_forth,
    new_mouths,
    picture_fit,
    steady_landmarks,
)
from models.video.renderer import PortraitRenderer

from .making import CLIP_SUFFIX, MovieReport, OnFrame, Settings, read_speech
from .scene import MOST_THREADS

_BACKWARDS = 16  # pictures in memory while a video is played backwards; our choice
_HELD_SECONDS = 1.0  # how long one picture of a video may be shown, when reading begins inside it
_ROUNDING = 1e-3  # seconds by which containers round their times
_LIGHT_SHARE = 0.1  # of a picture's own light in the running mean; our choice


def relip(video: Path, motion: Path, out: Path, settings: Settings, on_frame: OnFrame) -> MovieReport:
    """Give the person in `video` the voice or clip `motion`.

    The movie lasts as long as the sound: a longer video is cut, a shorter one is played back and forth.

    Raises:
        InputError, MediaError: a file cannot be used, or half of the pictures show no face.
        OutputError: the movie cannot be written.
    """
    fps = _rate(video, motion, settings)
    speech = read_speech(motion, replace(settings, fps=fps))
    track = track_faces(islice(pictures(video, fps), _needed(motion, fps)), fps)
    clip = speech.clip(track.face)
    order = back_and_forth(track.frames, clip.frames)
    shown = pictures_in_order(video, fps, order)
    spoken = Speaker(track, settings.size).images(shown, order, new_mouths(track, clip, order))
    write_video(out, _told(spoken, on_frame), fps, speech.heard(clip))
    return MovieReport(len(order), len(order), fps, *track.size, _notes(track, len(order), settings))


def pictures(video: Path, fps: float, first: int = 0) -> Iterator[Array]:
    """The picture shown at each time i / fps from i = `first` on, whatever the video's own rate."""
    frames = read_frames(video, first / fps - _HELD_SECONDS if first else -1.0)
    shown, coming = next(frames, None), next(frames, None)
    lasts = 0.0 if shown is None or coming is None else coming.time - shown.time
    for number in count(first):
        now = number / fps + _ROUNDING
        while coming is not None and coming.time <= now:
            lasts = coming.time - (coming.time if shown is None else shown.time)
            shown, coming = coming, next(frames, None)
        if shown is None or (coming is None and number > first and now >= shown.time + lasts):
            return
        yield shown.picture


def pictures_in_order(video: Path, fps: float, order: Array) -> Iterator[Array]:
    """Pictures by their numbers `order` [n], which go up or down by one."""
    for run in np.split(order, np.flatnonzero(np.diff(order, 2)) + 2):
        if len(run) < 2 or run[1] > run[0]:
            yield from islice(pictures(video, fps, int(run[0])), len(run))
            continue
        for piece in np.split(run, range(_BACKWARDS, len(run), _BACKWARDS)):
            yield from reversed(list(islice(pictures(video, fps, int(piece[-1])), len(piece))))


class Speaker:
    """Renders each picture of a tracked video with another mouth."""

    def __init__(self, track: FaceTrack, size: int) -> None:
        self._track, self._size = track, size
        self._landmarks, self._lower = steady_landmarks(track), LowerFace(track)
        self._light: Array | None = None

    def images(
        self, shown: Iterator[Array], order: Array, mouths: Sequence[FrameMotion]
    ) -> Generator[Array, None, None]:
        """Every frame of the new video, in order."""
        threads = max(1, min(MOST_THREADS, os.cpu_count() or 1))
        waiting: deque[Future[Array]] = deque()
        pool = ThreadPoolExecutor(threads, "vividtalk-frame")
        try:
            for picture, number, motion in zip(shown, order, mouths, strict=False):
                waiting.append(pool.submit(self._spoken, picture, self._fit(picture, int(number)), motion))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _fit(self, picture: Array, number: int) -> PortraitFit | None:
        """What is known of a picture, its light averaged with those before; None without a face."""
        if not self._track.seen[number]:
            return None
        track = self._track
        own = skin_light(picture, track.face, track.weights[number], track.camera_at(number))
        self._light = own if self._light is None else self._light + _LIGHT_SHARE * (own - self._light)
        return picture_fit(track, number, self._landmarks[number], self._light)

    def _spoken(self, picture: Array, fit: PortraitFit | None, motion: FrameMotion) -> Array:
        if fit is None:
            return picture
        renderer = PortraitRenderer(picture, fit, self._size, matting=WholeMatte())
        mask = self._lower.mask(fit, motion)[..., None]
        changed = renderer.frame(motion).astype(np.float32) - picture
        image: Array = np.clip(picture + mask * changed + 0.5, 0, 255).astype(np.uint8)
        return image


def _rate(video: Path, motion: Path, settings: Settings) -> float:
    own = probe_video(video).fps
    if motion.suffix.lower() == CLIP_SUFFIX:
        return read_clip(motion).info.fps
    return own if settings.fps is None else settings.fps


def _needed(motion: Path, fps: float) -> int | None:
    """How many pictures of the video are shown at most; None when the sound does not say its length."""
    if motion.suffix.lower() == CLIP_SUFFIX:
        return read_clip(motion).frames
    seconds = probe_audio(motion).duration
    return None if seconds is None else frame_count(seconds, fps) + 1


def _told(images: Iterator[Array], on_frame: OnFrame) -> Iterator[Array]:
    for number, image in enumerate(images):
        yield image
        on_frame(FrameNotice(number, "", True))


def _notes(track: FaceTrack, frames: int, settings: Settings) -> tuple[str, ...]:
    notes = list(track.notes)
    if frames > track.frames:
        notes.append(f"the sound is longer than the video, which is played back and forth ({frames} frames)")
    if settings.cache is not None:
        notes.append("frames of a video are not kept: --cache was not used")
    return tuple(notes)
