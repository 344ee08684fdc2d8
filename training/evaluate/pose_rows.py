"""Who moves the head in the table: the prior itself, two baselines, and the codebook."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_addon.protocol.controls import PoseStyle
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.pose import PoseModel
from models.pose.hearing import heard

from ..pose.baselines import read_baseline
from ..pose.prior import sample_motion, speech_events
from .pose_measures import RATE
from .pose_sounds import PoseSound

Draw = Callable[[int], Array]  # a seed -> [T, 6]
Mover = Callable[[PoseSound], Draw]
_PLAIN = PoseStyle()


@dataclass(frozen=True)
class Takes:
    """motions: [S, T, 6]. speed: seconds of motion that one second of one processor makes."""

    motions: Array
    speed: float


def takes_of(mover: Mover, sound: PoseSound, seeds: range) -> Takes:
    """One motion of the sound for each seed."""
    started = time.process_time()
    draw = mover(sound)
    motions = [np.asarray(draw(seed), np.float64)[: sound.frames] for seed in seeds]
    seconds = len(seeds) * len(sound.samples) / SAMPLE_RATE
    return Takes(np.stack(motions), seconds / (time.process_time() - started))


def of_prior(style: PoseStyle = _PLAIN) -> Mover:
    """The generative model that the weights are trained on."""

    def mover(sound: PoseSound) -> Draw:
        events = speech_events(sound.samples, sound.phones)
        return lambda seed: sample_motion(events, style, np.random.default_rng([seed]))

    return mover


def of_model(model: PoseModel, style: PoseStyle = _PLAIN) -> Mover:
    """The codebook and its mapper, as the product runs them."""

    def mover(sound: PoseSound) -> Draw:
        def draw(seed: int) -> Array:
            stream = model.stream(RATE, seed=seed, style=style)
            return np.concatenate([stream.push(sound.samples).pose, stream.finish().pose])

        return draw

    return mover


def of_baseline(weights: Path, style: PoseStyle = _PLAIN) -> Mover:
    """A network of `training.pose.baselines`."""
    network = read_baseline(weights)
    known = torch.from_numpy(style.vector())

    def mover(sound: PoseSound) -> Draw:
        sounds = torch.from_numpy(heard(sound.samples, sound.frames))
        return lambda seed: network.draw(sounds, known, seed).numpy()

    return mover
