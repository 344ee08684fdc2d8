"""A run's state on disk: one `.safetensors` with weights, average and optimiser, and a JSON header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.tensorfile import Array, read_tensors, write_tensors

from .learner import Learner
from .task import Check

STATE_NAME = "state.safetensors"
_HEADER_KEY = "vividtalk_training"
_FORMAT = 1


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps done, wall-clock seconds spent, validations made."""

    step: int = 0
    seconds: float = 0.0
    history: tuple[Check, ...] = ()

    @property
    def best(self) -> Check | None:
        """The best validation, the first of equals."""
        return max(self.history, key=lambda check: check.score, default=None)


def write_state(path: Path, learner: Learner, progress: Progress) -> None:
    """Write everything that the next step depends on, beside `path` first, then renamed onto it.

    Torch's random state is not in it: each step seeds its own.
    """
    tensors: dict[str, Tensor] = {}
    for part, module in (("network", learner.network), ("average", learner.average)):
        tensors |= {f"{part}/{name}": value for name, value in module.state_dict().items()}
    for number, moments in learner.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": value for name, value in moments.items()}
    header = {
        "format": _FORMAT,
        "progress": asdict(progress),
        "precision": learner.fabric.strategy.precision.state_dict(),
    }
    arrays: dict[str, Array] = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
    write_tensors(path, arrays, {_HEADER_KEY: json.dumps(header)})


def read_state(path: Path, learner: Learner) -> Progress:
    """Put what `write_state` wrote into `learner`.

    Raises:
        InputError: the file cannot be read.
        FileFormatError: it is damaged, or of another version or network.
    """
    content = read_tensors(path)
    try:
        header = json.loads(content.metadata[_HEADER_KEY])
        if header["format"] != _FORMAT:
            raise ValueError(f"its format is {header['format']}, not {_FORMAT}")
        tensors = {name: torch.from_numpy(value.copy()) for name, value in content.tensors.items()}
        learner.network.load_state_dict(_part(tensors, "network/"))
        learner.average.load_state_dict(_part(tensors, "average/"))
        _load_optimiser(learner.optimiser, _part(tensors, "optimiser/"))
        learner.fabric.strategy.precision.load_state_dict(header["precision"])
        return _progress(header["progress"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        hint = "Choose another folder, or delete this one to start anew"
        raise FileFormatError(f"{path} is not the state of this training: {reason}", hint) from error


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _load_optimiser(optimiser: Any, tensors: Mapping[str, Tensor]) -> None:
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split("/")
        moments.setdefault(int(number), {})[name] = value.reshape(()) if name == "step" else value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})


def _progress(raw: Mapping[str, Any]) -> Progress:
    history = tuple(Check(int(check["step"]), dict(check["scores"])) for check in raw["history"])
    return Progress(int(raw["step"]), float(raw["seconds"]), history)
