"""Choosing the PyTorch device."""

from __future__ import annotations

import torch

from blender_addon.protocol.errors import InputError


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
