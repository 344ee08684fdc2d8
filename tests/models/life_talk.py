"""Talk for the tests of life: activity with phrases and pauses, and the plans that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.life.blinks import Blink, BlinkPlan
from models.life.breath import Breath, BreathPlan
from models.life.gaze import GazePlan, Saccade
from models.life.speech import SpeechTicks
from training.evaluate.life import conversation as phrases
from training.evaluate.life import lingering

FPS = 25.0


def conversation(seconds: float, seed: int) -> Array:
    """Voice [F] at `FPS` with phrases and pauses."""
    return phrases(seconds, FPS, seed)


@dataclass(frozen=True)
class Planned:
    """What the plans decide over `seconds`; `starts` and `stops` of the voice in seconds."""

    seconds: float
    blinks: list[Blink]
    saccades: list[Saccade]
    breaths: list[Breath]
    starts: Array
    stops: Array


def planned(voice: Array, seed: int, rate: float = 1.0) -> Planned:
    """Run the plans over `voice` [F] at `FPS`."""
    clock = SpeechTicks(FPS)
    ticks = clock.push(lingering(voice, FPS)) + clock.finish(len(voice) / FPS)
    gaze, blink, breath = GazePlan(seed), BlinkPlan(seed, rate), BreathPlan(seed)
    looks = [gaze.step(tick) for tick in ticks]
    closures = [blink.step(tick, look) for tick, look in zip(ticks, looks, strict=True)]
    drawn = [breath.step(tick) for tick in ticks]
    return Planned(
        len(voice) / FPS,
        [part for parts in closures for part in parts],
        [look for look in looks if look is not None],
        [one for one in drawn if one is not None],
        np.array([tick.time for tick in ticks if tick.until_start == 0.0]),
        np.array([tick.time for tick in ticks if tick.until_stop == 0.0]),
    )
