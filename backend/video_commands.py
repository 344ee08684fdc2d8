"""The command `vividtalk video`. Thin, as the rest of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.console import FILE, frame_rate, progress
from backend.control_options import chosen_controls, control_options
from blender_addon.protocol.render import CACHE_BYTES, LONGEST
from blender_addon.protocol.tensorfile import check_writable, refuse_overwriting

if TYPE_CHECKING:
    from backend.movie.making import MovieReport, Settings


def _movie_path(_context: click.Context, _parameter: click.Parameter, value: Path) -> Path:
    if value.suffix.lower() != ".mp4":
        raise click.BadParameter(f"{value.name}: a movie ends in .mp4")
    return value


@click.command()
@click.argument("source", metavar="PORTRAIT|VIDEO", type=FILE)
@click.argument("motion", metavar="AUDIO|CLIP", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, callback=_movie_path, help="The movie (.mp4).")
@click.option(
    "--size",
    type=click.IntRange(64, 2048),
    default=512,
    show_default=True,
    help="Pixels of the square about the face that is rendered, a multiple of 64.",
)
@click.option(
    "--longest",
    type=click.IntRange(0),
    default=LONGEST,
    show_default=True,
    help="A longer picture is reduced to this first; 0 for never.",
)
@click.option("--renderer", default="warp", show_default=True, help="What draws the frames.")
@click.option("--fps", callback=frame_rate, help="Frames per second, or a ratio; 25 for a sound.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything that is drawn.")
@click.option(
    "--relative/--absolute",
    default=True,
    help="Motion added to the portrait's own expression (the default), or in its place.",
)
@click.option("--fit", type=FILE, help="The face file that `face fit` made of PORTRAIT.")
@click.option("--choose", type=click.IntRange(1), help="Which face of several, the largest is 1.")
@click.option("--audio", type=FILE, help="The sound of CLIP, when it is not where the clip says.")
@click.option("--silent", is_flag=True, help="Leave the sound out.")
@click.option("--cache", type=FILE, help="Folder to keep frames in: an edit renders only what it changed.")
@click.option(
    "--cache-gb",
    type=click.FloatRange(0),
    default=CACHE_BYTES / 2**30,
    show_default=True,
    help="How large the folder may be after the job.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--head/--no-head", default=True, help="Head motion, blinks, gaze and breath; on by default.")
@control_options
def video(source: Path, motion: Path, output: Path, device: str, **asked: Any) -> None:
    """Make PORTRAIT talk, or give VIDEO another voice.

    PORTRAIT is a picture of a face, AUDIO what it says, CLIP motion made by `animate` or in Blender. Of a
    VIDEO all stays but the mouth; the movie lasts as long as the sound: a longer video is cut, a shorter one
    is played back and forth.
    """
    check_writable(output)
    for read in (source, motion, asked["fit"], asked["audio"]):
        refuse_overwriting(output, read)
    from backend.movie import making

    settings = _settings(making.Settings, device, **asked)
    with progress("Rendering", None) as advance:
        report = making.make_movie(source, motion, output, settings, lambda _: advance(1))
    click.echo(_summary(output, report))
    for note in report.notes:
        click.echo(f"note: {note}")


def _settings(kind: type[Settings], device: str, **asked: Any) -> Settings:
    if asked["size"] % 64:
        raise click.BadParameter(f"--size {asked['size']} is not a multiple of 64")
    fields = ("size", "longest", "renderer", "fps", "seed", "relative", "fit", "audio", "silent", "head")
    own = {name: asked.pop(name) for name in fields}
    cache, gigabytes, choose = asked.pop("cache"), asked.pop("cache_gb"), asked.pop("choose")
    return kind(
        **own,
        choose=choose or 0,
        cache=cache,
        cache_bytes=int(gigabytes * 2**30),
        device=device,
        controls=chosen_controls(device, **asked),
    )


def _summary(output: Path, report: MovieReport) -> str:
    what = f"{output}: {report.frames} frames at {report.fps:g} fps, {report.frames / report.fps:.2f} s, "
    size = f"{report.width} x {report.height} pixels"
    kept = f", {report.rendered} of them rendered" if report.rendered < report.frames else ""
    return f"{what}{size}{kept}"
