"""What the expression network is trained for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.expression.curves import CURVE_INDEX, CURVES
from models.expression.network import Articulation

from .batches import Batch

# All weights are our choice; closures matter most to the eye. `beta` is where the smooth L1 loss turns from
# squares to absolute values: small ones ask for the median of what a sound may be, large ones for the mean.
# Rounding is heard less surely than opening, and an unsure median would hide it: there we ask for the mean.
_WEIGHT, _BETA = torch.ones(len(CURVES)), torch.full((len(CURVES),), 0.05)
for _name, _weight, _beta in (
    ("jawOpen", 2.0, 0.05),
    ("mouthClose", 4.0, 0.05),
    ("mouthPucker", 4.0, 0.3),
    ("mouthFunnel", 4.0, 0.3),
    ("mouthRollLower", 2.0, 0.05),
):
    _WEIGHT[CURVE_INDEX[_name]] = _weight
    _BETA[CURVE_INDEX[_name]] = _beta
_WEIGHT /= _WEIGHT.sum()
_JAW, _CLOSE = CURVE_INDEX["jawOpen"], CURVE_INDEX["mouthClose"]
_CONTACT_POSITIVE_WEIGHT = torch.tensor(1.5)
_LABEL_SMOOTHING = 0.05
_CURVES, _VELOCITY, _APERTURE, _PHONES, _CONTACTS = 10.0, 5.0, 2.0, 0.15, 0.6


@dataclass(frozen=True)
class Losses:
    """Each loss as a scalar, unweighted, and their weighted sum."""

    total: Tensor
    curves: Tensor
    velocity: Tensor
    aperture: Tensor
    phones: Tensor
    contacts: Tensor


def expression_losses(drawn: Articulation, batch: Batch) -> Losses:
    """Regression of the curves, their velocity and the lips' aperture; detection of contacts and phones."""
    found, wanted = drawn.curves.float(), batch.curves
    curves = (_smooth_l1(found - wanted) @ _WEIGHT).mean()
    velocity = ((found.diff(dim=1) - wanted.diff(dim=1)).abs() @ _WEIGHT).mean()
    aperture = functional.l1_loss(_aperture(found), _aperture(wanted))
    phones = functional.cross_entropy(
        drawn.phones.float().flatten(0, 1), batch.phones.flatten(), label_smoothing=_LABEL_SMOOTHING
    )
    contacts = functional.binary_cross_entropy_with_logits(
        drawn.contacts.float(), batch.contacts, pos_weight=_CONTACT_POSITIVE_WEIGHT
    )
    total = _CURVES * curves + _VELOCITY * velocity + _APERTURE * aperture
    total = total + _PHONES * phones + _CONTACTS * contacts
    return Losses(total, curves, velocity, aperture, phones, contacts)


def _smooth_l1(error: Tensor) -> Tensor:
    """[..., 12] error -> [..., 12] squared below each curve's beta, absolute above it."""
    size = error.abs()
    return torch.where(size < _BETA, 0.5 * size.square() / _BETA, size - 0.5 * _BETA)


def _aperture(curves: Tensor) -> Tensor:
    """[B, F, 12] -> [B, F]."""
    return (curves[..., _JAW] - curves[..., _CLOSE]).clamp(min=0.0)
