"""Pairs of sound and motion of voices that were not trained on: is the expert right about them, and sure?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import rankdata

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.sync.checkpoint import Calibration
from models.sync.matching import Peak, match, peak_of
from models.sync.measures import MouthMeter
from models.sync.model import embed_mouth, embed_sound
from models.sync.network import RATE, SyncNetwork

from .phones import Phones
from .scenes import Pool, SceneMix, make_scene
from .sync_motion import filmed, mask_of, spoken_measures, with_manner

FARTHEST = 0.4  # seconds: true offsets are drawn from -0.4 to 0.4
_MARGIN = 0.5  # seconds of sound around a pair, so that a shifted motion has something to say
_MIX = SceneMix(nonspeech_share=0.0)
_HIT = 0.04  # seconds


@dataclass(frozen=True)
class Pair:
    """A sound [n] at 16 kHz, a motion [F, 5] at fps, and by how many seconds the motion is late."""

    samples: Array
    motion: Array
    fps: float
    offset: float


@dataclass(frozen=True)
class Judged:
    """What the expert says about pairs.

    Attributes:
        errors: [n] offset found minus true offset, seconds.
        own, foreign: peaks of the pairs and of each sound with the next pair's motion.
        seconds: [n] of each pair.
    """

    errors: Array
    own: Sequence[Peak]
    foreign: Sequence[Peak]
    seconds: Array

    @property
    def within_40_ms(self) -> float:
        """Share of pairs whose offset is right."""
        return float(np.mean(np.abs(self.errors) <= _HIT))

    @property
    def auc(self) -> float:
        """How well margins tell own from foreign motion."""
        return auc([peak.margin for peak in self.own], [peak.margin for peak in self.foreign])


def draw_pairs(
    pool: Pool, meter: MouthMeter, count: int, seconds: tuple[float, float], seed: int
) -> list[Pair]:
    """Random pairs, `seconds` from shortest to longest, with filmed motion of the pool's voices."""
    rng = np.random.default_rng(seed)
    return [_pair(pool, meter, rng.uniform(*seconds), rng) for _ in range(count)]


def _pair(pool: Pool, meter: MouthMeter, seconds: float, rng: np.random.Generator) -> Pair:
    scene = make_scene(pool, seconds + 2.0 * _MARGIN, _MIX, rng)
    first, offset = int(_MARGIN * SAMPLE_RATE), rng.uniform(-FARTHEST, FARTHEST)
    phones: Phones = scene.phones.shifted(offset - _MARGIN)
    motion, fps = filmed(with_manner(spoken_measures(phones, seconds, meter, rng), rng), rng)
    motion[:, mask_of(rng) == 0.0] = np.nan
    samples = scene.samples[first : first + int(seconds * SAMPLE_RATE)].astype(np.float32)
    return Pair(samples, motion, fps, offset)


def judge_pairs(network: SyncNetwork, pairs: Sequence[Pair]) -> Judged:
    """Offsets and peaks of the pairs, and of each sound with the next one's motion."""
    network.eval()
    sounds = [embed_sound(network, pair.samples) for pair in pairs]
    mouths = [embed_mouth(network, pair.motion, pair.fps) for pair in pairs]
    own = [peak_of(match(a, m).profile()) for a, m in zip(sounds, mouths, strict=True)]
    foreign = [peak_of(match(a, m).profile()) for a, m in zip(sounds, mouths[1:] + mouths[:1], strict=True)]
    return Judged(
        errors=np.array([peak.offset - pair.offset for peak, pair in zip(own, pairs, strict=True)]),
        own=own,
        foreign=foreign,
        seconds=np.array([len(sound) / RATE for sound in sounds]),
    )


def calibrated(judged: Judged) -> Calibration:
    """Logistic regression (maximum likelihood, a slight ridge) of own against foreign pairs."""
    weight = np.sqrt(judged.seconds)
    rows = np.array([[1.0, peak.margin, peak.lead] for peak in [*judged.own, *judged.foreign]])
    rows[:, 1:] *= np.concatenate([weight, weight])[:, None]
    sign = np.repeat([1.0, -1.0], len(weight))

    def cost(parameters: Array) -> float:
        return float(np.logaddexp(0.0, -sign * (rows @ parameters)).mean() + 1e-4 * (parameters**2).sum())

    bounds = [(None, 0.0), (0.0, None), (0.0, None)]  # more likeness never means less trust
    bias, margin, lead = minimize(cost, np.array([-1.0, 1.0, 1.0]), method="L-BFGS-B", bounds=bounds).x
    return Calibration(float(bias), float(margin), float(lead))


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Area under the ROC curve."""
    ranks = rankdata([*positive, *negative])[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))
