"""The sync expert: how surely a sound and a motion belong together, and how far apart in time they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array

from ..audio.mel import SAMPLE_RATE
from ..audio.stream import FeatureStream
from .checkpoint import Calibration, SyncCheckpoint, read_sync
from .matching import Match, Peak, match, peak_near, peak_of
from .measures import MEASURES, resampled, standardised
from .network import RATE, SyncNetwork

DEFAULT_WEIGHTS = Path(__file__).parent.parent / "assets" / "sync.safetensors"
SHORTEST = 1.0  # seconds of motion below which nothing is said (our choice)
_AROUND = 1  # seconds to either side that a second of the curve is judged with
_LONGEST_WINDOW = 3000  # frames embedded at once; bounds memory
_CONTEXT = 50  # frames; more than an embedding sees


@dataclass(frozen=True)
class SyncScore:
    """What the expert says of a sound and a motion.

    Attributes:
        confidence: probability, 0-1, that they belong together at some offset within a second.
        offset_seconds: how much later the motion is than the sound at their best.
        margin: mean similarity at the best offset minus the median over offsets.
        curve: [seconds of sound] f32 the same probability for 3 s around each second, at the best offset of
            the whole.
    """

    confidence: float
    offset_seconds: float
    margin: float
    curve: Array


class SyncModel:
    """Weights that compare a sound with a mouth. They judge; they are never trained against.

    Attributes:
        checkpoint: the network with its calibration, id and licence.
    """

    def __init__(self, checkpoint: SyncCheckpoint) -> None:
        self.checkpoint = checkpoint

    @classmethod
    def load(cls, path: Path | None = None) -> SyncModel:
        """The model at `path`, by default the shipped one. Raises `ModelError`."""
        return cls(read_sync(DEFAULT_WEIGHTS if path is None else Path(path)))

    def measure(self, weights: Array) -> Array:
        """[F, 52] ARKit weights of any face -> [F, 5] measures, on the built-in head."""
        return self.checkpoint.meter.measure(weights)

    def score(self, samples: Array, motion: Array, fps: float) -> SyncScore:
        """Judge a pair.

        Args:
            samples: [n] f32 mono at 16 kHz.
            motion: [F, 5] measures in metres, `MEASURES` order, NaN in columns that are not known.
            fps: frame i of the motion is at i / fps seconds of the sound.

        Raises:
            InputError: there is less than a second of either, or no measure is known.
        """
        return judge(self.compare(samples, motion, fps), self.checkpoint.calibration)

    def compare(self, samples: Array, motion: Array, fps: float) -> Match:
        """Likeness at every offset; arguments as for `score`."""
        _check(samples, motion, fps)
        network = self.checkpoint.network
        return match(embed_sound(network, samples), embed_mouth(network, motion, fps))


def judge(found: Match, calibration: Calibration) -> SyncScore:
    """Confidence and offset from likeness at every offset."""
    seconds = float(found.frames.max(1).sum()) / RATE
    peak = peak_of(found.profile())
    curve = np.zeros(len(found.sums), np.float32)
    for i in range(len(curve)):
        near = slice(max(0, i - _AROUND), i + _AROUND + 1)
        local = peak_near(found.profile(near), peak.offset)
        curve[i] = probability(local, float(found.frames[near].max(1).sum()) / RATE, calibration)
    return SyncScore(probability(peak, seconds, calibration), peak.offset, peak.margin, curve)


def probability(peak: Peak, seconds: float, calibration: Calibration) -> float:
    """0-1 by the calibrated log odds."""
    weight = float(np.sqrt(seconds))
    odds = calibration.bias + weight * (calibration.margin * peak.margin + calibration.lead * peak.lead)
    return float(1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0))))


def embed_sound(network: SyncNetwork, samples: Array) -> Array:
    """[n] samples at 16 kHz -> [F, D] unit vectors at 50 per second."""
    listener = FeatureStream()
    features = np.concatenate([listener.push(np.asarray(samples, np.float32)), listener.finish()])
    device = network.log_scale.device
    parts: list[Array] = []
    for first in range(0, len(features) // 2, _LONGEST_WINDOW):
        begin = max(0, first - _CONTEXT)
        window = features[2 * begin : 2 * (first + _LONGEST_WINDOW + _CONTEXT)]
        with torch.inference_mode():
            vectors = network.embed_audio(torch.from_numpy(window)[None].to(device))[0]
        parts.append(vectors[first - begin : first - begin + _LONGEST_WINDOW].cpu().numpy())
    frames = len(samples) * RATE // SAMPLE_RATE + 1
    return np.asarray(np.concatenate(parts)[:frames])


def embed_mouth(network: SyncNetwork, motion: Array, fps: float) -> Array:
    """[F, 5] measures at `fps` -> [F', D] unit vectors at 50 per second."""
    values, known = standardised(resampled(motion, fps, RATE))
    with torch.inference_mode():
        row, mask = (torch.from_numpy(part)[None].to(network.log_scale.device) for part in (values, known))
        vectors = network.embed_motion(row, mask)
    return np.asarray(vectors[0].cpu().numpy())


def _check(samples: Array, motion: Array, fps: float) -> None:
    if motion.ndim != 2 or motion.shape[1] != len(MEASURES):
        raise InputError(f"motion has shape {motion.shape}, expected (frames, {len(MEASURES)})")
    seconds = min(len(samples) / SAMPLE_RATE, len(motion) / fps)
    if seconds < SHORTEST:
        raise InputError(f"{seconds:.2f} s of sound and motion are too short", "Give a second or more")
    if not np.isfinite(motion).all(0).any():
        raise InputError("no measure of the mouth is known in every frame", "Give at least gap or width")
