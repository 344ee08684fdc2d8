"""Times the keying of a take in Blender: `python -m backend.exporters.bench_keys` prints {"seconds": ...}.

7,500 frames are 5 minutes at 25 frames per second; a take has 52 curves. It needs the `bpy` module.
"""

from __future__ import annotations

import json
import math
import sys
import time

import bpy
import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.scene import compat, curves

FRAMES = 7500


def measure() -> float:
    """Seconds from an empty Action to 52 curves with `FRAMES` linear keys each, handles computed."""
    mesh = bpy.data.meshes.new("Bench")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    head = bpy.data.objects.new("Bench", mesh)
    for name in ("Basis", *ARKIT_NAMES):
        head.shape_key_add(name=name)
    weights = np.random.default_rng(0).random((FRAMES, len(ARKIT_NAMES)), np.float32)
    start = time.perf_counter()
    action = compat.new_action("Bench", mesh.shape_keys)
    curves.add_curves(action, curves.channels(lips=0))
    compat.assign_action(mesh.shape_keys, action)
    curves.write_due(curves.find_curves(action), curves.Motion(weights, 1), curves.EVERY_FRAME, math.inf)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"seconds": measure(), "blender": bpy.app.version_string}) + "\n")
