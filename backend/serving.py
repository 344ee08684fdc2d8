"""The service's jobs: what `vividtalk serve` can do for a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.service import JobContext, JobHandler, ServeConfig, serve
from blender_addon.protocol.controls import controls_from_json
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.render import FIT_JOB, RENDER_JOB, STILL_JOB
from blender_addon.protocol.tensorfile import Array

if TYPE_CHECKING:
    from backend.faces import TalkingFace
    from backend.pipeline import AnimateRequest
    from backend.streams import MotionModels


DEVICE_VARIABLE = "VIVIDTALK_DEVICE"  # the device of a backend that somebody else starts


def run_server(config: ServeConfig, device: str) -> None:
    """Serve until no client is left. PyTorch is loaded after the port answers, so that clients connect early.

    Raises:
        BackendError: the port is in use.
    """
    load = _model_loader(device)

    def warm() -> None:
        from backend.devices import warm_up
        from backend.faces import talking_face

        warm_up(load())
        talking_face(None)

    warming = replace(config, warm_up=warm, version=version("vividtalk"))
    handlers = {"animate": animate_handler(load), "style": style_handler(load), **_movie_handlers()}
    serve(handlers, warming)


def _movie_handlers() -> dict[str, JobHandler]:
    """The `render`, `still` and `fit` jobs; what they need is imported at the first of them."""

    @cache
    def handlers() -> Mapping[str, JobHandler]:
        from backend.fit_job import fit
        from backend.movie.jobs import OpenPortraits, render_handler, still_handler

        portraits = OpenPortraits()
        return {
            RENDER_JOB: render_handler(portraits),
            STILL_JOB: still_handler(portraits),
            FIT_JOB: fit,
        }

    def of(kind: str) -> JobHandler:
        def run(
            params: Mapping[str, Any], arrays: Mapping[str, Array], context: JobContext
        ) -> Mapping[str, Any]:
            return handlers()[kind](params, arrays, context)

        return run

    return {kind: of(kind) for kind in (RENDER_JOB, STILL_JOB, FIT_JOB)}


def _model_loader(device: str) -> Callable[[], MotionModels]:
    @cache
    def load() -> MotionModels:
        from backend.devices import load_motion_models

        return load_motion_models(device)

    return load


def animate_handler(load: Callable[[], MotionModels]) -> JobHandler:
    """The `animate` job.

    Params: `audio_path` (or the array `samples` [n] or [n, channels] with `sample_rate`), `fps`, and, with
    defaults, `start`, `duration`, `speed`, `seed`, `controls` (`controls_to_json`), `face_id`, `face_path`
    (the built-in head), `head` (true: head motion and signs of life). It sends `MotionChunk`s; the result
    holds `info`, the clip's header, `frames`, and `remark`, a line for the user or "".
    """

    def animate(
        params: Mapping[str, Any], arrays: Mapping[str, Array], context: JobContext
    ) -> Mapping[str, Any]:
        from backend.pipeline import clip_info, expected_frames, stream_motion

        request = _request(params, arrays)
        expected = expected_frames(request)
        context.progress("Loading the models", 0.0)
        models = _asked_for(load(), params)
        frames = 0
        for chunk in stream_motion(request, models):
            context.raise_if_cancelled()
            context.chunk(chunk.start, chunk.tensors)
            frames = chunk.start + chunk.frames
            context.progress("Listening", min(1.0, frames / expected) if expected else 0.0)
        info = clip_info(request, models, frames, context.raise_if_cancelled)
        return {"info": asdict(info), "frames": frames, "remark": request.face.remark if request.face else ""}

    return animate


def style_handler(load: Callable[[], MotionModels]) -> JobHandler:
    """The `style` job: the manner of speaking of a motion whose sound is known.

    Params: those of the sound and `fps`, as for `animate`, and the array `weights` [n, 52]; the result holds
    `style`, the fields of `MotionStyle`.
    """

    def style(
        params: Mapping[str, Any], arrays: Mapping[str, Array], context: JobContext
    ) -> Mapping[str, Any]:
        from backend.pipeline import expected_frames
        from backend.reference import reference_style

        if "weights" not in arrays:
            raise InputError("the style job has no weights", "Update the add-on")
        request = _request(params, arrays)
        expected = expected_frames(request)
        context.progress("Loading the models", 0.0)

        def heard(frames: int) -> None:
            context.raise_if_cancelled()
            context.progress("Listening", min(1.0, frames / expected) if expected else 0.0)

        weights = np.asarray(arrays["weights"], np.float32)
        return {"style": asdict(reference_style(weights, request, load().expression, heard))}

    return style


def _asked_for(models: MotionModels, params: Mapping[str, Any]) -> MotionModels:
    """The models without the head's where the parameters say so."""
    head = params.get("head", True)
    if not isinstance(head, bool):
        raise InputError(f"the animate job's head is {head!r}", "Give true or false")
    return models if head else replace(models, pose=None)


def _face(params: Mapping[str, Any]) -> TalkingFace:
    """The face that the parameters name; one without lips when its file is not on this machine."""
    from backend.faces import TalkingFace, talking_face

    face_id, path = str(params.get("face_id", "")), str(params.get("face_path", ""))
    if path and not Path(path).is_file():
        return TalkingFace(face_id, None, f"no lip offsets: the backend finds no face file {path}")
    face = talking_face(Path(path) if path else None)
    if face_id not in ("", face.id):
        return TalkingFace(face_id, None, f"no lip offsets: the backend has {face.id}, the head is {face_id}")
    return face


def _request(params: Mapping[str, Any], arrays: Mapping[str, Array]) -> AnimateRequest:
    from backend.media.audio import AudioSpan
    from backend.pipeline import AnimateRequest, Samples

    try:
        if "samples" in arrays:
            audio: Path | Samples = Samples(arrays["samples"], int(params["sample_rate"]))
        else:
            audio = Path(str(params["audio_path"]))
        duration = params.get("duration")
        return AnimateRequest(
            audio=audio,
            fps=float(params["fps"]),
            span=AudioSpan(
                float(params.get("start", 0.0)),
                None if duration is None else float(duration),
                float(params.get("speed", 1.0)),
            ),
            seed=int(params.get("seed", 0)),
            controls=controls_from_json(params.get("controls", {})),
            face=_face(params),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the animate job's parameters are wrong ({error!r})", "Update the add-on"
        ) from error
