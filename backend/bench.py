"""Speed and memory on this machine, measured the way a user meets them: through the service and the wire."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from backend.demo import DEMO_VOICE
from backend.media.audio import SAMPLE_RATE, read_audio
from backend.processes import OUR_PYTHON
from backend.serving import DEVICE_VARIABLE
from blender_addon.link import BackendClient, Cancelled, Chunk, Connected, Done, Failed, Lost, Supervisor
from blender_addon.protocol.controls import HeadControls
from blender_addon.protocol.errors import BackendError

SHORT_SECONDS = 60
LONG_SECONDS = 3600
QUICK_BUDGET = 20.0  # seconds that --quick may spend on the hour of speech
STEP_LIMIT = 600.0
WARP_THREADS = 2
WARP_FRAMES = {256: 60, 512: 40}  # crop size -> frames that are timed
NOT_YET = ("neural_fps_256",)  # no learned video stage exists


def run_bench(*, quick: bool, device: str) -> dict[str, float | str | None]:
    """Measure everything; None marks what was not measured.

    Returns:
        Seconds, milliseconds, MB, frames per second or times real time by name, and `device`, `cores`.

    Raises:
        BackendError: the service does not start or fails.
    """
    from backend.devices import choose_device

    device = choose_device(device)
    results: dict[str, float | str | None] = {"device": device, "cores": float(os.cpu_count() or 1)}
    with tempfile.TemporaryDirectory(prefix="vividtalk-bench-") as folder:
        short = write_speech(Path(folder) / "short.wav", SHORT_SECONDS)
        results |= _measure_service(short, device)
        results["pose_x_realtime"] = _measure_head(short)
        results["key_7500x52_s"] = _measure_keys()
        results |= _measure_raster(device)
        results |= _measure_warp()
        results["peak_mb_1min"] = _peak_mb(short, device)
        speed = results["animate_x_realtime"]
        affordable = isinstance(speed, float) and LONG_SECONDS / speed < QUICK_BUDGET
        results["peak_mb_60min"] = None
        if affordable or not quick:
            results["peak_mb_60min"] = _peak_mb(write_speech(Path(folder) / "long.wav", LONG_SECONDS), device)
    return results | dict.fromkeys(NOT_YET)


def write_speech(path: Path, seconds: int) -> Path:
    """A 16 kHz WAV of the shipped voice line, repeated to `seconds`."""
    line = (np.clip(read_audio(DEMO_VOICE), -1, 1) * 32767).astype("<i2")
    missing = seconds * SAMPLE_RATE
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        while missing > 0:
            file.writeframes(line[:missing].tobytes())
            missing -= len(line)
    return path


@contextmanager
def running_backend(device: str) -> Iterator[tuple[BackendClient, float]]:
    """A service process of our own, stopped at the end.

    Yields:
        A connected client and the seconds from the process's start to its answer.
    """
    with tempfile.TemporaryDirectory(prefix="vividtalk-serve-") as folder:
        users_own = os.environ.get(DEVICE_VARIABLE)
        os.environ[DEVICE_VARIABLE] = device
        supervisor = Supervisor([*OUR_PYTHON, "-m", "backend.cli"], Path(folder) / "handoff.json")
        started = time.perf_counter()
        client = BackendClient(supervisor)
        try:
            wait_for(client, Connected)
            yield client, time.perf_counter() - started
        finally:
            client.close()
            supervisor.stop()
            os.environ.pop(DEVICE_VARIABLE)
            if users_own is not None:
                os.environ[DEVICE_VARIABLE] = users_own


def wait_for(client: BackendClient, *kinds: type) -> object:
    """The next event of one of `kinds`. Raises what a failure event carries, or `BackendError`."""
    deadline = time.monotonic() + STEP_LIMIT
    while time.monotonic() < deadline:
        for event in client.poll(limit=1, wait=0.5):
            if isinstance(event, Failed | Lost):
                raise event.error
            if isinstance(event, Cancelled):
                raise BackendError("the backend cancelled the measurement")
            if isinstance(event, kinds):
                return event
    raise BackendError(f"the backend did not answer within {STEP_LIMIT:.0f} s")


def _measure_service(speech: Path, device: str) -> Mapping[str, float]:
    params = {"audio_path": str(speech), "fps": 25.0}
    started = time.perf_counter()
    with running_backend(device) as (client, _):
        client.submit("animate", params)
        wait_for(client, Chunk)
        cold = time.perf_counter() - started
        wait_for(client, Done)
        submitted = time.perf_counter()
        client.submit("animate", params)
        wait_for(client, Chunk)
        first = time.perf_counter() - submitted
        wait_for(client, Done)
        whole = time.perf_counter() - submitted
    return {
        "cold_start_s": round(cold, 3),
        "first_keys_s": round(first, 3),
        "animate_x_realtime": round(SHORT_SECONDS / whole, 1),
    }


def _measure_head(speech: Path) -> float:
    """How many times faster than real time head pose and life are, without expression and lips."""
    import torch

    from backend.devices import POSE_DEVICE
    from backend.pipeline import LARGEST_BATCH
    from backend.streams import HeadStream
    from models.pose import PoseModel

    torch.set_num_threads(1)  # as in `load_expression_model`
    sound = read_audio(speech)
    stream = HeadStream(PoseModel.load(device=POSE_DEVICE), 25.0, HeadControls(), 0)
    stream.push(sound[:SAMPLE_RATE])
    started = time.perf_counter()
    for start in range(SAMPLE_RATE, len(sound), LARGEST_BATCH):
        stream.push(sound[start : start + LARGEST_BATCH])
    stream.finish()
    return round((SHORT_SECONDS - 1) / (time.perf_counter() - started), 1)


def _measure_raster(device: str) -> dict[str, float | str | None]:
    """Milliseconds to rasterise the built-in head by picture size, and where."""
    from models.render.benchmark import SIZES, raster_milliseconds

    device = device if device.startswith("cuda") else "cpu"
    times = {f"raster_ms_{size}": round(raster_milliseconds(size, device), 2) for size in SIZES}
    return {"raster_device": device, **times}


def _measure_warp() -> dict[str, float | None]:
    """Frames of a portrait per second, encoded as they come, on two threads; None without the portrait extra.

    And how many times as long a frame takes as one cubic remap and the same encoding.
    """
    from importlib.util import find_spec

    names = [f"warp_{what}_{size}" for what in ("fps", "ratio") for size in WARP_FRAMES]
    if find_spec("cv2") is None or find_spec("mediapipe") is None:
        return dict.fromkeys(names)
    from models.portrait.studio import studio_portrait
    from models.video.benchmark import speaking, warp_speed
    from models.video.renderer import PortraitRenderer

    portrait = studio_portrait()
    results: dict[str, float | None] = {}
    for size, frames in WARP_FRAMES.items():
        renderer = PortraitRenderer(portrait.picture, portrait.fit, size)
        speed = warp_speed(renderer, speaking(frames, portrait.fit.weights), WARP_THREADS)
        results[f"warp_fps_{size}"], results[f"warp_ratio_{size}"] = (
            round(speed.rendered, 1),
            round(speed.ratio, 2),
        )
    return results


def _measure_keys() -> float | None:
    """Seconds to key 7,500 frames x 52 curves in Blender; None without the bpy module."""
    from importlib.util import find_spec

    if find_spec("bpy") is None:
        return None
    printed = _python("-m", "backend.exporters.bench_keys")
    return round(float(json.loads(printed)["seconds"]), 3)


def _peak_mb(speech: Path, device: str) -> float | None:
    """Peak memory of a process that animates `speech`, MB; None where the system does not tell."""
    printed = json.loads(_python("-m", "backend.bench_memory", str(speech), device))
    return None if printed["peak_mb"] is None else round(printed["peak_mb"], 1)


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [*OUR_PYTHON, *arguments], capture_output=True, text=True, timeout=STEP_LIMIT, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BackendError(f"the measurement {' '.join(arguments[:2])} failed: {last}")
    return done.stdout.strip().splitlines()[-1]
