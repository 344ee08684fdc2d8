"""The service's jobs `render` and `still` (docs/protocol.md)."""

from __future__ import annotations

import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from backend.media.audio import AudioSpan, hash_file
from backend.media.video import Sound
from backend.service import JobContext, JobHandler
from blender_addon.protocol.clip import ClipInfo, MotionClip
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.handoff import cache_folder
from blender_addon.protocol.render import (
    PART_BYTES,
    FrameNotice,
    RenderParams,
    RenderResult,
    notice_arrays,
    read_params,
    result_json,
)
from blender_addon.protocol.tensorfile import Array, atomic_path, check_writable

from .cache import FrameCache, png_bytes
from .driving import motions_of
from .movie import Take, make_take, render_frames, render_movie
from .portrait import OnPhase, Portrait, PortraitOrder, open_portrait
from .sound import delayed, sound_of_file, sound_of_samples

_KEPT_PORTRAITS = 2  # that stay loaded between jobs; our choice
_NOTICE_SECONDS = 0.1  # between chunks; our choice
_FILES = ("portrait", "fit")

Opener = Callable[[PortraitOrder, OnPhase], Portrait]


class OpenPortraits:
    """The portraits of the last jobs; used by the service's one worker thread."""

    def __init__(self, opener: Opener = open_portrait) -> None:
        self._opener = opener
        self._portraits: OrderedDict[tuple[object, ...], Portrait] = OrderedDict()

    def get(self, order: PortraitOrder, on_phase: OnPhase) -> Portrait:
        """See `open_portrait`; a portrait of the same bytes and settings is not opened again."""
        on_phase("Reading the portrait")
        fit = None if order.fit is None else hash_file(order.fit)
        key = (hash_file(order.picture), fit, order.size, order.longest, order.renderer, order.choose)
        if key not in self._portraits:
            self._portraits[key] = self._opener(order, on_phase)
        self._portraits.move_to_end(key)
        while len(self._portraits) > _KEPT_PORTRAITS:
            self._portraits.popitem(last=False)
        return self._portraits[key]


def render_handler(portraits: OpenPortraits) -> JobHandler:
    """The `render` job: frames into the cache, and a movie of them."""

    def render(raw: Mapping[str, Any], arrays: Mapping[str, Array], context: JobContext) -> Mapping[str, Any]:
        started = time.perf_counter()
        params = read_params(raw)
        if params.output_path:
            check_writable(Path(params.output_path))
        with _received(arrays) as folder:
            portrait = portraits.get(_order(params, folder), _phases(context))
            take = _take(params, arrays, portrait)
            cache = FrameCache(Path(params.cache) if params.cache else cache_folder(), params.cache_bytes)
            teller = _Teller(context, len(take.keys))
            movie = Path(params.output_path) if params.output_path else None
            if params.send:
                movie = folder / "movie.mp4"
            if movie is None:
                rendered = render_frames(take, cache, teller)
            else:
                sound = _sound(params, arrays, take)
                rendered = render_movie(take, cache, movie, sound, teller)
            teller.flush()
            if params.send and movie is not None:
                _send(context, movie.read_bytes())
        cache.trim()
        return _result(params, portrait, take, rendered, time.perf_counter() - started, str(cache.folder))

    return render


def still_handler(portraits: OpenPortraits) -> JobHandler:
    """The `still` job: one frame as a PNG of the whole picture."""

    def still(raw: Mapping[str, Any], arrays: Mapping[str, Array], context: JobContext) -> Mapping[str, Any]:
        started = time.perf_counter()
        params = read_params(raw)
        with _received(arrays) as folder:
            portrait = portraits.get(_order(params, folder), _phases(context))
        take = _take(params, arrays, portrait)
        source = portrait.scene.source
        png = png_bytes(source.pasted(source.crop(take.motions[0])))
        context.raise_if_cancelled()
        if params.send:
            _send(context, png)
        else:
            with atomic_path(Path(params.output_path)) as temporary:
                temporary.write_bytes(png)
        return _result(params, portrait, take, 1, time.perf_counter() - started, "")

    return still


class _Teller:
    """Tells the client of frames, some at a time, and stops when it no longer wants them."""

    def __init__(self, context: JobContext, total: int) -> None:
        self._context, self._total = context, total
        self._waiting: list[FrameNotice] = []
        self._done, self._told = 0, time.monotonic()

    def __call__(self, notice: FrameNotice) -> None:
        self._context.raise_if_cancelled()
        self._waiting.append(notice)
        self._done += 1
        if time.monotonic() - self._told >= _NOTICE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Tell what was not told yet."""
        if self._waiting:
            self._context.chunk(self._waiting[0].frame, notice_arrays(self._waiting))
        self._waiting, self._told = [], time.monotonic()
        whole = self._done == self._total
        self._context.progress("Writing the movie" if whole else "Rendering", self._done / self._total)


def _phases(context: JobContext) -> OnPhase:
    def on_phase(phase: str) -> None:
        context.raise_if_cancelled()
        context.progress(phase, 0.0)

    return on_phase


@contextmanager
def _received(arrays: Mapping[str, Array]) -> Iterator[Path]:
    """A folder with the files that came as arrays, for the time of the job."""
    with tempfile.TemporaryDirectory(prefix="vividtalk-render-") as folder:
        for name in _FILES:
            if name in arrays:
                (Path(folder) / name).write_bytes(np.asarray(arrays[name], np.uint8).tobytes())
        yield Path(folder)


def _order(params: RenderParams, folder: Path) -> PortraitOrder:
    came = {name: folder / name for name in _FILES if (folder / name).is_file()}
    if not params.portrait_path and "portrait" not in came:
        raise InputError("the render job names no portrait", "Choose a picture")
    picture = came.get("portrait") or Path(params.portrait_path)
    fit = came.get("fit") or (Path(params.fit_path) if params.fit_path else None)
    return PortraitOrder(picture, fit, params.size, params.longest, params.renderer, params.choose)


def _take(params: RenderParams, arrays: Mapping[str, Array], portrait: Portrait) -> Take:
    clip = clip_of(params, arrays)
    wanted = arrays.get("wanted")
    frames = range(clip.frames) if wanted is None else [int(frame) for frame in np.ravel(wanted)]
    if not frames or min(frames) < 0 or max(frames) >= clip.frames or list(frames) != sorted(set(frames)):
        raise InputError(f"the wanted frames are not rows of a motion of {clip.frames} frames")
    motions = motions_of(portrait.fit, clip, frames, params.relative, portrait.lips)
    return make_take(portrait.scene, motions, params.fps, frames)


def clip_of(params: RenderParams, arrays: Mapping[str, Array]) -> MotionClip:
    """The motion that came with a job.

    Raises:
        InputError: an array is missing or has not its documented shape.
    """
    if "weights" not in arrays:
        raise InputError("the render job has no weights", "Update the add-on")
    weights = np.asarray(arrays["weights"], np.float32)
    rows = len(weights)

    def part(name: str, columns: int, default_rows: int) -> Array:
        return np.asarray(arrays.get(name, np.zeros((default_rows, columns))), np.float32)

    try:
        return MotionClip(
            info=ClipInfo(fps=params.fps, face_id=params.face_id, relative=params.relative),
            weights=np.clip(weights, 0, 1),
            lip=part("lip", 0, rows),
            contact=part("contact", 2, rows),
            pose=part("pose", 6, 0),
            pose_codes=np.zeros(0, np.int32),
            gaze=part("gaze", 4, 0),
        )
    except FileFormatError as error:
        raise InputError(f"the render job's motion is wrong: {error.what}", "Update the add-on") from error


def _sound(params: RenderParams, arrays: Mapping[str, Array], take: Take) -> Sound | None:
    start = params.start + take.numbers[0] / params.fps * params.speed
    length, wait = len(take.keys) / params.fps * params.speed, max(0.0, -start)
    if wait >= length or not ("samples" in arrays or params.audio_path):
        return None
    span = AudioSpan(max(0.0, start), length - wait, params.speed)
    if "samples" in arrays:
        sound = sound_of_samples(arrays["samples"], params.sample_rate, span)
    else:
        sound = sound_of_file(Path(params.audio_path), span)
    return delayed(sound, wait / params.speed) if wait else sound


def _send(context: JobContext, data: bytes) -> None:
    for offset in range(0, len(data), PART_BYTES):
        context.chunk(0, {"file": np.frombuffer(data[offset : offset + PART_BYTES], np.uint8)})


def _result(
    params: RenderParams, portrait: Portrait, take: Take, rendered: int, seconds: float, cache: str
) -> dict[str, Any]:
    scene = portrait.scene
    return result_json(
        RenderResult(
            frames=len(take.keys),
            rendered=rendered,
            width=scene.width,
            height=scene.height,
            box=list(scene.box),
            cache=cache,
            path="" if params.send else params.output_path,
            notes=[*scene.notes, *scene.source.notes],
            seconds=round(seconds, 3),
        )
    )
