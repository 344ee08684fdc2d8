"""The contact solve: lip vertex offsets from expression weights and contact, for many frames at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol.arkit import ARKIT_NAMES
from ..protocol.errors import InputError
from ..protocol.tensorfile import Array
from .collide import lips_apart, off_teeth
from .offsets import coefficients_of
from .posed import Pairing, pair, posed, teeth_beside
from .profiles import LINE
from .region import LipRegion
from .seal import bite, bite_share, gap_of, open_share, red_room, seal, wanted_gap

_RELEASE = 0.18  # seconds in which sticking lips let go of a full contact; by eye
_PASSES = 3  # of pushing lips apart and off the teeth: the skin follows its handles only in part
_MIDDLE = np.zeros(1, np.float32)
_BATCH = 64  # frames at once, so that they stay in the cache


@dataclass(frozen=True)
class Sticky:
    """What moist lips still feel of a contact while they part.

    Attributes:
        held: [F] bilabial contact that falls no faster than the lips let go.
        last: state after the last frame, for the next chunk.
    """

    held: Array
    last: float


def sticky_contact(contact: Array, fps: float, last: float = 0.0) -> Sticky:
    """Hold the bilabial contact [F] on release: opening sticks, closing does not.

    Chunks give the same as one track when each gets the `last` of the one before.
    """
    held = np.empty(len(contact), np.float32)
    step = 1.0 / (_RELEASE * fps)
    for frame, now in enumerate(contact.tolist()):
        last = max(float(now), last - step, 0.0)
        held[frame] = last
    return Sticky(held, last)


def solve_contact(lips: LipRegion, weights: Array, contact: Array, held: Array | None = None) -> Array:
    """Offsets [F, L, 3] f32 of the lip vertices, metres in the head's rest frame, added before skinning.

    Each frame is solved alone, so what weights and contact do smoothly the lips do smoothly.

    Args:
        weights: [F, 52]; contact: [F, 2] bilabial and labiodental, 0-1.
        held: [F] from `sticky_contact`; `contact` itself without it, and then nothing sticks.
    """
    handles = solve_handles(lips, weights, contact, held)
    moved = handles.reshape(-1, len(lips.spread)) @ lips.spread
    offsets = np.zeros((len(handles), lips.spread.shape[1], 3), np.float32)
    offsets[..., 1], offsets[..., 2] = -moved[0::2], moved[1::2]
    return offsets


def solve_coefficients(lips: LipRegion, weights: Array, contact: Array, held: Array | None = None) -> Array:
    """Coefficients [F, K] f32 of the face's lip basis nearest to what `solve_contact` gives."""
    return coefficients_of(lips, solve_handles(lips, weights, contact, held))


def solve_handles(lips: LipRegion, weights: Array, contact: Array, held: Array | None = None) -> Array:
    """[F, 2, H] f32 depth and height that the handles move. Raises `InputError` where shapes do not agree."""
    frames = len(weights)
    if weights.shape != (frames, len(ARKIT_NAMES)) or contact.shape != (frames, 2):
        raise InputError(
            f"weights {weights.shape} and contact {contact.shape} do not go together",
            f"Give [F, {len(ARKIT_NAMES)}] weights and [F, 2] contacts",
        )
    held = contact[:, 0] if held is None else held
    handles = [
        _solve_batch(lips, weights[part], contact[part], held[part])
        for part in (slice(i, i + _BATCH) for i in range(0, frames, _BATCH))
    ]
    return np.concatenate(handles) if handles else np.zeros((0, 2, len(lips.spread)), np.float32)


def _solve_batch(lips: LipRegion, weights: Array, contact: Array, held: Array) -> Array:
    mouth = posed(lips, weights)
    upper, lower = teeth_beside(mouth)
    bilabial, labiodental, held = np.clip(np.column_stack([contact, held]), 0, 1).astype(np.float32).T
    open_ = open_share(bilabial, held, lips.corner)
    labiodental = bite_share(bilabial, labiodental)
    away = open_share(labiodental, labiodental, _MIDDLE)[:, 0]
    start = np.stack([mouth.depth, mouth.height])
    gap = gap_of(start, _beside(start, pair(mouth.x[..., LINE], mouth.height[..., LINE])))
    wanted = wanted_gap(gap, open_)
    handles = seal(wanted - gap)  # [2, F, 2, N - 2, 5]
    handles[1, ..., :2] += red_room(mouth.height, handles, open_, lips.corner)
    handles[:, :, 1] += bite(mouth, handles, upper, away, lips.corner)
    firm = ((1 - open_) * away[:, None])[:, None, :, None]
    for number in range(_PASSES):
        reached = start + (handles.reshape(2 * len(weights), -1) @ lips.follow).reshape(start.shape)
        if number == 0:
            pairing = pair(mouth.x[..., LINE], reached[1, ..., LINE])
        other = _beside(reached, pairing)
        handles += seal(firm * (wanted - gap_of(reached, other)))
        handles[1] += lips_apart(reached, other, pairing)[..., None]
        handles[0] += off_teeth(reached[0], reached[1], upper, 1.0)
        handles[0] += off_teeth(reached[0], reached[1], lower, -1.0)
    return np.ascontiguousarray(np.moveaxis(handles, 0, 1)).reshape(len(weights), 2, -1)


def _beside(profiles: Array, pairing: Pairing) -> Array:
    """[2, F, 2, N, R] depth and height of the other lip beside each column."""
    return np.stack([pairing.other(part) for part in profiles])
