"""Expression weights on disk: one `.safetensors` file that carries its own configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import InputError, ModelError
from blender_addon.protocol.tensorfile import Array, TensorFile, read_tensors, write_tensors

from ..audio.features import FeatureConfig, FeatureSource, LogMel, feature_source
from .autoregressive import AutoregressiveConfig, AutoregressiveNetwork
from .drawing import AnyNetwork
from .network import ExpressionConfig, ExpressionNetwork

HEADER_KEY = "vividtalk_model"
PARALLEL, AUTOREGRESSIVE = "parallel", "autoregressive"
_KIND = "expression"
_FORMAT = 2
_HINT = "Install VividTalk again, or train with: vividtalk train expression"


@dataclass(frozen=True)
class ModelIdentity:
    """Which weights these are: id, SPDX licence, and facts about their training."""

    id: str
    licence: str
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """A network with its weights, ready to listen, and the audio encoder that it listens through."""

    network: AnyNetwork
    config: ExpressionConfig | AutoregressiveConfig
    identity: ModelIdentity
    source: FeatureSource = field(default_factory=LogMel)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write weights as 16-bit floats. Raises `OutputError` when the file cannot be written."""
    identity = checkpoint.identity
    header = {
        "kind": _KIND,
        "format": _FORMAT,
        "id": identity.id,
        "licence": identity.licence,
        "training": dict(identity.training),
        "shapes": ARKIT_NAMES,
        "variant": _variant(checkpoint.config),
        "config": asdict(checkpoint.config),
    }
    tensors: dict[str, Array] = {
        name: weights.detach().cpu().numpy().astype(np.float16)
        for name, weights in checkpoint.network.state_dict().items()
    }
    write_tensors(path, tensors, {HEADER_KEY: json.dumps(header)})


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check weights.

    Raises:
        ModelError: they are missing, damaged or of another kind, or the audio encoder is not where they say.
        MissingExtraError: the audio encoder needs a package that is not installed.
    """
    try:
        content = read_tensors(path)
    except InputError as error:
        raise ModelError(error.what, _HINT) from error
    header = _header(path, content)
    try:
        network, config = _network(header)
        identity = ModelIdentity(str(header["id"]), str(header["licence"]), dict(header["training"]))
        weights = {name: torch.from_numpy(a.astype(np.float32)) for name, a in content.tensors.items()}
        network.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"the expression weights {path} do not fit the network: {reason}", _HINT) from error
    if any(not torch.isfinite(value).all() for value in weights.values()):
        raise ModelError(f"the expression weights {path} have values that are not finite", _HINT)
    source = feature_source(config.features)
    if (source.width, source.per_frame) != (config.feature_width, config.features_per_frame):
        what = f"{path} was trained on features of width {config.feature_width}, not {source.width}"
        raise ModelError(what, f"Name the audio encoder that it was trained with, not {config.features.name}")
    return Checkpoint(network.eval(), config, identity, source)


def _header(path: Path, content: TensorFile) -> Mapping[str, Any]:
    try:
        header = json.loads(content.metadata.get(HEADER_KEY, "null"))
    except ValueError:
        header = None
    known = isinstance(header, dict) and header.get("kind") == _KIND
    if not known or header.get("format") != _FORMAT or header.get("shapes") != list(ARKIT_NAMES):
        raise ModelError(f"{path} holds no expression weights that this version can read", _HINT)
    return dict(header)


def _variant(config: ExpressionConfig | AutoregressiveConfig) -> str:
    return AUTOREGRESSIVE if isinstance(config, AutoregressiveConfig) else PARALLEL


def _network(header: Mapping[str, Any]) -> tuple[AnyNetwork, ExpressionConfig | AutoregressiveConfig]:
    raw = header["config"]
    variant = header.get("variant", PARALLEL)
    if variant == PARALLEL:
        config = _config(raw)
        return ExpressionNetwork(config), config
    if variant != AUTOREGRESSIVE:
        raise ValueError(f"the variant {variant!r} is not known")
    sizes = {name: int(raw[name]) for name in ("layers", "past", "audio", "period")}
    decoding = AutoregressiveConfig(_config(raw["encoder"]), **sizes)
    return AutoregressiveNetwork(decoding), decoding


def _config(raw: Mapping[str, Any]) -> ExpressionConfig:
    def pairs(name: str) -> tuple[tuple[int, int], ...]:
        return tuple((int(kernel), int(dilation)) for kernel, dilation in raw[name])

    return ExpressionConfig(
        classes=tuple(str(name) for name in raw["classes"]),
        channels=int(raw["channels"]),
        trunk=pairs("trunk"),
        tail=pairs("tail"),
        reach=int(raw["reach"]),
        heads=int(raw["heads"]),
        dropout=float(raw["dropout"]),
        feature_width=int(raw["feature_width"]),
        features_per_frame=int(raw["features_per_frame"]),
        features=FeatureConfig(**raw.get("features", {})),
    )
