"""`vividtalk evaluate pose`: who moves the head how, beside the reference that the weights were trained on.

The reference is a synthetic prior: to be like it says nothing about being like a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.pose import PoseModel
from models.pose.checkpoint import read_codebook
from models.pose.model import DEFAULT_CODEBOOK

from ..pose.baselines import CVAE, REGRESSOR, baseline_weights
from .pose_frechet import Distance
from .pose_judge import PoseJudge, PoseRow
from .pose_measures import Limits
from .pose_reconstruction import Reconstruction, reconstruct
from .pose_rows import Mover, Takes, of_baseline, of_model, of_prior, takes_of
from .pose_sounds import PoseSound, of_corpus, of_files, of_manifest

REFERENCE, PRIOR, CODEBOOK, UNQUANTISED = "reference", "prior, sampled", "codebook", "unquantised"
_REFERENCE_SEEDS = 1000  # and on
MANIFEST = ".jsonl"


@dataclass(frozen=True)
class PosePlan:
    """What is judged, on what.

    Attributes:
        sounds: named [n] f32 at 16 kHz; without any, the manifest's voices, or the corpus' development ones.
        manifest, corpus: see `pose_sounds`; the corpus is also what baselines are trained on.
        baselines: folder that holds them, or is to hold them; None leaves them out.
        codebook, mapper: weights, the shipped ones by default. unquantised: a codebook's weights to be
            compared with, trained without codes.
        minutes: of sound, where sentences are put together. seeds: takes of each row.
    """

    sounds: Sequence[tuple[str, Array]] = ()
    manifest: Path | None = None
    corpus: Path | None = None
    baselines: Path | None = None
    codebook: Path | None = None
    mapper: Path | None = None
    unquantised: Path | None = None
    minutes: float = 10.0
    seeds: int = 8

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
    sound, model = plan.sound(), PoseModel.load(plan.codebook, plan.mapper)
    reference = takes_of(of_prior(), sound, range(_REFERENCE_SEEDS, _REFERENCE_SEEDS + plan.seeds))
    takes = {REFERENCE: reference}
    takes |= {name: takes_of(mover, sound, range(plan.seeds)) for name, mover in _movers(plan, model).items()}
    judge = PoseJudge(sound, reference.motions)
    codecs = {CODEBOOK: plan.codebook or DEFAULT_CODEBOOK}
    if plan.unquantised is not None:
        codecs[UNQUANTISED] = plan.unquantised
    pieces = [motion[piece.first : piece.last] for motion in reference.motions for piece in sound.pieces]
    return PoseReport(
        sound=sound,
        rows={name: judge.row(found) for name, found in takes.items()},
        takes=takes,
        limits=judge.limits,
        floor=judge.floor,
        kept={name: reconstruct(read_codebook(path).codec, pieces) for name, path in codecs.items()},
    )


def _movers(plan: PosePlan, model: PoseModel) -> dict[str, Mover]:
    movers = {PRIOR: of_prior()}
    if plan.baselines is not None:
        for kind in (REGRESSOR, CVAE):
            movers[kind] = of_baseline(baseline_weights(kind, plan.baselines, plan.corpus))
    return {**movers, CODEBOOK: of_model(model)}
