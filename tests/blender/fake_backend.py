"""A backend whose motion is known: the real service, with a handler that follows a script.

The script is chosen by the sound's name: `steady` streams its frames, `stall` stops after 25 and waits for a
cancel, `fail` refuses the sound, `short` does not pause, `smooth` streams 30 s of waves, `lips` adds lip
offsets that the contact solve gives, `head` and `headlong` (20 s) move the head, blink, look about and
breathe. The seed changes brows, eyes, cheeks, nose and all of the head's. Parameters are noted in the runtime
folder.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fake_video
import numpy as np

from backend.service import JobContext, ServeConfig, serve
from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES, LIP_SHAPES, OTHER_SHAPES
from blender_addon.protocol.clip import ClipInfo, codes_of, frame_count, layer_key
from blender_addon.protocol.controls import controls_from_json
from blender_addon.protocol.errors import MediaError
from blender_addon.protocol.face import eye_rotation
from blender_addon.protocol.mixing import mixed_gaze, mixed_pose, mixed_weights
from blender_addon.protocol.tensorfile import Array
from models.face import load_head

_CHUNK = 25
_SECONDS = 4.0
_LONGER = {"smooth": 30.0, "headlong": 20.0}
_SPOKEN = {"jawOpen": 0.4, "mouthFunnel": 0.3, "mouthSmileLeft": 0.4, "mouthSmileRight": 0.3}


def weights(frames: int, seed: int) -> Array:
    """[frames, 52]: every value tells frame and curve, those of the other branch the seed; no blinks."""
    f, i = np.mgrid[:frames, :52]
    drawn = 7 * seed * np.isin(i, OTHER_SHAPES)
    lids_up = ~np.isin(i, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]])
    return (((f * 53 + i + drawn) % 101) / 100 * lids_up).astype(np.float32)


def waves(frames: int) -> Array:
    """[frames, 52]: each curve a wave of its own period, 12 frames and more, with a rest in between."""
    f, i = np.mgrid[:frames, :52]
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * f / (12 + i))
    return (wave * (f // (60 + i) % 2)).astype(np.float32)


def living(frames: int, seed: int) -> dict[str, dict[str, Array]]:
    """Layers with head pose, blinks, gaze and breath: smooth, small enough to add up below 1."""
    f = np.arange(frames, dtype=np.float64)[:, None]
    period = 40 + 11 * np.arange(6) + 3 * seed
    reach = np.array([0.2, 0.12, 0.4, 0.008, 0.006, 0.01])
    breath = np.zeros((frames, 6))
    breath[:, :1] = 0.01 * np.sin(2 * np.pi * f / 90)
    other = np.zeros((4, frames, 52))  # brows, blink, gaze, breath
    other[0, :, [ARKIT_INDEX["browInnerUp"], ARKIT_INDEX["eyeBlinkLeft"]]] = 0.2 + 0.2 * np.sin(
        f.T / (9 + seed)
    )
    blinks = np.clip(np.sin(f / 8 + seed) * 3 - 2.2, 0, 0.8)
    other[1, :, ARKIT_INDEX["eyeBlinkLeft"]] = other[1, :, ARKIT_INDEX["eyeBlinkRight"]] = blinks[:, 0]
    look = 0.3 * np.sin(f / 15 + seed)
    for side, sign in (("Left", 1), ("Right", -1)):
        other[2, :, ARKIT_INDEX[f"eyeLookOut{side}"]] = np.maximum(sign * look, 0)[:, 0]
        other[2, :, ARKIT_INDEX[f"eyeLookIn{side}"]] = np.maximum(-sign * look, 0)[:, 0]
        other[2, :, ARKIT_INDEX[f"eyeLookUp{side}"]] = np.maximum(0.5 * look, 0)[:, 0]
    other[3, :, ARKIT_INDEX["noseSneerLeft"]] = 0.05 + 0.05 * np.sin(f[:, 0] / 12)
    speech = weights(frames, 0) * 0.5 * np.isin(range(52), LIP_SHAPES)
    parts = {
        "speech": {"weights": speech, "pose": reach * np.sin(2 * np.pi * f / period + seed)},
        "brows": {"weights": other[0]},
        "blink": {"weights": other[1]},
        "gaze": {"weights": other[2], "gaze": eye_rotation(other[2])},
        "breath": {"weights": other[3], "pose": breath},
    }
    return {layer: {name: a.astype(np.float32) for name, a in part.items()} for layer, part in parts.items()}


def moved(frames: int, params: Mapping[str, Any]) -> dict[str, Array]:
    """All arrays of `living` and their sums, as the real backend sends them."""
    layers, head = living(frames, params["seed"]), controls_from_json(params["controls"]).head
    total = mixed_weights(layers, head)
    sums = {"weights": total, "pose": mixed_pose(layers, head), "gaze": mixed_gaze(layers, total)}
    parts = {layer_key(layer, name): array for layer, part in layers.items() for name, array in part.items()}
    return {"contact": np.zeros((frames, 2), np.float32), **sums, **parts}


def stream_head(frames: int, params: Mapping[str, Any], job: JobContext) -> None:
    """Send `moved` in chunks, with a code for every fourth frame."""
    arrays = moved(frames, params)
    for start in range(0, frames, _CHUNK):
        stop = min(start + _CHUNK, frames)
        codes = np.array([(7 * t + params["seed"]) % 64 for t in codes_of(start, stop - start)], np.int32)
        job.chunk(start, {**{name: a[start:stop] for name, a in arrays.items()}, "pose_codes": codes})


def animate(params: Mapping[str, Any], _arrays: Mapping[str, Array], job: JobContext) -> Mapping[str, Any]:
    """Follow the script that the sound's name asks for."""
    note = Path(os.environ["XDG_RUNTIME_DIR"]) / "params.json"
    note.write_text(json.dumps(dict(params)))
    script = Path(params["audio_path"]).stem
    if script == "fail":
        raise MediaError("the sound fail.wav cannot be read", "Record it again")
    speed = params["speed"]
    duration = params["duration"] or _LONGER.get(script, _SECONDS)
    frames = frame_count(duration / speed, params["fps"])
    if script.startswith("head"):
        stream_head(frames, params, job)
        return _result(params, frames)
    motion = waves(frames) if script == "smooth" else weights(frames, params["seed"])
    contact, lip = np.zeros((frames, 2), np.float32), np.zeros((frames, 0), np.float32)
    if script == "lips":
        motion = waves(frames) * np.float32([_SPOKEN.get(name, 0.0) for name in ARKIT_NAMES])
        contact[:, 0] = np.clip(np.sin(np.arange(frames) / 4), 0, 1)
        held = sticky_contact(contact[:, 0], params["fps"]).held
        lip = solve_coefficients(prepare_lips(load_head()), motion, contact, held)
    for start in range(0, frames, _CHUNK):
        part = slice(start, start + _CHUNK)
        layers = {"speech": LIP_SHAPES, "brows": OTHER_SHAPES}
        named = {f"layer.{n}.weights": motion[part] * np.isin(range(52), own) for n, own in layers.items()}
        job.chunk(start, {"weights": motion[part], "contact": contact[part], "lip": lip[part], **named})
        job.progress("Listening", min(1.0, (start + _CHUNK) / frames))
        if script != "short":
            time.sleep(0.05)
        while script == "stall":
            job.raise_if_cancelled()
            time.sleep(0.02)
    return _result(params, frames)


def _result(params: Mapping[str, Any], frames: int) -> Mapping[str, Any]:
    info = ClipInfo(
        fps=params["fps"],
        audio_path=params["audio_path"],
        audio_offset=params["start"],
        audio_duration=frames / params["fps"] * params["speed"],
        audio_speed=params["speed"],
        seed=params["seed"],
        controls=params["controls"],
    )
    return {"info": asdict(info), "frames": frames}


def style(params: Mapping[str, Any], arrays: Mapping[str, Array], _job: JobContext) -> Mapping[str, Any]:
    """A jaw slider that tells the mean of jawOpen, and an effort that tells the frames' share of 1000."""
    assert Path(params["audio_path"]).is_file()
    weights = arrays["weights"]
    frames = frame_count(params["duration"] / params["speed"], params["fps"])
    return {"style": {"jaw": float(weights[:, ARKIT_INDEX["jawOpen"]].mean()), "effort": frames / 1000}}


def main() -> None:
    """Serve as `vividtalk serve` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--handoff", type=Path)
    parser.add_argument("--parent-pid", type=int)
    options = parser.parse_args()
    video = {"render": fake_video.render, "still": fake_video.still, "fit": fake_video.fit}
    handlers = {"animate": animate, "style": style, **video}
    serve(handlers, ServeConfig(handoff_path=options.handoff, parent_pid=options.parent_pid))


if __name__ == "__main__":
    main()
