"""What the expression network is trained for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from blender_addon.protocol.arkit import LIP_NAMES, LIP_SHAPES, OTHER_SHAPES, sided_indices
from models.expression.network import NetworkOutput

from .batches import UNKNOWN_PHONE, Batch
from .phones import BILABIAL, LABIODENTAL, PHONE_CLASSES

# All weights are our choice; closures matter most to the eye. `beta` is where the smooth L1 loss turns from
# squares to absolute values: small ones ask for the median of what a sound may be, large ones for the mean.
# Rounding is heard less surely than opening, and an unsure median would hide it: there we ask for the mean.
_IMPORTANCE = {
    "jawOpen": (2.0, 0.05),
    "mouthClose": (4.0, 0.05),
    "mouthPucker": (4.0, 0.3),
    "mouthFunnel": (4.0, 0.3),
    "mouthPress": (1.0, 0.05),
    "mouthStretch": (1.0, 0.05),
    "mouthSmile": (1.0, 0.05),
    "mouthRollLower": (2.0, 0.05),
    "mouthRollUpper": (1.0, 0.05),
    "mouthUpperUp": (1.0, 0.05),
    "mouthLowerDown": (1.0, 0.05),
    "tongueOut": (1.0, 0.05),
}
_UNSPOKEN = 0.1  # importance of shapes that speech hardly moves
_WEIGHT, _BETA = torch.full((len(LIP_SHAPES),), _UNSPOKEN), torch.full((len(LIP_SHAPES),), 0.05)
for _name, (_weight, _beta) in _IMPORTANCE.items():
    _columns = [LIP_SHAPES.index(i) for i in sided_indices(_name)]
    _WEIGHT[_columns], _BETA[_columns] = _weight / len(_columns), _beta
_WEIGHT /= _WEIGHT.sum()
_JAW, _CLOSE = LIP_NAMES.index("jawOpen"), LIP_NAMES.index("mouthClose")
_LABEL_SMOOTHING = 0.05
_PHONE_WEIGHT = torch.tensor([2.0 if name in BILABIAL | LABIODENTAL else 1.0 for name in PHONE_CLASSES])
_LIP, _VELOCITY, _APERTURE, _PHONES, _CONTACTS = 10.0, 5.0, 2.0, 0.3, 0.6
_OTHER, _OFFSETS, _MESH = 20.0, 0.01, 0.002  # offsets and mesh are in thousandths of mouth widths


@dataclass(frozen=True)
class Losses:
    """Each loss as a scalar, unweighted, and their weighted sum."""

    total: Tensor
    lip: Tensor
    velocity: Tensor
    aperture: Tensor
    other: Tensor
    offsets: Tensor
    mesh: Tensor
    phones: Tensor
    contacts: Tensor


def expression_losses(drawn: NetworkOutput, batch: Batch) -> Losses:
    """Regression of weights, their velocity, aperture, offsets and mesh; detection of contacts and phones."""
    found, wanted, known = drawn.lip.float(), batch.lip, batch.knows_weights[..., LIP_SHAPES]
    moving, weight = known[:, 1:] & known[:, :-1], _WEIGHT.to(found.device)
    lip = _mean(_smooth_l1(found - wanted), known, weight)
    velocity = _mean((found.diff(dim=1) - wanted.diff(dim=1)).abs(), moving, weight)
    opening = known[..., [_JAW, _CLOSE]].all(-1)
    aperture = _mean((_aperture(found) - _aperture(wanted)).abs(), opening)
    # Squares, and so the mean: a median would hide raises that are heard unsurely.
    missing = functional.smooth_l1_loss(drawn.other.float(), batch.other, beta=0.5, reduction="none")
    other = _mean(missing, batch.knows_weights[..., OTHER_SHAPES])
    scene = torch.arange(len(found), device=found.device)[:, None]
    solved = (known.all(-1) & batch.knows_contacts.all(-1))[scene, batch.solved, None]
    missed = batch.offsets - drawn.offsets[scene, batch.solved].float()
    apart = (wanted - found)[scene, batch.solved] @ batch.motion + missed.detach()
    offsets, mesh = (_mean(part.abs(), solved.expand_as(part)) for part in (missed, apart))
    phones = phone_loss(drawn.phones, batch.phones)
    detected = functional.binary_cross_entropy_with_logits(
        drawn.contacts.float(), batch.contacts, reduction="none"
    )
    contacts = _mean(detected, batch.knows_contacts)
    total = _LIP * lip + _VELOCITY * velocity + _APERTURE * aperture + _OTHER * other
    total = total + _OFFSETS * offsets + _MESH * mesh + _PHONES * phones + _CONTACTS * contacts
    return Losses(total, lip, velocity, aperture, other, offsets, mesh, phones, contacts)


def _mean(error: Tensor, known: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of `error` [..., n] where it is `known`, weighted by `weight` [n]; 0 where nothing is known."""
    share = known.to(error.dtype) if weight is None else known * weight
    return (error * share).sum() / share.sum().clamp(min=1e-6)


def phone_loss(logits: Tensor, phones: Tensor) -> Tensor:
    """Cross entropy of logits [B, F, C] and classes [B, F]; phones that touch count double, unknown
    ones not at all."""
    if (phones == UNKNOWN_PHONE).all():
        return logits.sum() * 0.0
    return functional.cross_entropy(
        logits.float().flatten(0, 1),
        phones.flatten(),
        weight=_PHONE_WEIGHT.to(logits.device),
        ignore_index=UNKNOWN_PHONE,
        label_smoothing=_LABEL_SMOOTHING,
    )


def _smooth_l1(error: Tensor) -> Tensor:
    """[..., 29] error -> [..., 29] squared below each shape's beta, absolute above it."""
    size, beta = error.abs(), _BETA.to(error.device)
    return torch.where(size < beta, 0.5 * size.square() / beta, size - 0.5 * beta)


def _aperture(lip: Tensor) -> Tensor:
    """[B, F, 29] -> [B, F]."""
    return (lip[..., _JAW] - lip[..., _CLOSE]).clamp(min=0.0)
