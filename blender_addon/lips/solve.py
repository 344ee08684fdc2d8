"""The contact solve: lip vertex offsets from expression weights and contact, for many frames at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol.arkit import ARKIT_NAMES
from ..protocol.errors import InputError
from ..protocol.tensorfile import Array
from .collide import lips_apart, off_teeth
from .posed import pair, posed, teeth_at
from .profiles import LINE, ROWS
from .region import HANDLE_ROWS, LipRegion
from .seal import bite, open_share, seal

_RELEASE = 0.12  # seconds in which sticking lips let go of a full contact; by eye
_PASSES = 3  # of pushing lips apart and off the teeth: the skin follows its handles only in part
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
    frames, count, _ = handles.shape
    moved = lips.spread @ handles.transpose(1, 0, 2).reshape(count, -1)
    return np.ascontiguousarray(moved.reshape(-1, frames, 3).transpose(1, 0, 2))


def solve_coefficients(lips: LipRegion, weights: Array, contact: Array, held: Array | None = None) -> Array:
    """Coefficients [F, K] f32 of the face's lip basis nearest to what `solve_contact` gives."""
    handles = solve_handles(lips, weights, contact, held)
    coefficients: Array = handles.reshape(len(handles), -1) @ lips.project.T
    return coefficients


def solve_handles(lips: LipRegion, weights: Array, contact: Array, held: Array | None = None) -> Array:
    """Displacements [F, H, 3] f32 of the handles. Raises `InputError` where shapes do not agree."""
    frames = len(weights)
    held = contact[:, 0] if held is None and contact.ndim == 2 else held
    if weights.shape != (frames, len(ARKIT_NAMES)) or contact.shape != (frames, 2) or held.shape != (frames,):
        raise InputError(
            f"weights {weights.shape} and contact {contact.shape} do not go together",
            f"Give [F, {len(ARKIT_NAMES)}] weights and [F, 2] contacts",
        )
    handles = [
        _solve_batch(lips, weights[part], contact[part], held[part])
        for part in (slice(i, i + _BATCH) for i in range(0, frames, _BATCH))
    ]
    return np.concatenate(handles) if handles else np.zeros((0, lips.spread.shape[1], 3), np.float32)


def _solve_batch(lips: LipRegion, weights: Array, contact: Array, held: Array) -> Array:
    profiles, teeth = posed(lips, weights)
    pairing = pair(profiles[:, :, LINE])
    upper, lower = teeth_at(teeth[:, 0], teeth[:, 1]), teeth_at(teeth[:, 2], teeth[:, 3])
    bilabial, labiodental = np.clip(contact, 0, 1).astype(np.float32).T
    still = np.zeros_like(lips.corner[:1])
    handles = seal(profiles, pairing, open_share(bilabial, np.clip(held, 0, 1).astype(np.float32), lips.corner), lips.corner)
    remains = open_share(labiodental * (1 - bilabial), labiodental * (1 - bilabial), still)[:, 0]
    handles[:, 1] += bite(profiles[:, 1], handles[:, 1], upper, remains, lips.corner)
    for _ in range(_PASSES):
        reached = profiles + _followed(lips, handles)
        handles += lips_apart(reached, pair(reached[:, :, LINE]))
        handles += off_teeth(reached, upper, 1.0)
        handles += off_teeth(reached, lower, -1.0)
    return handles.reshape(len(weights), -1, 3)


def _followed(lips: LipRegion, handles: Array) -> Array:
    """[F, 2, R, N, 3] how far the profiles really move with `handles` [F, 2, 5, N - 2, 3]."""
    frames = len(handles)
    flat = handles.reshape(frames, -1, 3).transpose(1, 0, 2).reshape(lips.follow.shape[1], -1)
    moved = (lips.follow @ flat).reshape(2, len(ROWS), lips.columns, frames, 3)
    return np.moveaxis(moved, 3, 0)
