"""Weights of the sync expert on disk: one `.safetensors` file with its configuration and its mouth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blender_addon.protocol.errors import InputError, ModelError
from blender_addon.protocol.tensorfile import Array, TensorFile, read_tensors, write_tensors

from .measures import MEASURES, MouthMeter
from .network import SyncConfig, SyncNetwork

_HEADER_KEY = "vividtalk_model"
_KIND, _FORMAT = "sync", 1
_METER = "meter."
_HINT = "Install VividTalk again, or train with: vividtalk train sync"


@dataclass(frozen=True)
class Calibration:
    """Log odds that a sound and a motion belong together: bias + margin * m + lead * l, with the margin m
    and lead l of their `Peak` times the square root of their seconds."""

    bias: float
    margin: float
    lead: float


@dataclass(frozen=True)
class SyncCheckpoint:
    """The network, what its likeness is worth, and the points of the head that weights are measured on."""

    network: SyncNetwork
    config: SyncConfig
    calibration: Calibration
    meter: MouthMeter
    id: str
    licence: str
    training: Mapping[str, Any] = field(default_factory=dict)


def write_sync(path: Path, checkpoint: SyncCheckpoint) -> None:
    """Write weights as 16-bit floats. Raises `OutputError` when the file cannot be written."""
    header = {
        "kind": _KIND,
        "format": _FORMAT,
        "id": checkpoint.id,
        "licence": checkpoint.licence,
        "training": dict(checkpoint.training),
        "measures": MEASURES,
        "config": asdict(checkpoint.config),
        "calibration": asdict(checkpoint.calibration),
    }
    tensors: dict[str, Array] = {
        name: weights.detach().cpu().numpy().astype(np.float16)
        for name, weights in checkpoint.network.state_dict().items()
    }
    for name in ("rest", "shapes", "incisors"):
        tensors[_METER + name] = np.asarray(getattr(checkpoint.meter, name), np.float32)
    write_tensors(path, tensors, {_HEADER_KEY: json.dumps(header)})


def read_sync(path: Path) -> SyncCheckpoint:
    """Read and check weights. Raises `ModelError` when they are missing, damaged or of another kind."""
    try:
        content = read_tensors(path)
    except InputError as error:
        raise ModelError(error.what, _HINT) from error
    header = _header(path, content)
    weights = {
        name: torch.from_numpy(array.astype(np.float32))
        for name, array in content.tensors.items()
        if not name.startswith(_METER)
    }
    try:
        config = SyncConfig(**{name: int(value) for name, value in header["config"].items()})
        calibration = Calibration(**{name: float(v) for name, v in header["calibration"].items()})
        meter = MouthMeter(*(content.tensors[_METER + name] for name in ("rest", "shapes", "incisors")))
        network = SyncNetwork(config)
        network.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path} does not fit this version's sync network: {reason}", _HINT) from error
    network.eval()
    facts = header.get("training", {})
    return SyncCheckpoint(
        network, config, calibration, meter, str(header["id"]), str(header["licence"]), dict(facts)
    )


def _header(path: Path, content: TensorFile) -> dict[str, Any]:
    try:
        header = json.loads(content.metadata.get(_HEADER_KEY, "null"))
    except ValueError:
        header = None
    known = isinstance(header, dict) and header.get("kind") == _KIND and header.get("format") == _FORMAT
    if not known or header.get("measures") != list(MEASURES) or not {"id", "licence"} <= header.keys():
        raise ModelError(f"{path} holds no sync weights that this version can read", _HINT)
    return dict(header)
