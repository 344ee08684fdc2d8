"""The commands `vividtalk face track` and `vividtalk evaluate track`."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.console import FILE, progress

if TYPE_CHECKING:
    from backend.track_film import Timed


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
        report = _film_report(folder, seed)
    if as_json:
        click.echo(json.dumps({name: value for name, value in report.items() if name != "text"}))
    else:
        click.echo(report["text"])


def _film_report(folder: Path, seed: int) -> dict[str, Any]:
    from backend.track_film import detector_rate, random_film, shoot, shoot_still, timed_track
    from training.evaluate.track import compare_track, still_scores, still_table, track_table

    film, still = folder / "film.mp4", folder / "still.mp4"
    with progress("Filming and tracking", None) as advance:
        acted = random_film(folder, seed)
        shoot(acted, film, lambda: advance(1))
        found = timed_track(film, folder, advance)
        shoot_still(film, still, seed)
        calm = timed_track(still, folder, advance)
    scores = compare_track(acted.face, acted.clip, acted.seen_by(), found.track)
    trembling = still_scores(calm.track)
    speed = {"rate": found.rate, "person_s": found.person, "detector": detector_rate(film)}
    text = (
        f"Person {seed} speaks the demo voice, 1280 x 720; errors are means over frames.",
        track_table(scores),
        still_table(trembling),
        _speed_line(found, speed["detector"]),
    )
    return {"film": asdict(scores), "still": asdict(trembling), **speed, "text": "\n".join(text)}


def _speed_line(found: Timed, detector: float) -> str:
    return (
        f"{found.rate:.1f} pictures per second with decoding and {found.person:.1f} s for the person; "
        f"the detector alone {detector:.1f} per second"
    )


def _draw_track(video: Path, folder: Path) -> None:
    from backend.track_film import detector_rate, tenth_pictures, timed_track
    from training.evaluate.track_overlay import draw_overlays

    found = timed_track(video, folder)
    for path in draw_overlays(folder, found.track, tenth_pictures(video)):
        click.echo(str(path))
    click.echo(_speed_line(found, detector_rate(video)))
    for note in found.track.notes:
        click.echo(f"note: {note}")
