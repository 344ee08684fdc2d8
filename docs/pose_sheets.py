"""Sheets of head motion: takes of one line as frames and traces, and their spectrum beside the prior's."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from backend.demo import DEMO_VOICE
from backend.devices import load_motion_models
from backend.faces import talking_face
from backend.media.audio import SAMPLE_RATE, read_audio
from backend.pipeline import AnimateRequest, animate
from blender_addon.protocol.clip import MotionClip
from models.face import load_head
from models.pose import PoseModel
from models.render import Camera, PreviewRenderer
from training.evaluate.pose_figure import draw_spectra
from training.evaluate.pose_measures import spectrum_of
from training.evaluate.pose_rows import of_model, of_prior, takes_of
from training.evaluate.pose_sounds import of_files

_HEAD = Camera(target=(0.0, -0.02, -0.005), span=0.3, yaw=-8.0, pitch=2.0)
_START, _SECONDS, _EVERY = 1.9, 4.0, 0.25  # of the shipped line
_TAKES = range(3)
_SPECTRUM_TAKES = range(24)
_ROWS = ((0, "degrees down"), (2, "degrees left"), (1, "tilt, degrees left"))


def head(out: Path) -> None:
    """Frames of three takes of four seconds, and their traces under the waveform."""
    face, models = talking_face(None), load_motion_models("auto")
    takes = [animate(AnimateRequest(DEMO_VOICE, seed=seed, face=face), models) for seed in _TAKES]
    renderer = PreviewRenderer(load_head(None), (170, 190), _HEAD)
    figure = plt.figure(figsize=(18, 11), layout="constrained")
    grid = figure.add_gridspec(len(takes) + 4, 1, height_ratios=[0.65] * len(takes) + [0.6, 1, 1, 1])
    axes = [figure.add_subplot(grid[row]) for row in range(len(takes) + 4)]
    for seed, (axis, take) in enumerate(zip(axes, takes, strict=False)):
        _frames(axis, renderer, take)
        axis.set_ylabel(f"seed {seed}")
    wave, *traces = axes[len(takes) :]
    sound = read_audio(DEMO_VOICE)
    wave.plot(np.arange(len(sound)) / SAMPLE_RATE, sound, lw=0.4, color="black")
    wave.set_ylabel("sound")
    for axis, (column, label) in zip(traces, _ROWS, strict=True):
        for seed, take in enumerate(takes):
            turned = np.degrees(take.pose[:, column])
            axis.plot(np.arange(take.frames) / take.info.fps, turned, color=f"C{seed}", label=f"seed {seed}")
        axis.set_ylabel(label)
    for axis in (wave, *traces):
        axis.set_xlim(_START, _START + _SECONDS)
    traces[0].legend(loc="upper right", ncols=len(takes))
    traces[-1].set_xlabel("seconds")
    figure.savefig(out, dpi=70, pil_kwargs={"quality": 85})
    plt.close(figure)


def _frames(axis: plt.Axes, renderer: PreviewRenderer, take: MotionClip) -> None:
    moments = _START + _EVERY * (np.arange(round(_SECONDS / _EVERY)) + 0.5)
    rows = np.minimum(np.round(moments * take.info.fps).astype(int), take.frames - 1)
    pictures = [renderer.frame(take.weights[row], take.pose[row], take.lip[row]) for row in rows]
    axis.imshow(np.concatenate(pictures, axis=1))
    axis.set_xticks([])
    axis.set_yticks([])


def spectrum(out: Path) -> None:
    """The spectrum of many takes of the shipped line beside that of the prior on the same line."""
    sound = of_files([("line", np.concatenate([read_audio(DEMO_VOICE), np.zeros(SAMPLE_RATE, np.float32)]))])
    movers = {"prior": of_prior(), "codebook": of_model(PoseModel.load())}
    takes = {name: takes_of(mover, sound, _SPECTRUM_TAKES).motions for name, mover in movers.items()}
    draw_spectra(out, {name: spectrum_of(list(motions)) for name, motions in takes.items()})
