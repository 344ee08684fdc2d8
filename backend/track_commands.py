"""The commands `vividtalk face track` and `vividtalk evaluate track`."""

from __future__ import annotations

import json
import tempfile
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


@click.command("track")
@click.argument("video", type=FILE, required=False)
@click.option("-o", "--output", type=FILE, help="Folder for the film, or for pictures of VIDEO's track.")
@click.option("--seed", type=int, default=3, show_default=True, help="Which random person is filmed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evaluate_track(video: Path | None, output: Path | None, seed: int, as_json: bool) -> None:
    """Film a random person of known motion and track that; or draw the track over VIDEO. Takes minutes."""
    with tempfile.TemporaryDirectory() as spare:
        folder = output or Path(spare)
        folder.mkdir(parents=True, exist_ok=True)
        if video is not None:
            _draw_track(video, folder)
            return
        from backend.track_film import film_report
        from training.evaluate.track import still_table, track_table

        with progress("Filming and tracking", None) as advance:
            report = film_report(folder, seed, advance)
        if as_json:
            click.echo(report.json())
            return
        click.echo(f"Person {seed} speaks the demo voice, 1280 x 720; errors are means over frames.")
        click.echo(track_table(report.scores))
        click.echo(still_table(report.still))
        click.echo(f"{report.rate:.1f} pictures per second; the detector alone {report.detector:.1f}")


def _draw_track(video: Path, folder: Path) -> None:
    from backend.track_film import detector_rate, tenth_pictures, timed_track
    from training.evaluate.track_overlay import draw_overlays

    found = timed_track(video, folder)
    for path in draw_overlays(folder, found.track, tenth_pictures(video)):
        click.echo(str(path))
    click.echo(f"{found.rate:.1f} pictures per second; the detector alone {detector_rate(video):.1f}")
    for note in found.track.notes:
        click.echo(f"note: {note}")
