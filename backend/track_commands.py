"""The commands `vividtalk face track` and `vividtalk evaluate track`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from backend.console import FILE, progress


@click.command("track")
@click.argument("video", type=FILE)
@click.option(
    "-o", "--output", type=FILE, required=True, help="The clip to write (.safetensors), or a folder."
)
@click.option("--fps", type=click.FloatRange(1, 240), help="Frames per second of the clip; the video's own.")
@click.option("--landmarks", type=FILE, help="A face landmarker's .task file; the bundled models by default.")
@click.option("--base", type=FILE, help="The face file to fit; the built-in head by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def face_track(
    video: Path, output: Path, fps: float | None, landmarks: Path | None, base: Path | None, as_json: bool
) -> None:
    """Turn the face in VIDEO into a motion clip beside its sound and the person's head.

    The same command goes on with a run that was stopped.
    """
    from backend.media.frames import probe_video
    from backend.pipeline import summary
    from backend.tracking import TrackPlan, track_video

    frames = probe_video(video).frames
    plan = TrackPlan(video, output, fps, base, landmarks)
    with progress("Tracking", None if frames is None else 2 * frames) as advance:
        tracked = track_video(plan, advance)
    seen = float((tracked.confidence > 0).mean())
    if as_json:
        facts = {"clip": str(plan.clip), "face": str(plan.face), "frames": tracked.clip.frames}
        confidence = float(tracked.confidence.mean())
        click.echo(json.dumps({**facts, "seen": seen, "confidence": confidence, "notes": tracked.notes}))
        return
    click.echo(f"{plan.clip}: {tracked.clip.frames} frames, a face in {seen:.0%}; {summary(tracked.clip)}")
    click.echo(f"{plan.face}: the person")
    for note in tracked.notes:
        click.echo(f"note: {note}")
