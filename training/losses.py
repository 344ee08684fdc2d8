"""What the expression network is trained for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.expression.curves import CURVE_INDEX, CURVES
from models.expression.network import Articulation

from .batches import Batch

# All weights are our choice; closures matter most to the eye.
_CURVE_WEIGHT = torch.ones(len(CURVES))
for _name, _weight in (
    ("jawOpen", 2.0),
    ("mouthClose", 4.0),
    ("mouthPucker", 1.5),
    ("mouthFunnel", 1.5),
    ("mouthRollLower", 2.0),
):
    _CURVE_WEIGHT[CURVE_INDEX[_name]] = _weight
_CURVE_WEIGHT /= _CURVE_WEIGHT.sum()
_JAW, _CLOSE = CURVE_INDEX["jawOpen"], CURVE_INDEX["mouthClose"]
_BETA = 0.05
_CONTACT_POSITIVE_WEIGHT = torch.tensor(1.5)
_LABEL_SMOOTHING = 0.05
_CURVES, _VELOCITY, _APERTURE, _PHONES, _CONTACTS = 10.0, 5.0, 2.0, 0.15, 0.3


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
    curves = (functional.smooth_l1_loss(found, wanted, reduction="none", beta=_BETA) @ _CURVE_WEIGHT).mean()
    velocity = ((found.diff(dim=1) - wanted.diff(dim=1)).abs() @ _CURVE_WEIGHT).mean()
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


def _aperture(curves: Tensor) -> Tensor:
    """[B, F, 12] -> [B, F]."""
    return (curves[..., _JAW] - curves[..., _CLOSE]).clamp(min=0.0)
