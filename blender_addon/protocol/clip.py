"""`MotionClip`: what the backend produces, the wire carries, Blender keys and every exporter reads.

Frame i is at time i / fps seconds from the start of the sound. Arrays that no model has filled have no
rows (pose, gaze) or no columns (lip): empty says "not computed", zeros would say "at rest".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from .arkit import ARKIT_NAMES
from .controls import controls_from_json
from .errors import FileFormatError
from .mixing import mixed_weights
from .tensorfile import Array, read_tensors, write_tensors

CLIP_FORMAT = 1
MAX_LIP_COEFFICIENTS = 16
LAYER_NAMES = ("speech", "brows", "blink", "gaze", "breath", "emotion")  # what the sums are made of
POSE_CODE_STRIDE = 4
HEADER_KEY = "vividtalk"


def frame_count(duration: float, fps: float) -> int:
    """Frames that cover `duration` seconds: the smallest n >= 1 with n / fps >= duration."""
    return max(1, math.ceil(duration * fps - 1e-6))


@dataclass(frozen=True)
class ModelRef:
    """A model that contributed to a clip: its id and the licence of its weights."""

    id: str
    licence: str


@dataclass(frozen=True)
class ClipInfo:
    """A clip's header. Times in seconds; `phonemes` rows are (start, end, symbol).

    `audio_path` is relative to the clip's folder where it can be; `audio_offset` and `audio_duration` say
    which part of that sound the clip covers, in the sound's own time, and `audio_speed` how fast it plays.
    With `controls` (`controls_to_json`; empty in clips from before there were any) and `seed` the clip can be
    computed again.
    """

    fps: float
    audio_path: str = ""
    audio_sha256: str = ""
    audio_offset: float = 0.0
    audio_duration: float = 0.0
    audio_speed: float = 1.0
    face_id: str = ""
    seed: int = 0
    controls: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[ModelRef, ...] = ()
    relative: bool = False
    edited: Mapping[str, Any] = field(default_factory=dict)
    locked: Mapping[str, Any] = field(default_factory=dict)
    phonemes: tuple[tuple[float, float, str], ...] = ()
    format: int = CLIP_FORMAT


@dataclass(frozen=True)
class MotionClip:
    """Motion of one face over F frames.

    Attributes:
        info: the header.
        weights: [F, 52] f32, ARKit weights 0-1 in `ARKIT_NAMES` order.
        lip: [F, K] f32, K <= 16, coefficients of the face file's lip basis; K = 0 when not computed.
        contact: [F, 2] f32, bilabial and labiodental contact 0-1.
        pose: [F, 6] f32, head rotation vector (radians) and translation (metres); 0 rows when not computed.
        pose_codes: [T] i32 codebook indices; empty when not computed.
        gaze: [F, 4] f32, left pitch, yaw, right pitch, yaw in radians; 0 rows when not computed.
        layers: layer name -> tensor name -> array of that tensor's shape.
    """

    info: ClipInfo
    weights: Array
    lip: Array
    contact: Array
    pose: Array
    pose_codes: Array
    gaze: Array
    layers: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_clip(self, "motion clip")

    @property
    def frames(self) -> int:
        """Number of frames F."""
        return int(self.weights.shape[0])

    @property
    def duration(self) -> float:
        """F / fps, in seconds."""
        return self.frames / self.info.fps


def expression_clip(
    info: ClipInfo,
    weights: Array,
    contact: Array,
    lip: Array | None = None,
    layers: Mapping[str, Array] | None = None,
) -> MotionClip:
    """A clip that has expression only: head pose and gaze are empty, and so are lip offsets by default.

    `layers` maps a layer's name to its weights [F, 52].
    """
    if lip is None:
        lip = np.zeros((weights.shape[0], 0))
    return MotionClip(
        info=info,
        weights=np.asarray(weights, np.float32),
        lip=np.asarray(lip, np.float32),
        contact=np.asarray(contact, np.float32),
        pose=np.zeros((0, 6), np.float32),
        pose_codes=np.zeros(0, np.int32),
        gaze=np.zeros((0, 4), np.float32),
        layers={name: {"weights": np.asarray(part, np.float32)} for name, part in (layers or {}).items()},
    )


def layer_key(layer: str, tensor: str = "weights") -> str:
    """The name of a layer's tensor in a file and on the wire."""
    return f"layer.{layer}.{tensor}"


def codes_of(start: int, frames: int) -> range:
    """Which pose codes belong to `frames` frames from `start` on: those of the frames 4 t among them."""
    return range(-(-start // POSE_CODE_STRIDE), -(-(start + frames) // POSE_CODE_STRIDE))


def clip_tensors(clip: MotionClip) -> dict[str, Array]:
    """All arrays of `clip` by the names that they have in a file and on the wire."""
    tensors: dict[str, Array] = {name: getattr(clip, name) for name in _TENSORS}
    for layer, parts in clip.layers.items():
        tensors |= {layer_key(layer, name): array for name, array in parts.items()}
    return tensors


def layers_of(tensors: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Layer name -> tensor name -> array, from the arrays of a file or a chunk by name."""
    layers: dict[str, dict[str, Array]] = {}
    for key, array in tensors.items():
        if key.startswith("layer.") and key.count(".") == 2:
            _, layer, name = key.split(".")
            layers.setdefault(layer, {})[name] = array
    return layers


def clip_from_tensors(info: ClipInfo, tensors: Mapping[str, Array]) -> MotionClip:
    """The clip of arrays by name; head pose, codes and gaze may be missing, which leaves them empty.

    Raises:
        FileFormatError: another array is missing, or one has not its documented shape and dtype.
    """
    came = {**_EMPTY, **tensors}
    missing = [name for name in _TENSORS if name not in came]
    if missing:
        raise _wrong("motion clip", f"it lacks {', '.join(missing)}")
    return MotionClip(info=info, layers=layers_of(tensors), **{name: came[name] for name in _TENSORS})


def join_chunks(chunks: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The arrays of consecutive chunks, joined by name. All chunks have the same names."""
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def spoken_weights(clip: MotionClip) -> Array:
    """[F, 52] the weights of `clip` without its emotions.

    What they are when it has no layers, or when an emotion layer has no keys in the controls to stand for it.
    """
    if "emotion" not in clip.layers or not clip.info.controls.get("emotions"):
        return clip.weights
    spoken = {name: tensors for name, tensors in clip.layers.items() if name != "emotion"}
    return mixed_weights(spoken, controls_from_json(clip.info.controls).head)


def check_clip(clip: MotionClip, where: str) -> None:
    """Raise `FileFormatError` unless every array of `clip` has its documented shape and dtype, all finite."""
    if not (math.isfinite(clip.info.fps) and 1.0 <= clip.info.fps <= 1000.0):
        raise _wrong(where, f"fps is {clip.info.fps}, expected 1 to 1000")
    frames = clip.weights.shape[0] if clip.weights.ndim else 0
    if frames < 1:
        raise _wrong(where, "it has no frames")
    lip_columns = clip.lip.shape[1] if clip.lip.ndim == 2 else -1
    if not 0 <= lip_columns <= MAX_LIP_COEFFICIENTS:
        raise _wrong(where, f"lip has shape {clip.lip.shape}, expected ({frames}, 0 to 16)")
    _expect(where, "weights", clip.weights, {(frames, len(ARKIT_NAMES))})
    _expect(where, "lip", clip.lip, {(frames, lip_columns)})
    _expect(where, "contact", clip.contact, {(frames, 2)})
    _expect(where, "pose", clip.pose, {(frames, 6), (0, 6)})
    _expect(where, "gaze", clip.gaze, {(frames, 4), (0, 4)})
    codes = -(-frames // POSE_CODE_STRIDE)
    _expect(where, "pose_codes", clip.pose_codes, {(codes,), (0,)}, np.int32)
    for layer, tensors in clip.layers.items():
        for name, array in tensors.items():
            reference = getattr(clip, name, None) if name in _TENSORS else None
            if reference is None or array.ndim != reference.ndim:
                raise _wrong(where, f"layer.{layer}.{name} is not a clip tensor")
            _expect(where, f"layer.{layer}.{name}", array, {(frames, *reference.shape[1:])})


_TENSORS = ("weights", "lip", "contact", "pose", "pose_codes", "gaze")
_EMPTY: Mapping[str, Array] = {
    "pose": np.zeros((0, 6), np.float32),
    "pose_codes": np.zeros(0, np.int32),
    "gaze": np.zeros((0, 4), np.float32),
}


def _expect(
    where: str, name: str, array: Array, shapes: set[tuple[int, ...]], dtype: Any = np.float32
) -> None:
    if array.shape not in shapes:
        expected = " or ".join(str(s) for s in sorted(shapes, reverse=True))
        raise _wrong(where, f"{name} has shape {array.shape}, expected {expected}")
    if array.dtype != dtype:
        raise _wrong(where, f"{name} is {array.dtype}, expected {np.dtype(dtype)}")
    if array.dtype == np.float32 and not np.isfinite(array).all():
        raise _wrong(where, f"{name} has values that are not finite")


def _wrong(where: str, why: str) -> FileFormatError:
    return FileFormatError(f"{where} is not a valid motion clip: {why}", "Animate the sound again")


def write_clip(path: Path, clip: MotionClip) -> None:
    """Write `clip` to `path` atomically. Raises `OutputError` when it cannot be written."""
    write_tensors(path, clip_tensors(clip), {HEADER_KEY: json.dumps(asdict(clip.info))})


def read_clip(path: Path) -> MotionClip:
    """Read and check a clip. Raises `InputError` or `FileFormatError`."""
    content = read_tensors(path)
    info = _read_info(str(path), content.metadata.get(HEADER_KEY))
    missing = [name for name in _TENSORS if name not in content.tensors]
    if missing:
        raise _wrong(str(path), f"it lacks {', '.join(missing)}")
    try:
        return clip_from_tensors(info, content.tensors)
    except FileFormatError as error:
        raise FileFormatError(error.what.replace("motion clip", str(path), 1), error.hint) from error


def _read_info(where: str, text: str | None) -> ClipInfo:
    if text is None:
        raise _wrong(where, f"its header has no {HEADER_KEY!r} entry")
    try:
        return read_info(where, json.loads(text))
    except ValueError as error:
        raise _wrong(where, f"its header is not JSON ({error})") from error


def read_info(where: str, raw: Mapping[str, Any]) -> ClipInfo:
    """A header from its JSON form, as `asdict` gives it; `where` names it in a `FileFormatError`."""
    try:
        known = {f.name for f in fields(ClipInfo)}
        values = {key: value for key, value in raw.items() if key in known}
        if values.get("format") != CLIP_FORMAT:
            raise _wrong(where, f"it has format {values.get('format')}, expected {CLIP_FORMAT}")
        values["fps"] = float(values["fps"])
        values["controls"] = dict(values.get("controls", {}))
        values["models"] = tuple(ModelRef(m["id"], m["licence"]) for m in values.get("models", ()))
        values["phonemes"] = tuple((float(a), float(b), str(s)) for a, b, s in values.get("phonemes", ()))
        return ClipInfo(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _wrong(where, f"its header cannot be read ({error})") from error
