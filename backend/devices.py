"""Choosing the PyTorch device and loading models onto it."""

from __future__ import annotations

import numpy as np
import torch

from blender_addon.protocol.controls import HeadControls
from blender_addon.protocol.errors import InputError
from models.expression import ExpressionModel
from models.pose import PoseModel

from .streams import HeadStream, MotionModels

POSE_DEVICE = "cpu"  # the pose model takes many small steps one after the other, which no GPU makes faster


def choose_device(name: str) -> str:
    """The PyTorch device for `name`; `auto` takes a GPU when one works.

    Raises:
        InputError: the device is unknown or not on this machine.
    """
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    kind = name.split(":", maxsplit=1)[0]
    if kind not in available:
        raise InputError(f"{name!r} is not a device", "Give auto, cpu, cuda or mps")
    if not available[kind]:
        raise InputError(f"device {name} is not available here", "Use --device cpu")
    return name


def warm_up(models: MotionModels) -> None:
    """Run every kernel once: the first pass through PyTorch allocates and tunes."""
    second = np.zeros(models.expression.sample_rate, np.float32)
    spoken = models.expression.stream(25.0)
    spoken.push(second)
    spoken.finish()
    if models.pose is not None:
        warm_up_pose(models.pose)


def warm_up_pose(model: PoseModel) -> None:
    """As `warm_up`, for what moves the head."""
    head = HeadStream(model, 25.0, HeadControls(), 0)
    head.push(np.zeros(model.sample_rate, np.float32))
    head.finish()


def load_motion_models(device: str, head: bool = True) -> MotionModels:
    """The shipped models, expression on `device` (auto, cpu, cuda or mps); without `head` no pose model.

    Raises:
        InputError: there is no such device here.
        ModelError: weights are missing or damaged.
    """
    pose = PoseModel.load(device=POSE_DEVICE) if head else None
    return MotionModels(load_expression_model(device), pose)


def load_expression_model(device: str) -> ExpressionModel:
    """The shipped voice-to-expression model on `device` (auto, cpu, cuda or mps).

    Sets PyTorch to one CPU thread for the whole process: the network's layers are too small to share, and on
    a busy machine threads that wait for one another make it several times slower.

    Raises:
        InputError: there is no such device here.
        ModelError: the weights are missing or damaged.
    """
    torch.set_num_threads(1)
    return ExpressionModel.load(device=choose_device(device))
