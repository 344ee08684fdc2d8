"""A sheet of the signs of life: blinks, gaze and breath under a waveform, frames of a blink and a saccade."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from backend.demo import DEMO_VOICE
from backend.devices import load_motion_models
from backend.faces import talking_face
from backend.media.audio import SAMPLE_RATE, read_audio
from backend.pipeline import AnimateRequest, Samples, animate
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.tensorfile import Array
from models.face import load_head
from models.render import Camera, PreviewRenderer

_SILENCES = ((0.0, 2.0), (3.40, 1.0), (5.43, 0.6), (6.9, 3.5))  # at seconds of the shipped line, so long
_EYES = Camera(target=(0.0, -0.05, 0.002), span=0.07, yaw=0.0, pitch=0.0)
_SHOWN = 7  # frames of each event
_SEED = 8
_ROW = 2.1  # inches


def life(out: Path) -> None:
    """Traces of one take of the shipped line with pauses, and two moments of it close by."""
    sound = _with_pauses(read_audio(DEMO_VOICE))
    request = AnimateRequest(Samples(sound, SAMPLE_RATE), seed=_SEED, face=talking_face(None))
    clip = animate(request, load_motion_models("auto"))
    moments = {"a blink": _blink(clip), "a saccade": _saccade(clip)}
    figure = plt.figure(figsize=(16, _ROW * 6.8), layout="constrained")
    grid = figure.add_gridspec(7, 1, height_ratios=[0.8, 0.8, 1.1, 1.1, 0.9, 1.1, 1.1])
    axes = [figure.add_subplot(grid[row]) for row in range(7)]
    _traces(axes[:5], sound, clip)
    renderer = PreviewRenderer(load_head(None), (260, 130), _EYES)
    for axis, (name, first) in zip(axes[5:], moments.items(), strict=True):
        _pictures(axis, renderer, clip, name, first)
        for trace in axes[:5]:
            trace.axvspan(first / clip.info.fps, (first + _SHOWN) / clip.info.fps, color="0.9", lw=0)
    figure.savefig(out, dpi=75)
    plt.close(figure)


def _with_pauses(voice: Array) -> Array:
    parts, last = [], 0
    for at, seconds in _SILENCES:
        cut = min(round(at * SAMPLE_RATE), len(voice))
        parts += [voice[last:cut], np.zeros(round(seconds * SAMPLE_RATE), np.float32)]
        last = cut
    return np.concatenate([*parts, voice[last:]])


def _traces(axes: list[plt.Axes], sound: Array, clip: MotionClip) -> None:
    wave, lids, across, along, air = axes
    wave.plot(np.arange(len(sound)) / SAMPLE_RATE, sound, lw=0.3, color="black")
    wave.set_ylabel("sound")
    wave.set_xlim(0, clip.duration)
    blink, breath = clip.layers["blink"]["weights"], clip.layers["breath"]
    _lines(lids, clip, {name: blink[:, ARKIT_INDEX[name]] for name in ("eyeBlinkLeft", "eyeSquintLeft")})
    gaze = np.degrees(clip.layers["gaze"]["gaze"])
    head = np.degrees(clip.pose)
    for axis, turn, eye in ((across, head[:, 2], gaze[:, 1::2]), (along, -head[:, 0], gaze[:, 0::2])):
        _lines(axis, clip, {"head": turn, "eyes": eye.mean(1), "gaze: both": turn + eye.mean(1)})
    lids.set_ylabel("blinks")
    across.set_ylabel("degrees left")
    along.set_ylabel("degrees up")
    lift = {"lift, mm": 1e3 * breath["pose"][:, 5], "tilt back, degrees": -np.degrees(breath["pose"][:, 0])}
    jaw = {"jawOpen x 10": 10 * breath["weights"][:, ARKIT_INDEX["jawOpen"]]}
    _lines(air, clip, {**lift, **jaw})
    air.set_ylabel("breath")
    air.set_xlabel("seconds")


def _lines(axis: plt.Axes, clip: MotionClip, lines: dict[str, Array]) -> None:
    times = np.arange(clip.frames) / clip.info.fps
    for (name, values), color in zip(lines.items(), ("tab:blue", "tab:orange", "black"), strict=False):
        axis.plot(times, values, lw=1.1, color=color, label=name)
    axis.legend(loc="upper right", fontsize=8, ncols=3)
    axis.set_xlim(0, clip.duration)
    axis.margins(x=0)


def _blink(clip: MotionClip) -> int:
    """The frame before the first whole blink."""
    lid = clip.layers["blink"]["weights"][:, ARKIT_INDEX["eyeBlinkLeft"]]
    return max(int(np.argmax(lid > 0.95)) - 2, 0)


def _saccade(clip: MotionClip) -> int:
    """The frame before the largest jump of gaze that no blink hides."""
    step = np.hypot(*np.diff(clip.layers["gaze"]["gaze"][:, :2], axis=0).T)
    shut = clip.layers["blink"]["weights"][:, ARKIT_INDEX["eyeBlinkLeft"]] > 0.05
    hidden = np.convolve(shut, np.ones(2 * _SHOWN + 1), "same")[1:] > 0
    return max(int(np.argmax(np.where(hidden, 0.0, step))) - 2, 0)


def _pictures(axis: plt.Axes, renderer: PreviewRenderer, clip: MotionClip, name: str, first: int) -> None:
    rows = range(first, min(first + _SHOWN, clip.frames))
    frames = [renderer.frame(clip.weights[row], clip.pose[row], None) for row in rows]
    axis.imshow(np.concatenate(frames, axis=1))
    axis.set_xticks([(i + 0.5) * frames[0].shape[1] for i in range(len(frames))])
    axis.set_xticklabels([f"{row / clip.info.fps:.2f} s" for row in rows], fontsize=8)
    axis.set_yticks([])
    axis.set_ylabel(name)
