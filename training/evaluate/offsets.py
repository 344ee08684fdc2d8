"""What lip offsets are worth: the model's own curves without them, with those that it draws, and solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from blender_addon.lips.basis import from_basis
from blender_addon.lips.offsets import coefficients_of, handles_of
from blender_addon.lips.region import LipRegion, prepare_lips
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.expression import ExpressionModel
from models.expression.network import FRAME_RATE

from ..phones import BILABIAL, LABIODENTAL, Phones, is_kind
from .lipsync import LipsyncClip, read_manifest, read_sound
from .mouth_probe import cut_lips, edge_distance, mouth_probe, tooth_depth

_CLOSED = 0.5e-3  # metres
_ASKED = 0.8  # contact from which lips must meet: what the model hears as one
WAYS = ("none", "drawn", "solved")


@dataclass(frozen=True)
class OffsetScores:
    """Frames in the middle of p, b, m and of f, v whose contact the model gives at least 0.8; millimetres.

    Attributes:
        bilabials, labiodentals: how many frames. sealed: share of p, b, m with a gap of at most 0.5 mm.
        gap, gap_95: median and 95th percentile of the gap in p, b, m. bite, bite_95: of the distance of lower
            lip and upper teeth in f, v. crossing, tooth: deepest that lips cross, and lie in a tooth.
    """

    bilabials: int
    labiodentals: int
    sealed: float
    gap: float
    gap_95: float
    bite: float
    bite_95: float
    crossing: float
    tooth: float


@dataclass(frozen=True)
class ContactFrames:
    """n frames: weights [n, 52], and lip coefficients [n, K] by way."""

    weights: Array
    coefficients: dict[str, Array]


def evaluate_offsets(manifest: Path, model: ExpressionModel, face: FaceFile) -> dict[str, OffsetScores]:
    """Scores per way. Raises `InputError` or `FileFormatError` where the manifest cannot be used."""
    lips = prepare_lips(face)
    clips = read_manifest(manifest)
    kinds = [contact_frames(clips, model, lips, column) for column in (0, 1)]
    return {way: offset_scores(face, lips, kinds, way) for way in WAYS}


def contact_frames(
    clips: Sequence[LipsyncClip], model: ExpressionModel, lips: LipRegion, column: int
) -> ContactFrames:
    """All frames in the middle of p, b, m (`column` 0) or f, v (1) at which the model hears one."""
    parts = [_heard(model, read_sound(clip.sound), clip.phones, column) for clip in clips]
    weights, contact, drawn, held = (np.concatenate(values) for values in zip(*parts, strict=True))
    if len(weights) == 0:
        raise InputError("the model hears none of the contacts in the manifest", "Use other clips or weights")
    ways = {
        "none": np.zeros((len(weights), len(lips.basis)), np.float32),
        "drawn": coefficients_of(lips, handles_of(lips, drawn)),
        "solved": solve_coefficients(lips, weights, contact, held),
    }
    return ContactFrames(weights, ways)


def _heard(model: ExpressionModel, samples: Array, phones: Phones, column: int) -> tuple[Array, ...]:
    """Weights, contact, canonical offsets and held contact of one sound's chosen frames."""
    stream = model.stream(float(FRAME_RATE))
    chunks = [stream.push(samples), stream.finish()]
    names = ("weights", "contact", "offsets")
    weights, contact, drawn = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names)
    held = sticky_contact(contact[:, 0], float(FRAME_RATE)).held
    chosen = phones.select(is_kind(phones.kind, (BILABIAL, LABIODENTAL)[column]))
    frames = np.rint((chosen.start + chosen.end) / 2 * FRAME_RATE).astype(int)
    frames = frames[frames < len(weights)]
    frames = frames[contact[frames, column] >= _ASKED]
    return weights[frames], contact[frames], drawn[frames], held[frames]


def offset_scores(face: FaceFile, lips: LipRegion, kinds: Sequence[ContactFrames], way: str) -> OffsetScores:
    """Scores of the frames of p, b, m and of f, v."""
    probe = mouth_probe(face, lips.coordinates)

    def posed(frames: ContactFrames, ids: Array) -> Array:
        moved = frames.weights @ face.shapes[:, ids].reshape(len(ARKIT_NAMES), -1)
        return np.asarray(face.vertices[ids] + moved.reshape(len(frames.weights), len(ids), 3))

    points = [
        posed(frames, lips.coordinates.index) + from_basis(lips, frames.coefficients[way]) for frames in kinds
    ]
    teeth = [posed(frames, probe.tooth_ids) for frames in kinds]
    cuts = [1e3 * cut_lips(probe, part).crossed for part in points]
    gap = 1e3 * cut_lips(probe, points[0]).open
    bite = 1e3 * edge_distance(probe, points[1], teeth[1])
    depth = [1e3 * tooth_depth(probe, part, row) for part, row in zip(points, teeth, strict=True)]
    return OffsetScores(
        bilabials=len(gap),
        labiodentals=len(bite),
        sealed=float((gap <= 1e3 * _CLOSED).mean()),
        gap=_percentile(gap, 50),
        gap_95=_percentile(gap, 95),
        bite=_percentile(bite, 50),
        bite_95=_percentile(bite, 95),
        crossing=float(np.concatenate(cuts).max(initial=0.0)),
        tooth=float(np.concatenate(depth).max(initial=0.0)),
    )


def _percentile(values: Array, share: float) -> float:
    return float(np.percentile(values, share)) if len(values) else float("nan")


def offset_table(scores: dict[str, OffsetScores]) -> str:
    """A plain-text table, one row per way."""
    names = [field.name for field in fields(OffsetScores)]
    lines = [f"{'offsets':10s}" + "".join(f"{name:>14s}" for name in names)]
    for way, row in scores.items():
        lines.append(f"{way:10s}" + "".join(f"{getattr(row, name):14.4g}" for name in names))
    return "\n".join(lines)
