"""A backend process with handlers that need no model: `python dummy_backend.py serve --handoff PATH ...`.

Environment: DUMMY_LEASE (seconds), DUMMY_PORT, DUMMY_HANG=1 (say nothing at all) or DUMMY_FAIL=1 (exit 3).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backend.service import JobContext, ServeConfig, serve
from blender_addon.protocol.errors import MediaError, VividTalkError
from blender_addon.protocol.tensorfile import Array


def echo(params: Mapping[str, Any], arrays: Mapping[str, Array], context: JobContext) -> dict[str, Any]:
    """Send the arrays back as one chunk and the parameters as the result."""
    if arrays:
        context.chunk(0, arrays)
    return dict(params)


def stream(params: Mapping[str, Any], arrays: Mapping[str, Array], context: JobContext) -> dict[str, Any]:
    """`chunks` chunks of 10 frames, `pause` seconds apart; frame f has the weights f, f, ..."""
    chunks = int(params["chunks"])
    for index in range(chunks):
        context.progress("streaming", index / chunks)
        frames = np.arange(index * 10, index * 10 + 10, dtype=np.float32)
        context.chunk(index * 10, {"weights": np.repeat(frames[:, None], int(params.get("width", 52)), 1)})
        time.sleep(float(params.get("pause", 0.0)))
    return {"frames": chunks * 10}


def deaf(params: Mapping[str, Any], arrays: Mapping[str, Array], context: JobContext) -> dict[str, Any]:
    """Busy for `seconds` without ever asking whether it was cancelled."""
    time.sleep(float(params["seconds"]))
    return {}


def fail(params: Mapping[str, Any], arrays: Mapping[str, Array], context: JobContext) -> dict[str, Any]:
    """Fail as told: an expected error, an unexpected one, or a result that no JSON can hold."""
    match params["how"]:
        case "media":
            raise MediaError("line.wav is empty", "Choose another sound")
        case "bug":
            raise ZeroDivisionError("oops")
        case _:
            return {"bad": float("nan")}


HANDLERS = {"echo": echo, "stream": stream, "deaf": deaf, "fail": fail}


def main() -> int:
    logging.basicConfig(level=logging.INFO)
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--handoff", type=Path)
    parser.add_argument("--parent-pid", type=int)
    options = parser.parse_args()
    if os.environ.get("DUMMY_FAIL"):
        sys.stderr.write("ModelError: the weights are missing\n")
        return 3
    if os.environ.get("DUMMY_HANG"):
        time.sleep(60)
    config = ServeConfig(
        port=int(os.environ.get("DUMMY_PORT", "0")),
        handoff_path=options.handoff,
        parent_pid=options.parent_pid,
        lease_seconds=float(os.environ.get("DUMMY_LEASE", "8")),
        version="dummy",
    )
    try:
        serve(HANDLERS, config)
    except VividTalkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
