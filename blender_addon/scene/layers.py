"""What a take's motion is made of: layers with strengths, groups of channels that can be locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..protocol.arkit import ARKIT_NAMES, LIP_SHAPES
from ..protocol.clip import MotionClip
from ..protocol.controls import controls_from_json
from ..protocol.mixing import LAYER_STRENGTHS, mixed_pose, mixed_weights
from ..protocol.tensorfile import Array
from .curves import channels

LAYERS: tuple[str, ...] = ("brows", "blink", "gaze", "breath")  # those with a strength of their own
GROUPS: tuple[str, ...] = ("mouth", "brows", "blinks", "gaze", "head")
HEAD = "head"
_MOUTH = frozenset(LIP_SHAPES)


@dataclass(frozen=True)
class Sums:
    """What a head is keyed with: `weights` [F, 52] without emotions, `pose` [F, 6] or 0 rows."""

    weights: Array
    pose: Array


def sums(clip: MotionClip, strengths: Mapping[str, float]) -> Sums:
    """The sums of the layers of `clip`, with `strengths` of `LAYERS` in place of its own."""
    controls = controls_from_json(clip.info.controls)
    layers = {n: part for n, part in clip.layers.items() if n != "emotion" or not controls.emotions}
    if not layers:
        return Sums(clip.weights, clip.pose)
    own: dict[str, Any] = {name: strengths[layer] for layer, name in LAYER_STRENGTHS.items()}
    head = replace(controls.head, **own)
    if "brows" in layers:
        brows = {**layers["brows"]}
        brows["weights"] = strengths["brows"] * brows["weights"]
        layers["brows"] = brows
    pose = mixed_pose(layers, head)
    return Sums(mixed_weights(layers, head), pose if len(pose) else clip.pose)


def shape_group(column: int) -> str:
    """The lockable group of an ARKit shape: what it shows most."""
    name = ARKIT_NAMES[column]
    if column in _MOUTH:
        return "mouth"
    if name.startswith("eyeBlink"):
        return "blinks"
    return "gaze" if name.startswith("eyeLook") else "brows"


def channel_groups(lips: int) -> list[str]:
    """The group of each of `curves.channels`: lip coefficients and contacts go with the mouth."""
    shapes = [shape_group(column) for column in range(len(ARKIT_NAMES))]
    return shapes + ["mouth"] * (len(channels(lips)) - len(shapes))


def locked_groups(take: Any) -> frozenset[str]:
    """The groups of `take` that nothing rewrites."""
    return frozenset(group for group in GROUPS if getattr(take, f"lock_{group}"))


def wanted_strengths(take: Any) -> dict[str, float]:
    """What the sliders of `take` say."""
    return {layer: float(getattr(take, f"strength_{layer}")) for layer in LAYERS}


def keyed_strengths(take: Any) -> dict[str, float]:
    """With which strengths its keys were made."""
    return dict(zip(LAYERS, map(float, take.keyed_strengths), strict=True))
