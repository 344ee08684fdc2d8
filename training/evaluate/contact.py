"""How well the contact solve seals, bites, parts and keeps out of teeth, on curves that true phones give.

The contact comes from the true phones too, so a full score says that the geometry can always do it; it is no
figure of the whole system.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from blender_addon.lips.basis import from_basis
from blender_addon.lips.region import LipRegion, prepare_lips
from blender_addon.lips.solve import solve_coefficients, solve_contact, sticky_contact
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.expression.curves import to_arkit
from models.expression.network import FRAME_RATE
from models.face.identity import sample_identity, with_identity
from models.face.lip_range import with_lip_basis

from ..articulation import articulate
from ..phones import BILABIAL, LABIODENTAL, Phones, is_kind
from .foreign import foreign_mouth
from .lipsync import LipsyncClip, read_manifest
from .mouth_probe import MouthProbe, cut_lips, edge_distance, mouth_probe, tooth_depth

RISE = 0.08  # seconds from no contact to full
SEALED = BITTEN = 0.5e-3  # metres
_CORE, _SHORTEST = 0.7, 0.012  # share of half a phone that is full contact, and its least length in seconds
_JAW_ADDED = 0.3
_LEAST_CONTACT = 0.8  # at which lips must seal
_BATCH, _TIMED = 100, 5  # frames at once when time is taken, and how often
_JERK_CLIPS = 8  # second differences are taken from every so many clips
_MIXTURES, _MIXTURE_SEED = 2000, 1
_OTHERS_SHARE = 10  # other faces than the first see every so many of these mixtures and frames
_MIXED, _MIXED_MOST = 5, 0.7  # shapes at once in a mixture, and their greatest weight
# Movements to one side that are added to speech, one after the other.
_SIDEWAYS: tuple[dict[str, float], ...] = (
    {"jawLeft": 0.6},
    {"jawRight": 0.6},
    {"mouthSmileLeft": 0.8},
    {"mouthSmileRight": 0.8, "mouthFrownLeft": 0.4},
    {"mouthLeft": 0.5},
)


_SAMPLED = (
    "Shares, millimetres, ratios and CPU milliseconds. Teeth and crossing: some frames and all contacts "
    f"(other faces than the head 1 in {_OTHERS_SHARE} of these frames and of {_MIXTURES} mixtures); second "
    f"differences: 1 clip in {_JERK_CLIPS}."
)


@dataclass(frozen=True)
class Speech:
    """Curves and contacts of clips one after the other. F frames.

    Attributes:
        weights: [F, 52]; contact: [F, 2]; held: [F] what sticking lips feel.
        starts: first frame of each clip, and F. bilabial, labiodental: frames at the middle of p, b, m; f, v.
    """

    weights: Array
    contact: Array
    held: Array
    starts: tuple[int, ...]
    bilabial: Array
    labiodental: Array


@dataclass(frozen=True)
class ContactScores:
    """Figures of one face, before or after the solve; lengths in millimetres.

    sealed: share of p, b, m whose lips come within 0.5 mm at contact 1; sealed_08: at contact 0.8;
    sealed_jaw: at contact 0.8 with jawOpen + 0.3; bitten: share of f, v with the lower lip within 0.5 mm of
    the upper teeth; bite_95: 95th percentile of that distance; retreat: most that f, v draw the lower lip
    back; crossing, tooth: deepest visible crossing and deepest that a lip lies in a tooth, in speech, with
    sideways movements added (side_) and in random mixtures of shapes (mixed_); jerk, jerk_max: second
    differences of the lips' gap over those before, root mean square and maximum; basis: largest distance
    from what the exact solve gives, in speech.
    """

    sealed: float
    sealed_08: float
    sealed_jaw: float
    bitten: float
    bite_95: float
    retreat: float
    crossing: float
    tooth: float
    side_crossing: float
    side_tooth: float
    mixed_crossing: float
    mixed_tooth: float
    jerk: float
    jerk_max: float
    ms_per_frame: float
    basis: float


Offsets = Callable[[Array, Array, Array], Array]


def evaluate_contact(
    manifest: Path, face: FaceFile, people: int = 8, every: int = 25, skip: int = 0
) -> dict[str, ContactScores]:
    """Scores by row name: the face, random `people` of it (only after) and a foreign mouth, before and after.

    Crossing and teeth are looked at in every `every`-th frame and at all contacts; on other faces than the
    first in a tenth of these frames, and in a tenth of the mixtures. Clips 0, `skip`, 2 `skip`... are left
    out; with 0, none.
    """
    clips = read_manifest(manifest)
    speech = speech_of([clip for number, clip in enumerate(clips) if not skip or number % skip])
    faces = {"head": face}
    for seed in range(people if len(face.identity) else 0):
        faces[f"person {seed}"] = with_lip_basis(with_identity(face, sample_identity(face, seed)))
    faces["foreign"] = foreign_mouth(face)
    result: dict[str, ContactScores] = {}
    for name, one in faces.items():
        lips = prepare_lips(one)
        share = 1 if one is face else _OTHERS_SHARE
        ways = {"after": _solved(lips)}
        if not name.startswith("person"):
            ways = {"before": _unmoved(lips), **ways}
        if len(one.lip_basis):
            ways["basis"] = _through_basis(lips)
        for way, offsets in ways.items():
            scorer = _Scorer(one, lips, speech, every * share, offsets)
            result[f"{name} {way}"] = scorer.scores(_MIXTURES // share)
    return result


def _unmoved(lips: LipRegion) -> Offsets:
    return lambda weights, contact, held: np.zeros((len(weights), len(lips.coordinates.index), 3), np.float32)


def _solved(lips: LipRegion) -> Offsets:
    return lambda weights, contact, held: solve_contact(lips, weights, contact, held)


def _through_basis(lips: LipRegion) -> Offsets:
    return lambda weights, contact, held: from_basis(lips, solve_coefficients(lips, weights, contact, held))


def contact_track(phones: Phones, times: Array, rise: float = RISE) -> Array:
    """[T] times -> [T, 2] f32 contact, full in the phone, that rises as a cosine within `rise` seconds."""
    track = np.zeros((len(times), 2), np.float32)
    for column, names in enumerate((BILABIAL, LABIODENTAL)):
        chosen = phones.select(is_kind(phones.kind, names))
        if len(chosen) == 0:
            continue
        core = np.maximum(_CORE * (chosen.end - chosen.start) / 2, _SHORTEST)
        away = np.abs(times[:, None] - (chosen.start + chosen.end) / 2)
        near = np.clip(1 - (away - core) / rise, 0, 1)
        track[:, column] = (0.5 - 0.5 * np.cos(np.pi * near)).max(1)
    return track


def speech_of(clips: Sequence[LipsyncClip]) -> Speech:
    """Curves at 50 fps of clips whose phones are known."""
    weights, contact, held, starts = [], [], [], [0]
    middles: tuple[list[Array], list[Array]] = ([], [])
    for clip in clips:
        times = np.arange(int(clip.duration * FRAME_RATE) + 1) / FRAME_RATE
        weights.append(to_arkit(articulate(clip.phones, times)))
        contact.append(contact_track(clip.phones, times))
        held.append(sticky_contact(contact[-1][:, 0], FRAME_RATE).held)
        for found, names in zip(middles, (BILABIAL, LABIODENTAL), strict=True):
            chosen = clip.phones.select(is_kind(clip.phones.kind, names))
            frame = np.round((chosen.start + chosen.end) / 2 * FRAME_RATE).astype(int)
            found.append(starts[-1] + np.minimum(frame, len(times) - 1))
        starts.append(starts[-1] + len(times))
    joined = [np.concatenate(part) for part in (weights, contact, held, *middles)]
    return Speech(joined[0], joined[1], joined[2], tuple(starts), joined[3], joined[4])


def natural_mixtures(count: int = _MIXTURES, seed: int = _MIXTURE_SEED) -> tuple[Array, Array]:
    """Random additive mixtures of mouth shapes [n, 52] with contacts [n, 2]: a quarter without, with p,
    with f, with both. mouthClose stays below jawOpen, as ARKit means it."""
    rng = np.random.default_rng(seed)
    close, jaw = ARKIT_INDEX["mouthClose"], ARKIT_INDEX["jawOpen"]
    near = ("mouth", "jaw", "cheek", "nose")
    shapes = [i for i, name in enumerate(ARKIT_NAMES) if name.startswith(near) and i != close]
    weights = np.zeros((count, len(ARKIT_NAMES)), np.float32)
    for row in weights:
        row[rng.choice(shapes, _MIXED, replace=False)] = rng.uniform(0, _MIXED_MOST, _MIXED)
    weights[:, close] = weights[:, jaw] * rng.uniform(0, 1, count)
    kind = rng.integers(0, 4, count)
    asked = np.stack([np.isin(kind, (1, 3)), np.isin(kind, (2, 3))], 1)
    return weights, (asked * rng.uniform(0, 1, (count, 2))).astype(np.float32)


class _Scorer:
    """One face, one way to make offsets."""

    def __init__(self, face: FaceFile, lips: LipRegion, speech: Speech, every: int, offsets: Offsets) -> None:
        self.face, self.lips, self.speech, self.offsets = face, lips, speech, offsets
        self.probe: MouthProbe = mouth_probe(face, lips.coordinates)
        contacts = np.concatenate([speech.bilabial, speech.labiodental])
        self.sampled = np.union1d(np.arange(0, len(speech.weights), every), contacts)

    def scores(self, mixtures: int) -> ContactScores:
        speech = self.speech
        moved = self._offsets(self.sampled)
        biting = moved[np.searchsorted(self.sampled, speech.labiodental)]
        bite = self._bite(biting)
        jerk, jerk_max = self._jerk()
        line = self.lips.coordinates.lower
        line = line[len(line) // 4 : -len(line) // 4]
        crossing, tooth = self._clashes(speech.weights[self.sampled], moved)
        return ContactScores(
            sealed=self._sealed(1.0, 0.0),
            sealed_08=self._sealed(_LEAST_CONTACT, 0.0),
            sealed_jaw=self._sealed(_LEAST_CONTACT, _JAW_ADDED),
            bitten=float((bite <= BITTEN).mean()),
            bite_95=1e3 * float(np.percentile(bite, 95)),
            retreat=1e3 * float(biting[:, line, 1].mean(1).max()),
            crossing=1e3 * float(crossing.max()),
            tooth=1e3 * float(tooth.max()),
            **self._elsewhere(mixtures),
            jerk=jerk,
            jerk_max=jerk_max,
            ms_per_frame=self._milliseconds(),
            basis=self._basis_error(moved),
        )

    def _offsets(self, frames: Array) -> Array:
        """[n, L, 3] of some frames of speech."""
        speech = self.speech
        return self.offsets(speech.weights[frames], speech.contact[frames], speech.held[frames])

    def _milliseconds(self) -> float:
        """Per frame, in batches of 100 frames."""
        spent = []
        frames = np.resize(self.sampled, _BATCH)
        for _ in range(_TIMED):
            start = time.process_time()
            self._offsets(frames)
            spent.append((time.process_time() - start) / _BATCH)
        return 1e3 * min(spent)

    def _basis_error(self, moved: Array) -> float:
        """Largest distance of `moved` [n, L, 3] from the exact solve, mm; 0 where nothing is moved."""
        speech, some = self.speech, self.sampled
        if not moved.any():
            return 0.0
        exact = solve_contact(self.lips, speech.weights[some], speech.contact[some], speech.held[some])
        return 1e3 * float(np.linalg.norm(moved - exact, axis=2).max())

    def _elsewhere(self, mixtures: int) -> dict[str, float]:
        """Clashes with sideways movements added to speech, and in random mixtures."""
        speech = self.speech
        worst: list[list[float]] = []
        for number, movement in enumerate(_SIDEWAYS):
            some = self.sampled[number :: len(_SIDEWAYS)]
            weights = speech.weights[some].copy()
            for name, weight in movement.items():
                weights[:, ARKIT_INDEX[name]] += weight
            moved = self.offsets(weights, speech.contact[some], speech.held[some])
            worst.append([float(part.max()) for part in self._clashes(weights, moved)])
        side = 1e3 * np.array(worst).max(0)
        weights, contact = natural_mixtures(mixtures)
        clashes = self._clashes(weights, self.offsets(weights, contact, contact[:, 0]))
        mixed = [1e3 * part.max() for part in clashes]
        names = ("side_crossing", "side_tooth", "mixed_crossing", "mixed_tooth")
        return {name: float(value) for name, value in zip(names, (*side, *mixed), strict=True)}

    def _posed(self, weights: Array, ids: Array) -> Array:
        moved = weights @ self.face.shapes[:, ids].reshape(len(ARKIT_NAMES), -1)
        posed: Array = self.face.vertices[ids] + moved.reshape(len(weights), len(ids), 3)
        return posed

    def _sealed(self, contact: float, jaw: float) -> float:
        """Share of p, b, m whose lips' middle is closed, with `jaw` added to jawOpen."""
        weights = self.speech.weights[self.speech.bilabial].copy()
        weights[:, ARKIT_INDEX["jawOpen"]] += jaw
        asked = np.tile(np.array([contact, 0], np.float32), (len(weights), 1))
        moved = self.offsets(weights, asked, asked[:, 0])
        lips = self._posed(weights, self.lips.coordinates.index) + moved
        return float((cut_lips(self.probe, lips).open <= SEALED).mean())

    def _bite(self, moved: Array) -> Array:
        """[n] distance of lower lip and upper teeth at f and v, moved by `moved` [n, L, 3]."""
        frames = self.speech.labiodental
        weights = self.speech.weights[frames]
        lips = self._posed(weights, self.lips.coordinates.index) + moved
        return edge_distance(self.probe, lips, self._posed(weights, self.probe.tooth_ids))

    def _clashes(self, weights: Array, moved: Array) -> tuple[Array, Array]:
        """[n] visible crossing of the lips and depth in a tooth, metres."""
        lips = self._posed(weights, self.lips.coordinates.index) + moved
        teeth = self._posed(weights, self.probe.tooth_ids)
        return cut_lips(self.probe, lips).crossed, tooth_depth(self.probe, lips, teeth)

    def _jerk(self) -> tuple[float, float]:
        """Second differences of the gap at the middle of the lips, after over before: RMS and maximum."""
        speech, middle = self.speech, np.array(self.probe.middle)
        ids = self.lips.coordinates.index[middle]
        before, after = [], []
        for first, end in list(zip(speech.starts[:-1], speech.starts[1:], strict=True))[::_JERK_CLIPS]:
            frames = np.arange(first, end)
            posed = self._posed(speech.weights[frames], ids)
            moved = posed + self._offsets(frames)[:, middle]
            before.append(np.diff(posed[:, 0, 2] - posed[:, 1, 2], n=2))
            after.append(np.diff(moved[:, 0, 2] - moved[:, 1, 2], n=2))
        one, two = np.concatenate(before), np.concatenate(after)
        rms = np.sqrt(np.mean(two**2) / np.mean(one**2))
        return float(rms), float(np.abs(two).max() / np.abs(one).max())


def format_scores(scores: dict[str, ContactScores]) -> str:
    """A plain-text table, one row per face and state."""
    names = [field.name for field in fields(ContactScores)]
    first = max(map(len, scores))
    lines = [_SAMPLED, " " * first + "".join(f"  {name}" for name in names)]
    for row, entry in scores.items():
        values = "".join(f"{getattr(entry, name):{len(name) + 2}.2f}" for name in names)
        lines.append(f"{row:{first}s}{values}")
    return "\n".join(lines)
