"""Pretrained speech encoders (wav2vec 2.0, HuBERT, WavLM) through the package transformers, as they are.

Their convolutions have a stride of 320 samples and see 400, so output k is centred on sample 320 k + 199.5.
Samples are padded and outputs interpolated so that feature i belongs to i / 50 s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from blender_addon.protocol.errors import MissingExtraError, ModelError
from blender_addon.protocol.tensorfile import Array

from .mel import SAMPLE_RATE
from .windows import FADE_FRAMES, FRAME, LEAD_FRAMES, LOOK_AHEAD_FRAMES, WINDOW_FRAMES, Windows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MODEL_TYPES = ("wav2vec2", "hubert", "wavlm")
_POWER_FLOOR = 1e-6  # -60 dBFS, as in `level`: what is quieter is not amplified
_TRAINING_ONLY = ("masked_spec_embed",)
_HINT = (
    "Name a folder with config.json and model.safetensors of a wav2vec 2.0, HuBERT or WavLM, or its hub id"
)
_FETCH_HINT = "VividTalk does not download encoders: name a folder, or fetch it once with: hf download {}"


class PretrainedEncoder:
    """Hidden states of a pretrained encoder as features at 50 per second.

    Each window of `windows` is scaled to unit power, as the encoders were trained, then encoded.
    """

    per_frame = 1

    def __init__(self, network: PreTrainedModel, layer: int, device: torch.device) -> None:
        self._network = network.eval().to(device)
        self._layer = layer
        self._device = device
        self._stride, self._receptive = receptive_field(
            network.config.conv_kernel, network.config.conv_stride
        )
        self.width = int(network.config.hidden_size)
        self.look_ahead = LOOK_AHEAD_FRAMES * FRAME / SAMPLE_RATE + self._margin / SAMPLE_RATE
        middle = LEAD_FRAMES + FADE_FRAMES
        self.silence: Array = self._encode(torch.zeros(1, self._needed))[0, middle].numpy()

    def stream(self) -> WindowedListener:
        """A new sound."""
        return WindowedListener(self._windows(1), self.width)

    def whole(self, samples: Tensor) -> Tensor:
        """[B, n] samples -> [B, T, width]."""
        windows = self._windows(len(samples))
        return torch.cat([*windows.push(samples), *windows.finish()], dim=1)

    @property
    def _margin(self) -> int:
        """Samples before a window's first frame and after its last, so that outputs lie around both."""
        return math.ceil(self._receptive / 2) + self._stride

    @property
    def _needed(self) -> int:
        return WINDOW_FRAMES * FRAME + 2 * self._margin

    def _windows(self, batch: int) -> Windows:
        return Windows(self._encode, self._margin, batch)

    @torch.inference_mode()
    def _encode(self, samples: Tensor) -> Tensor:
        """[B, n] samples of a window with its margins -> [B, WINDOW_FRAMES, width]."""
        centred = samples - samples.mean(1, keepdim=True)
        power = centred.square().mean(1, keepdim=True).clamp(min=_POWER_FLOOR)
        heard = self._network((centred / power.sqrt()).to(self._device), output_hidden_states=True)
        states = heard.hidden_states[self._layer].float().cpu()  # [B, k, width]
        wanted = torch.arange(WINDOW_FRAMES) * FRAME + self._margin
        position = (wanted - (self._receptive - 1) / 2) / self._stride
        before = position.floor().long()
        share = (position - before)[:, None]
        result: Tensor = states[:, before] * (1 - share) + states[:, before + 1] * share
        return result


class WindowedListener:
    """One sound in progress."""

    def __init__(self, windows: Windows, width: int) -> None:
        self._windows = windows
        self._width = width

    def push(self, samples: Array) -> Array:
        """[n] f32 samples at 16 kHz -> [m, width] f32 features that became certain."""
        return self._joined(self._windows.push(torch.from_numpy(np.asarray(samples, np.float32))[None]))

    def finish(self) -> Array:
        """The remaining features, past the sound's end."""
        return self._joined(self._windows.finish())

    def _joined(self, parts: Sequence[Tensor]) -> Array:
        rows = [part[0].numpy() for part in parts]
        return np.concatenate([np.zeros((0, self._width), np.float32), *rows])


def receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Stride and receptive field, in samples, of convolutions one after the other."""
    stride, receptive = 1, 1
    for kernel, step in zip(kernels, strides, strict=True):
        receptive += (kernel - 1) * stride
        stride *= step
    return stride, receptive


def load_encoder(name: str, layer: int, device: torch.device) -> PretrainedEncoder:
    """The encoder in the folder or of the hub id `name`; `layer` is one of its hidden states, -1 the last."""
    network = _load(name)
    kind, states = network.config.model_type, network.config.num_hidden_layers + 1
    if kind not in MODEL_TYPES:
        raise ModelError(f"the audio encoder {name} is a {kind}, not one of {', '.join(MODEL_TYPES)}", _HINT)
    if not -states <= layer < states:
        raise ModelError(f"the audio encoder {name} has no layer {layer}", f"Choose one of 0 to {states - 1}")
    return PretrainedEncoder(network, layer, device)


def _load(name: str) -> PreTrainedModel:
    try:
        from transformers import AutoModel, logging
    except ImportError as error:
        hint = 'Install it: pip install "vividtalk[encoders]"'
        raise MissingExtraError(f"the audio encoder {name} needs the package transformers", hint) from error
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    hint = _HINT if _is_path(name) else _FETCH_HINT.format(name)
    if _is_path(name) and not Path(name).is_dir():
        raise ModelError(f"there is no folder {name} with an audio encoder", hint)
    try:
        network, report = AutoModel.from_pretrained(name, local_files_only=True, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"the audio encoder {name} cannot be loaded: {_first_line(error)}", hint) from error
    missing = sorted(key for key in report["missing_keys"] if key not in _TRAINING_ONLY)
    if missing:  # they would be random
        raise ModelError(f"the audio encoder {name} lacks {len(missing)} weights, first {missing[0]}", hint)
    loaded: PreTrainedModel = network
    return loaded


def _is_path(name: str) -> bool:
    """A hub id is `name` or `owner/name`."""
    path = Path(name)
    return path.is_dir() or path.is_absolute() or name.startswith((".", "~")) or len(path.parts) > 2


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
