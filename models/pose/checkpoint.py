"""Weights of codebook and mapper on disk: `.safetensors` files that carry their own configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from blender_addon.protocol.controls import POSE_STYLE_NAMES
from blender_addon.protocol.errors import InputError, ModelError
from blender_addon.protocol.tensorfile import Array, TensorFile, read_tensors, write_tensors

from .hearing import HEARD_NAMES
from .mapper import MapperConfig, MapperNetwork
from .network import CodebookConfig, PoseCodec

M = TypeVar("M", bound=nn.Module)

HEADER_KEY = "vividtalk_model"
CODEBOOK, MAPPER = "pose-codebook", "pose-mapper"
_FORMAT = 1
_HINTS = {
    kind: f"Install VividTalk again, or train with: vividtalk train {kind}" for kind in (CODEBOOK, MAPPER)
}


@dataclass(frozen=True)
class PoseIdentity:
    """Which weights these are: id, SPDX licence, and facts about their training."""

    id: str
    licence: str
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sampling:
    """How codes are chosen where nobody asks for something else.

    Attributes:
        temperature, top: see `choosing.choose`; where somebody speaks.
        resting: share of the temperature that is left where nobody does: surer choices keep a head still.
        guidance: how far logits go from what is likely without the sound (0) to what is with it (1), and on.
    """

    temperature: float = 1.0
    resting: float = 0.5
    top: int = 256
    guidance: float = 1.0


@dataclass(frozen=True)
class CodebookCheckpoint:
    """Encoder, codes and decoder."""

    codec: PoseCodec
    identity: PoseIdentity


@dataclass(frozen=True)
class MapperCheckpoint:
    """The transformer, how it is sampled, and the digest of the codebook that its codes are of."""

    network: MapperNetwork
    identity: PoseIdentity
    sampling: Sampling
    codebook: str


def write_codebook(path: Path, checkpoint: CodebookCheckpoint) -> None:
    """Write weights as 16-bit floats, the codes as 32-bit. Raises `OutputError`."""
    _write(path, CODEBOOK, checkpoint.codec, checkpoint.identity, {"config": asdict(checkpoint.codec.config)})


def write_mapper(path: Path, checkpoint: MapperCheckpoint) -> None:
    """Write weights as 16-bit floats. Raises `OutputError`."""
    own = {
        "config": asdict(checkpoint.network.config),
        "sampling": asdict(checkpoint.sampling),
        "codebook": checkpoint.codebook,
        "heard": HEARD_NAMES,
        "style": POSE_STYLE_NAMES,
    }
    _write(path, MAPPER, checkpoint.network, checkpoint.identity, own)


def read_codebook(path: Path) -> CodebookCheckpoint:
    """Read and check weights. Raises `ModelError` when they are missing, damaged or of another kind."""
    content, header = _read(path, CODEBOOK)
    try:
        codec = PoseCodec(CodebookConfig(**header["config"]))
        return CodebookCheckpoint(_filled(codec, content), _identity(header))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _misfit(path, CODEBOOK, error) from error


def read_mapper(path: Path) -> MapperCheckpoint:
    """Read and check weights. Raises `ModelError` when they are missing, damaged or of another kind."""
    content, header = _read(path, MAPPER)
    if header.get("heard") != list(HEARD_NAMES) or header.get("style") != list(POSE_STYLE_NAMES):
        raise ModelError(f"{path} hears or is asked for other things than this version", _HINTS[MAPPER])
    try:
        network = MapperNetwork(MapperConfig(**header["config"]))
        sampling = Sampling(**header["sampling"])
        filled = _filled(network, content)
        return MapperCheckpoint(filled, _identity(header), sampling, str(header["codebook"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _misfit(path, MAPPER, error) from error


def digest(codec: PoseCodec) -> str:
    """What tells one set of codes from another."""
    codes = codec.quantiser.codes.detach().cpu().numpy().astype(np.float32)
    return hashlib.sha256(np.ascontiguousarray(codes).tobytes()).hexdigest()[:16]


def _write(
    path: Path, kind: str, module: nn.Module, identity: PoseIdentity, own: Mapping[str, object]
) -> None:
    about = {"id": identity.id, "licence": identity.licence, "training": dict(identity.training)}
    header = {"kind": kind, "format": _FORMAT, **about, **own}
    buffers = {name for name, _ in module.named_buffers()}
    tensors: dict[str, Array] = {
        name: value.detach().cpu().numpy().astype(np.float32 if name in buffers else np.float16)
        for name, value in module.state_dict().items()
    }
    write_tensors(path, tensors, {HEADER_KEY: json.dumps(header)})


def _read(path: Path, kind: str) -> tuple[TensorFile, dict[str, Any]]:
    try:
        content = read_tensors(path)
    except InputError as error:
        raise ModelError(error.what, _HINTS[kind]) from error
    try:
        header = json.loads(content.metadata.get(HEADER_KEY, "null"))
    except ValueError:
        header = None
    if not (isinstance(header, dict) and header.get("kind") == kind and header.get("format") == _FORMAT):
        raise ModelError(f"{path} holds no {kind} weights that this version can read", _HINTS[kind])
    if not all(np.isfinite(array).all() for array in content.tensors.values()):
        raise ModelError(f"the {kind} weights {path} have values that are not finite", _HINTS[kind])
    return content, header


def _filled(module: M, content: TensorFile) -> M:
    module.load_state_dict({n: torch.from_numpy(a.astype(np.float32)) for n, a in content.tensors.items()})
    return module.eval().requires_grad_(False)


def _identity(header: Mapping[str, Any]) -> PoseIdentity:
    return PoseIdentity(str(header["id"]), str(header["licence"]), dict(header["training"]))


def _misfit(path: Path, kind: str, error: Exception) -> ModelError:
    reason = str(error).splitlines()[0]
    return ModelError(f"the {kind} weights {path} do not fit the network: {reason}", _HINTS[kind])
