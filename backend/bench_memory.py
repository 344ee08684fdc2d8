"""`python -m backend.bench_memory AUDIO DEVICE`: animate, then print this process's peak memory as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Animate the sound named on the command line as `vividtalk animate` would."""
    from backend.devices import load_motion_models
    from backend.faces import talking_face
    from backend.pipeline import AnimateRequest, animate

    request = AnimateRequest(audio=Path(sys.argv[1]), face=talking_face(None))
    clip = animate(request, load_motion_models(sys.argv[2]))
    sys.stdout.write(json.dumps({"frames": clip.frames, "peak_mb": peak_mb()}) + "\n")


def peak_mb() -> float | None:
    """Peak resident memory of this process in MB; None on Windows, whose Python does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
