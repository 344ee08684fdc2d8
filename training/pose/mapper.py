"""Training the mapper: which code comes next, given the sound, the style and the codes before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from blender_addon.protocol.clip import POSE_CODE_STRIDE
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.pose.checkpoint import (
    MapperCheckpoint,
    PoseIdentity,
    Sampling,
    digest,
    read_codebook,
    read_mapper,
    write_mapper,
)
from models.pose.mapper import (
    FRAMES_AFTER,
    FRAMES_BEFORE,
    Conditions,
    MapperConfig,
    MapperNetwork,
    around_steps,
)
from models.pose.model import DEFAULT_CODEBOOK
from models.pose.network import PoseCodec

from ..loop.config import LoopConfig, smoke
from ..loop.task import SCORE, TOTAL, RunFacts
from ..loop.yaml_config import aside
from .cards import FROM_OTHERS, mapper_card
from .data import HELD, TRAINED, BankConfig, PoseBank, Windows, pose_bank, read_bank

MODEL_ID, LICENCE = "vividtalk-pose-mapper-1", "CC0-1.0"
_CHECKED = 96  # windows of held-out voices
_MAPPED = 4
_SHIFTED = 7  # windows by which sounds are exchanged, to see what the right one is worth


@dataclass(frozen=True)
class MapperRun:
    """One training run of the mapper.

    Attributes:
        bank, corpus, clips, motion: as of `CodebookRun`; the two may share a bank.
        codebook: weights whose codes are learned; they stay as they are.
        source: weights to start from.
        shape: of the network; the codebook's sizes replace those in it.
        batch, steps: windows at once and their length in codes.
        unheard: share of windows whose sound is left out, for guidance.
        jumbled: share of the given codes that are others, as the network's own are not always right.
        map_weight: of the distance of the expected code and its pose from the true ones.
        sampling: how codes are chosen with these weights by default.
    """

    bank: Path = aside(Path("pose-bank"))
    corpus: Path = aside(Path("corpus"))
    clips: Path | None = aside(None)
    codebook: Path = aside(DEFAULT_CODEBOOK)
    source: Path | None = aside(None)
    motion: BankConfig = field(default_factory=BankConfig)
    shape: MapperConfig = field(default_factory=MapperConfig)
    batch: int = 32
    steps: int = 72
    unheard: float = 0.15
    jumbled: float = 0.04
    map_weight: float = 0.1
    sampling: Sampling = field(default_factory=Sampling)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=4000, learning_rate=1e-3, validate_every=500, ema=0.995)
    )


def smoke_run(run: MapperRun) -> MapperRun:
    """`run` in seconds: few steps of few windows of a small bank."""
    motion = replace(run.motion, scenes=2, held=1, seconds=12.0, motions=2)
    return replace(run, loop=smoke(run.loop), motion=motion, batch=4, steps=24)


@dataclass(frozen=True)
class MapperBatch:
    """Attributes:
    conditions: what the steps depend on.
    given: [B, T, D] codebook vectors of the codes, some of them others.
    codes: [B, T, L] i64 the true ones; poses: [B, 4 T, 6] over the codebook's scale.
    """

    conditions: Conditions
    given: Tensor
    codes: Tensor
    poses: Tensor


class MapperTask:
    """The `Task` of the training loop."""

    name = "pose-mapper"

    def __init__(self, run: MapperRun) -> None:
        """Open bank and codebook, and turn all motion into codes. Raises `InputError` or `ModelError`."""
        self._run = run
        self._codec = read_codebook(run.codebook).codec
        config = self._codec.config
        self._shape = replace(run.shape, width=config.width, levels=config.levels)
        self._source = None if run.source is None else read_mapper(run.source).network
        if self._source is not None and (self._source.config.width, self._source.config.levels) != (
            config.width,
            config.levels,
        ):
            raise InputError(f"{run.source} is for another kind of codebook", "Start from none")
        pose_bank(run.bank, run.corpus, run.motion, run.clips)
        self._trained, self._held = (CodedBank(read_bank(run.bank, p), self._codec) for p in (TRAINED, HELD))

    def network(self) -> MapperNetwork:
        """A new network, or the one to start from."""
        if self._source is None:
            return MapperNetwork(self._shape)
        network = MapperNetwork(self._source.config)
        network.load_state_dict(self._source.state_dict())
        return network

    def batch(self, step: int) -> MapperBatch:
        """Batch `step`."""
        run, rng = self._run, np.random.default_rng([self._run.loop.seed, step])
        return self._trained.draw(run.batch, run.steps, (run.unheard, run.jumbled), rng)

    def losses(self, network: nn.Module, batch: MapperBatch) -> Mapping[str, Tensor]:
        """Cross-entropy of the codes, and the distance of what is expected from what is true."""
        assert isinstance(network, MapperNetwork)
        logits = network(batch.codes, batch.given, batch.conditions).float()
        entropy = functional.cross_entropy(logits.flatten(0, 2), batch.codes.flatten())
        expected = map_loss(logits, batch, self._codec)
        return {TOTAL: entropy + self._run.map_weight * expected, "entropy": entropy, "map": expected}

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Cross-entropy on voices held out, with the right sound, another one and none."""
        assert isinstance(network, MapperNetwork)
        rng = np.random.default_rng(1)
        batch = self._held.draw(_CHECKED, self._run.steps, (0.0, 0.0), rng)
        told = batch.conditions
        other = replace(told, sound=told.sound.roll(_SHIFTED, 0))
        none = replace(told, hears=torch.zeros_like(told.hears))
        names = {"entropy": told, "entropy_other_sound": other, "entropy_no_sound": none}
        scores = {
            name: float(
                functional.cross_entropy(
                    network(batch.codes, batch.given, one).float().flatten(0, 2), batch.codes.flatten()
                )
            )
            for name, one in names.items()
        }
        return {SCORE: -scores["entropy"], **scores}

    def write(self, path: Path, network: nn.Module, facts: RunFacts) -> None:
        """The weights, with the digest of their codebook."""
        assert isinstance(network, MapperNetwork)
        training = {"seed": facts.seed, "step": facts.step, "scores": dict(facts.scores)}
        identity = PoseIdentity(MODEL_ID, LICENCE, training)
        write_mapper(path, MapperCheckpoint(network, identity, self._run.sampling, digest(self._codec)))

    def card(self, facts: RunFacts) -> str:
        """What a reader of the weights should know."""
        card = mapper_card(facts, (MODEL_ID, LICENCE), self._trained.bank, self._run.clips is not None)
        return card if self._run.source is None else card + FROM_OTHERS


class CodedBank:
    """A bank with the codes of all its motion."""

    def __init__(self, bank: PoseBank, codec: PoseCodec) -> None:
        self.bank, self._codec = bank, codec
        self._codes = [_codes_of(scene.poses, codec) for scene in bank.scenes]  # each [K, T, L]

    def draw(
        self, count: int, steps: int, shares: tuple[float, float], rng: np.random.Generator
    ) -> MapperBatch:
        """Random windows of `steps`; `shares` of unheard sounds and jumbled codes."""
        frames = steps * POSE_CODE_STRIDE
        windows = self.bank.draw(count, frames, rng, FRAMES_BEFORE, FRAMES_AFTER)
        codes = torch.from_numpy(np.stack([self._at(place, steps) for place in windows.place]))
        hears = torch.from_numpy(rng.random(count) >= shares[0])
        return MapperBatch(
            conditions=_conditions(windows, steps, hears, self._codec.scale),
            given=self._codec.quantiser.vectors(_jumbled(codes, shares[1], rng)),
            codes=codes,
            poses=torch.from_numpy(windows.poses) / self._codec.scale,
        )

    def _at(self, place: Array, steps: int) -> Array:
        """[steps, L]; past the scene's end its last code."""
        scene, head, first = (int(value) for value in place)
        codes = self._codes[scene][head]
        index = np.arange(steps) + first // POSE_CODE_STRIDE
        return np.asarray(codes[np.minimum(index, len(codes) - 1)])


@torch.no_grad()
def _codes_of(poses: Array, codec: PoseCodec) -> Array:
    return np.concatenate([codec.encode(torch.from_numpy(np.array(one))[None]).numpy() for one in poses])


def _conditions(windows: Windows, steps: int, hears: Tensor, scale: Tensor) -> Conditions:
    return Conditions(
        sound=around_steps(torch.from_numpy(windows.heard), steps),
        hears=hears,
        style=torch.from_numpy(windows.styles),
        start=torch.from_numpy(windows.start) / scale,
    )


def _jumbled(codes: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """`codes` [B, T, L], some steps replaced by those of other windows."""
    other = codes.roll(1 + int(rng.integers(len(codes))), 0)
    replaced = torch.from_numpy(rng.random(codes.shape[:2]) < share)
    return torch.where(replaced[..., None], other, codes)


def map_loss(logits: Tensor, batch: MapperBatch, codec: PoseCodec) -> Tensor:
    """L_map: squared distance of the expected code vector from the true one, and of the poses they decode to.

    `logits` [B, T, L, K]. Codebook and decoder are frozen; distances are over what is there to explain. One
    window of `_MAPPED` is looked at: decoding costs as much as choosing.
    """
    expected = torch.einsum("btlk,lkd->btd", logits[::_MAPPED].softmax(-1), codec.quantiser.codes)
    true = codec.quantiser.vectors(batch.codes[::_MAPPED])
    vectors = (expected - true).square().mean() / true.var()
    result: Tensor = vectors + (codec.decoder(expected) - batch.poses[::_MAPPED]).square().mean()
    return result
