"""What the sync expert has of commands: `evaluate sync`, `evaluate sync-expert`, `evaluate mouths`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from backend.console import FILE, progress

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_SYNC = click.option("--model", type=FILE, help="Weights of the sync expert; the shipped ones by default.")


@click.command("sync")
@click.argument("sound", type=FILE)
@click.argument("motion", type=FILE)
@click.option("--fps", type=float, help="Frames per second of a .csv without a time column.")
@_SYNC
@_JSON
def evaluate_sync(sound: Path, motion: Path, fps: float | None, model: Path | None, as_json: bool) -> None:
    """Judge whether MOTION (a clip, or a .csv of ARKit weights) belongs to SOUND, and how late it is."""
    from backend.media.audio import AudioSpan, read_audio
    from models.sync import SyncModel
    from training.evaluate.motion_file import read_motion

    expert = SyncModel.load(model)
    moved = read_motion(motion, expert, fps)
    samples = read_audio(sound, AudioSpan(moved.start, None, moved.speed))
    score = expert.score(samples, moved.measures, moved.fps)
    if as_json:
        click.echo(json.dumps({**vars(score), "curve": score.curve.tolist()}))
        return
    click.echo(f"confidence {score.confidence:.3f}, margin {score.margin:.3f}")
    click.echo(f"the motion is {abs(score.offset_seconds) * 1000:.0f} ms {_late(score.offset_seconds)}")
    click.echo("by seconds: " + " ".join(f"{value:.2f}" for value in score.curve))


def _late(seconds: float) -> str:
    return "late" if seconds > 0 else "early"


@click.command("sync-expert")
@click.argument("manifest", type=FILE)
@click.option("--pieces", type=click.IntRange(2), default=120, show_default=True, help="At most, each.")
@click.option("--seed", type=int, default=0, show_default=True)
@_SYNC
@_JSON
def evaluate_sync_expert(manifest: Path, pieces: int, seed: int, model: Path | None, as_json: bool) -> None:
    """Measure the sync expert on the sounds and phone times in MANIFEST (JSON lines). Takes minutes."""
    from models.expression import ExpressionModel
    from models.sync import SyncModel
    from training.evaluate import sync

    with progress("Judging", None):
        results = sync.evaluate_sync(
            manifest, SyncModel.load(model), ExpressionModel.load(), most=pieces, seed=seed
        )
    if as_json:
        click.echo(json.dumps({name: vars(entry) for name, entry in results.items()}))
    else:
        click.echo(sync.format_measures(results))


@click.command("mouths")
@click.argument("video", type=FILE)
@click.option("--phones", type=FILE, help="A manifest (JSON lines) whose first clip has the video's phones.")
@click.option("--foreign", type=FILE, multiple=True, help="Another sound for the sync expert; repeatable.")
@click.option("--figure", type=FILE, help="Picture of the curves under the waveform (.png).")
@click.option("--expression", type=FILE, help="Weights that draw the mouth; the shipped ones by default.")
@_SYNC
def evaluate_mouths(
    video: Path,
    phones: Path | None,
    foreign: tuple[Path, ...],
    figure: Path | None,
    expression: Path | None,
    model: Path | None,
) -> None:
    """Compare the mouth in VIDEO (one face, with its sound) with mouths drawn from its sound."""
    from backend.media.audio import read_audio
    from backend.tracking import video_landmarks
    from models.expression import ExpressionModel
    from models.sync import SyncModel
    from training.evaluate import mouths
    from training.evaluate.lipsync import read_manifest
    from training.evaluate.mouth_track import mouth_of

    judges = mouths.Judges(ExpressionModel.load(expression), SyncModel.load(model))
    spoken = None if phones is None else read_manifest(phones)[0].phones
    samples = read_audio(video)
    others: dict[str, Any] = {path.stem: read_audio(path) for path in foreign}
    fps, landmarks = video_landmarks(video)
    track = mouth_of(landmarks, fps, str(video))
    report = mouths.compare_mouths(samples, track, judges, spoken, others)
    click.echo(mouths.format_report(report))
    if figure is not None:
        from training.evaluate.mouth_figure import draw_mouths

        draw_mouths(report, samples, spoken, figure)
