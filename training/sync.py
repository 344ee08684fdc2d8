"""Training the sync expert: sound and motion of the same moment are to be alike, of others not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.face import load_head
from models.sync.checkpoint import SyncCheckpoint, write_sync
from models.sync.measures import MouthMeter
from models.sync.network import RATE, SyncConfig, SyncNetwork

from .articulation import class_at
from .batches import hear, with_level
from .corpus.build import DEVELOPMENT_SOURCES
from .corpus.store import read_source
from .expression import training_pool
from .loop.config import LoopConfig, smoke
from .loop.task import SCORE, TOTAL, RunFacts
from .loop.yaml_config import aside
from .phones import CLASS_INDEX, SILENCE
from .scenes import Pool, SceneMix, make_scene
from .sync_motion import seen_motion
from .sync_pairs import Judged, calibrated, draw_pairs, judge_pairs

_NEAR = 2  # frames, 40 ms: nearer shifts count as together, with a Gaussian share
_NEAR_WIDTH = 1.2  # frames
_FAR = 50  # frames, 1 s: the farthest shift inside a clip
_SPAN = 25  # frames whose similarities are judged together
_CHUNK = 32  # frames of a piece that is told from the other clips' pieces
_SPOKEN = 0.3  # share of a chunk that must be speech for it to be told apart
_HIGHEST_SCALE = 60.0
_CHECK_PAIRS, _CHECK_SECONDS = 100, 3.0
_CALIBRATION_PAIRS, _CALIBRATION_SECONDS = 160, (1.0, 8.0)
MODEL_ID, LICENCE = "vividtalk-sync-1", "CC0-1.0"


@dataclass(frozen=True)
class SyncRun:
    """One training: the corpus folder, scenes per batch, their frames at 50 per second, and the loop."""

    corpus: Path = aside(Path("corpus"))
    scenes: int = 12
    frames: int = 256
    shape: SyncConfig = field(default_factory=SyncConfig)
    mix: SceneMix = field(default_factory=lambda: SceneMix(nonspeech_share=0.03))
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=300, warm_up=40, ema=0.99, validate_every=100)
    )

    def __post_init__(self) -> None:
        if self.scenes < 2 or self.frames < 2 * _FAR + _SPAN or self.frames % _CHUNK:
            raise ValueError(f"{self.scenes} scenes of {self.frames} frames leave nothing to tell apart")


def smoke_run(run: SyncRun) -> SyncRun:
    """`run` in seconds: few steps of few scenes. It is judged as a long one is."""
    return replace(run, scenes=2, frames=128, loop=smoke(run.loop))


@dataclass(frozen=True)
class SyncBatch:
    """Attributes:
    features: [B, 2F, MELS].
    measures: [B, F, 5] standardised.
    known: [B, 5] 1 where a measure is known.
    spoken: [B, F] 1 where somebody speaks.
    """

    features: Tensor
    measures: Tensor
    known: Tensor
    spoken: Tensor


def make_sync_batch(pool: Pool, run: SyncRun, meter: MouthMeter, rng: np.random.Generator) -> SyncBatch:
    """Random scenes; each heard by some microphone and seen by some camera."""
    times = np.arange(run.frames) / RATE
    heard, rows = [], []
    for _ in range(run.scenes):
        scene = make_scene(pool, run.frames / RATE, run.mix, rng)
        heard.append(hear(torch.from_numpy(scene.samples), rng))
        spoken = class_at(scene.phones, times) != CLASS_INDEX[SILENCE]
        rows.append((*seen_motion(scene.phones, run.frames, meter, rng), spoken.astype(np.float32)))
    measures, known, speech = (torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))
    return SyncBatch(torch.from_numpy(with_level(torch.stack(heard))), measures, known, speech)


def sync_losses(network: SyncNetwork, batch: SyncBatch) -> dict[str, Tensor]:
    """Contrast over shifts inside a clip, from both sides, and over the pieces of all clips."""
    audio = network.embed_audio(batch.features).float()  # [B, F, D]
    motion = network.embed_motion(batch.measures, batch.known).float()
    scale = network.log_scale.exp().clamp(max=_HIGHEST_SCALE)
    alike = audio @ motion.transpose(1, 2)  # [B, F, F]
    shifts = (_shift_loss(alike, scale) + _shift_loss(alike.transpose(1, 2), scale)) / 2.0
    clips = _clip_loss(audio, motion, batch.spoken, scale)
    return {TOTAL: shifts + clips, "shifts": shifts, "clips": clips}


def _shift_loss(alike: Tensor, scale: Tensor) -> Tensor:
    """[B, F, F] similarities -> cross-entropy of the shift, -1 s to 1 s, that each span belongs to."""
    frames = alike.shape[1]
    shift = torch.arange(-_FAR, _FAR + 1, device=alike.device)
    centre = torch.arange(_FAR, frames - _FAR, device=alike.device)
    shifted = alike[:, centre[:, None], centre[:, None] + shift]  # [B, n, 2 * _FAR + 1]
    spans = functional.avg_pool1d(shifted.transpose(1, 2), _SPAN, stride=_SPAN // 2).transpose(1, 2)
    near = torch.exp(-0.5 * (shift / _NEAR_WIDTH) ** 2) * (shift.abs() <= _NEAR)
    return -(functional.log_softmax(scale * spans, -1) @ (near / near.sum())).mean()


def _clip_loss(audio: Tensor, motion: Tensor, spoken: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of finding the motion of each spoken piece of sound among all pieces, and back."""
    told = spoken.reshape(-1, _CHUNK).mean(1) > _SPOKEN
    sounds = audio.reshape(len(told), -1) / _CHUNK
    alike = scale * sounds @ motion.reshape(len(told), -1).T
    own = torch.arange(len(told), device=told.device)
    loss = functional.cross_entropy(alike[told], own[told]) + functional.cross_entropy(
        alike.T[told], own[told]
    )
    return loss / 2.0


class SyncTask:
    """The sync expert as a task of the training loop."""

    name = "sync"

    def __init__(self, run: SyncRun) -> None:
        self._run = run
        self._pool = training_pool(run.corpus)
        unheard = tuple(read_source(run.corpus, name) for name in DEVELOPMENT_SOURCES)
        self._unheard = Pool(unheard, (1.0 / len(unheard),) * len(unheard))
        self._meter = MouthMeter.of(load_head())

    def network(self) -> SyncNetwork:
        """A new network."""
        return SyncNetwork(self._run.shape)

    def batch(self, step: int) -> SyncBatch:
        """Batch `step`."""
        rng = np.random.default_rng([self._run.loop.seed, step])
        return make_sync_batch(self._pool, self._run, self._meter, rng)

    def losses(self, network: nn.Module, batch: SyncBatch) -> Mapping[str, Tensor]:
        """Total, shifts and clips."""
        assert isinstance(network, SyncNetwork)
        return sync_losses(network, batch)

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """On voices that are not trained on: offsets right to 40 ms, own motion told from foreign."""
        judged = self._judged(network, _CHECK_PAIRS, (_CHECK_SECONDS, _CHECK_SECONDS), seed=1)
        return {
            SCORE: (judged.within_40_ms + judged.auc) / 2.0,
            "within_40_ms": judged.within_40_ms,
            "auc": judged.auc,
        }

    def write(self, path: Path, network: nn.Module, facts: RunFacts) -> None:
        """The weights with their calibration, found on voices that are not trained on."""
        assert isinstance(network, SyncNetwork)
        calibration = calibrated(self._judged(network, _CALIBRATION_PAIRS, _CALIBRATION_SECONDS, seed=2))
        about = {"seed": facts.seed, "step": facts.step, "scores": dict(facts.scores)}
        write_sync(
            path, SyncCheckpoint(network, self._run.shape, calibration, self._meter, MODEL_ID, LICENCE, about)
        )

    def card(self, facts: RunFacts) -> str:
        """What a reader of the weights should know."""
        scores = ", ".join(f"{name} {value:.4f}" for name, value in facts.scores.items())
        return (
            f"# {MODEL_ID}\n\nJudges whether a sound and a mouth belong together, and by how much they are "
            f"apart. {facts.parameters:,} parameters, 16-bit floats; licence {LICENCE}.\n\n"
            f"Step {facts.step} of {facts.steps}, {facts.seconds / 60.0:.0f} minutes on {facts.device}; on "
            f"voices not trained on, pairs of {_CHECK_SECONDS:g} s: {scores}.\n\n```yaml\n{facts.config}```\n"
        )

    def _judged(self, network: nn.Module, count: int, seconds: tuple[float, float], seed: int) -> Judged:
        assert isinstance(network, SyncNetwork)
        return judge_pairs(network, draw_pairs(self._unheard, self._meter, count, seconds, seed))
