"""`vividtalk evaluate pose`: who moves the head how, beside the reference that the weights were trained on.

The reference is a synthetic prior: to be like it says nothing about being like a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.clip import POSE_CODE_STRIDE
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.pose import PoseModel
from models.pose.checkpoint import read_codebook
from models.pose.hearing import HEARD
from models.pose.model import DEFAULT_CODEBOOK

from ..pose.baselines import CVAE, REGRESSOR, baseline_weights
from ..pose.data import PoseBank, Scene
from ..pose.reconstruction import Reconstruction, measure
from .pose_frechet import Distance
from .pose_judge import PoseJudge, PoseRow
from .pose_measures import Limits
from .pose_rows import Mover, Takes, of_baseline, of_model, of_prior, takes_of
from .pose_sounds import PoseSound, of_corpus, of_files, of_manifest

REFERENCE, PRIOR, CODEBOOK, UNQUANTISED = "reference", "prior, sampled", "codebook", "unquantised"
_REFERENCE_SEEDS = 1000  # and on
MANIFEST = ".jsonl"


@dataclass(frozen=True)
class PoseWeights:
    """What moves the head.

    Attributes:
        codebook, mapper: the shipped ones by default. unquantised: a codebook's weights to be compared with,
            trained without codes.
        baselines: folder that holds the baselines, or is to hold them; None leaves them out.
    """

    codebook: Path | None = None
    mapper: Path | None = None
    unquantised: Path | None = None
    baselines: Path | None = None


@dataclass(frozen=True)
class PosePlan:
    """What is judged, on what.

    Attributes:
        sounds: named [n] f32 at 16 kHz; without any, the manifest's voices, or the corpus' development ones.
        manifest, corpus: see `pose_sounds`; the corpus is also what baselines are trained on.
        minutes: of sound, where sentences are put together. seeds: takes of each row.
    """

    sounds: Sequence[tuple[str, Array]] = ()
    manifest: Path | None = None
    corpus: Path | None = None
    weights: PoseWeights = PoseWeights()
    minutes: float = 10.0
    seeds: int = 8

    def __post_init__(self) -> None:
        if self.minutes <= 0.0 or self.seeds < 2:
            raise InputError(f"{self.minutes:g} minutes and {self.seeds} seeds", "Give some, and two or more")

    def sound(self) -> PoseSound:
        """The sound that heads are moved to. Raises `InputError`."""
        if self.sounds:
            return of_files(self.sounds)
        if self.manifest is not None:
            return of_manifest(self.manifest, self.minutes)
        if self.corpus is not None:
            return of_corpus(self.corpus, self.minutes)
        raise InputError("there is no sound to judge by", "Give sounds, a manifest or --corpus")


@dataclass(frozen=True)
class PoseReport:
    """Attributes:
    rows, takes: by name, the reference first. limits: of the reference. floor: of the Frechet distance.
    kept: what codebooks keep of the reference's motion, by name.
    """

    sound: PoseSound
    rows: Mapping[str, PoseRow]
    takes: Mapping[str, Takes]
    limits: Limits
    floor: Distance
    kept: Mapping[str, Reconstruction]


def evaluate_pose(plan: PosePlan) -> PoseReport:
    """Judge all rows of `plan`.

    Raises:
        InputError, FileFormatError, ModelError: sounds, corpus or weights cannot be used.
    """
    sound, weights = plan.sound(), plan.weights
    reference = takes_of(of_prior(), sound, range(_REFERENCE_SEEDS, _REFERENCE_SEEDS + plan.seeds))
    takes = {REFERENCE: reference}
    takes |= {name: takes_of(mover, sound, range(plan.seeds)) for name, mover in _movers(plan).items()}
    judge = PoseJudge(sound, reference.motions)
    codecs = {CODEBOOK: weights.codebook or DEFAULT_CODEBOOK}
    if weights.unquantised is not None:
        codecs[UNQUANTISED] = weights.unquantised
    return PoseReport(
        sound=sound,
        rows={name: judge.row(found) for name, found in takes.items()},
        takes=takes,
        limits=judge.limits,
        floor=judge.floor,
        kept={name: _kept(path, sound, reference.motions) for name, path in codecs.items()},
    )


def _movers(plan: PosePlan) -> dict[str, Mover]:
    weights = plan.weights
    model, movers = PoseModel.load(weights.codebook, weights.mapper), {PRIOR: of_prior()}
    if weights.baselines is not None:
        for kind in (REGRESSOR, CVAE):
            movers[kind] = of_baseline(baseline_weights(kind, weights.baselines, plan.corpus))
    return {**movers, CODEBOOK: of_model(model)}


def _kept(codebook: Path, sound: PoseSound, motions: Array) -> Reconstruction:
    """What a codebook keeps of motions [S, T, 6] of the sound."""
    scenes = []
    for piece in sound.pieces:
        last = piece.first + (piece.last - piece.first) // POSE_CODE_STRIDE * POSE_CODE_STRIDE
        poses = motions[:, piece.first : last].astype(np.float32)
        scenes.append(Scene(np.zeros((poses.shape[1], HEARD)), poses, np.zeros((len(poses), 0))))
    return measure(read_codebook(codebook).codec, PoseBank(scenes))
