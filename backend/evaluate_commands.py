"""The commands `vividtalk evaluate ...`. Thin, as the rest of the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backend.console import FILE, progress

if TYPE_CHECKING:
    from models.pose import PoseModel


@click.group()
def evaluate() -> None:
    """Measure the models on sounds with known content."""


@evaluate.command("lipsync")
@click.argument("manifest", type=FILE)
@click.option("--model", "models", type=FILE, multiple=True, help="Weights; the shipped ones by default.")
@click.option("--predictions", type=FILE, multiple=True, help="Folder of another program's curves.")
@click.option("--condition", default="clean", show_default=True, help="What the clips are put through.")
@click.option("--part", default="all", show_default=True, help="all, development (for choices) or report.")
@click.option("--people", type=click.IntRange(0), default=3, show_default=True, help="Faces beside the head.")
@click.option("--only", is_flag=True, help="Leave out true phones, loudness, unfinished curves and rest.")
@click.option("--write", type=FILE, help="Folder to write all curves to, for other programs.")
@click.option("--page", type=FILE, help="Folder for a page with tables and pictures of clips.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evaluate_lipsync(
    manifest: Path,
    models: tuple[Path, ...],
    predictions: tuple[Path, ...],
    condition: str,
    part: str,
    people: int,
    only: bool,
    write: Path | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Judge lips by the phone times in MANIFEST (JSON lines): on the mesh first, as curves second."""
    from training.evaluate import report

    chosen: tuple[Path | None, ...] = models or (None,)
    plan = report.LipsyncPlan(manifest, chosen, predictions, condition, part, people, not only)
    found = report.evaluate_lipsync(plan)
    if write is not None:
        report.write_curves(found, write)
    if page is not None:
        from training.evaluate.page import write_page

        write_page(found, plan, page)
    click.echo(report.report_json(found) if as_json else report.format_report(found, plan))


@evaluate.command("variants")
@click.argument("manifest", type=FILE)
@click.option("--model", "models", type=FILE, multiple=True, required=True, help="Weights; give two or more.")
@click.option(
    "--every", type=click.IntRange(1), default=1, show_default=True, help="Take every so many clips."
)
def evaluate_variants(manifest: Path, models: tuple[Path, ...], every: int) -> None:
    """Compare variants of the expression network on MANIFEST: lips, speed, latency. On one thread."""
    from training.evaluate.variants import compare_variants, format_variants

    click.echo(format_variants(compare_variants(manifest, models, every)))


@evaluate.command("contact")
@click.argument("manifest", type=FILE)
@click.option("--face", type=FILE, help="A face file; the built-in head by default.")
@click.option("--people", type=click.IntRange(0), default=8, show_default=True, help="Random people as well.")
@click.option("--every", type=click.IntRange(1), default=25, show_default=True, help="Frames between checks.")
@click.option(
    "--skip", type=click.IntRange(0), default=0, help="Leave out every so many clips, from the first."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evaluate_contact(
    manifest: Path, face: Path | None, people: int, every: int, skip: int, as_json: bool
) -> None:
    """Measure lip contact on curves from the phone times in MANIFEST (JSON lines). Takes minutes."""
    from models.face import load_head
    from training.evaluate import contact

    scores = contact.evaluate_contact(manifest, load_head(face), people, every, skip)
    if as_json:
        click.echo(json.dumps({name: vars(entry) for name, entry in scores.items()}))
    else:
        click.echo(contact.format_scores(scores))


@evaluate.command("pose")
@click.argument("sounds", type=FILE, nargs=-1)
@click.option("--corpus", type=FILE, help="Rendered corpus: its development voices, without SOUNDS.")
@click.option("--baselines", type=FILE, help="Folder of baselines; trained there on --corpus if missing.")
@click.option("--codebook", type=FILE, help="Weights to measure; the shipped ones by default.")
@click.option("--mapper", type=FILE, help="Weights to measure; the shipped ones by default.")
@click.option("--unquantised", type=FILE, help="A codebook trained without codes, to compare with.")
@click.option("--video", type=FILE, help="One real head: lay ours beside it instead.")
@click.option("--minutes", type=float, default=10.0, show_default=True, help="Of corpus or manifest.")
@click.option("--seeds", type=click.IntRange(2), default=8, show_default=True, help="Takes of each row.")
@click.option("--page", type=FILE, help="Folder for a page with tables and pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evaluate_pose(
    sounds: tuple[Path, ...],
    corpus: Path | None,
    baselines: Path | None,
    codebook: Path | None,
    mapper: Path | None,
    unquantised: Path | None,
    video: Path | None,
    minutes: float,
    seeds: int,
    page: Path | None,
    as_json: bool,
) -> None:
    """Judge head motion beside the synthetic prior, on SOUNDS: sound files, or one manifest (JSON lines)."""
    from backend.media.audio import read_audio
    from models.pose import PoseModel
    from training.evaluate import pose, pose_page, pose_tables

    if video is not None:
        _evaluate_video(video, PoseModel.load(codebook, mapper), seeds, page)
        return
    manifest = sounds[0] if len(sounds) == 1 and sounds[0].suffix == pose.MANIFEST else None
    read = () if manifest else tuple((path.name, read_audio(path)) for path in sounds)
    weights = pose.PoseWeights(codebook, mapper, unquantised, baselines)
    with progress("Judging", None):
        report = pose.evaluate_pose(pose.PosePlan(read, manifest, corpus, weights, minutes, seeds))
    if page is not None:
        pose_page.write_pose_page(report, page)
    click.echo(pose_tables.pose_json(report) if as_json else pose_tables.format_pose(report))


def _evaluate_video(video: Path, model: PoseModel, seeds: int, page: Path | None) -> None:
    from backend.media.audio import read_audio
    from backend.tracking import video_landmarks
    from training.evaluate import pose_video
    from training.evaluate.head_track import head_of

    fps, landmarks = video_landmarks(video)
    head = head_of(landmarks, fps, str(video))
    report = pose_video.compare_video(head, read_audio(video), model, seeds)
    if page is not None:
        pose_video.draw_video(report, page)
    click.echo(pose_video.video_table(report))


@evaluate.command("offsets")
@click.argument("manifest", type=FILE)
@click.option("--model", type=FILE, help="Weights to measure; the shipped ones by default.")
@click.option("--face", type=FILE, help="A face file; the built-in head by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evaluate_offsets(manifest: Path, model: Path | None, face: Path | None, as_json: bool) -> None:
    """Compare lips without offsets, with those that the model draws, and solved, at p, b, m and f, v."""
    from models.expression import ExpressionModel
    from models.face import load_head
    from training.evaluate import offsets

    scores = offsets.evaluate_offsets(manifest, ExpressionModel.load(model), load_head(face))
    if as_json:
        click.echo(json.dumps({way: vars(entry) for way, entry in scores.items()}))
    else:
        click.echo(offsets.offset_table(scores))


@evaluate.command("video")
@click.argument("portraits", type=FILE, nargs=-1)
@click.option("--motion", type=FILE, help="A sound or clip to drive them by; the shipped voice by default.")
@click.option(
    "--video", "videos", type=FILE, multiple=True, help="A video to be made again from its first picture."
)
@click.option("--frames", type=click.IntRange(8), default=75, show_default=True, help="How many of each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evaluate_video(
    portraits: tuple[Path, ...], motion: Path | None, videos: tuple[Path, ...], frames: int, as_json: bool
) -> None:
    """Judge rendered frames of a drawn head, of PORTRAITS and of videos. Takes minutes."""
    from itertools import islice

    from backend.demo import DEMO_VOICE
    from backend.media.frames import probe_video
    from backend.media.picture import read_picture
    from backend.movie.making import Settings, driver, read_speech
    from backend.movie.relip import pictures
    from models.portrait.fitting import fit_portrait
    from models.portrait.tracking import track_faces
    from training.evaluate import video

    drive = driver(read_speech(DEMO_VOICE if motion is None else motion, Settings(silent=True)), frames)
    with progress("Judging", None):
        rows = video.judge_drawn(drive)
        for path in portraits:
            picture = read_picture(path).rgb
            rows.append(video.judge_portrait(path.stem, picture, fit_portrait(picture), drive))
        for path in videos:
            fps = probe_video(path).fps
            shown = list(islice(pictures(path, fps), frames))
            rows += video.judge_video(path.stem, shown, track_faces(shown, fps))
    click.echo(json.dumps(video.video_json(rows)) if as_json else video.video_table(rows))
