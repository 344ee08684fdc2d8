"""The `vividtalk` command line. Thin: it reads arguments, calls a function, reports."""

from __future__ import annotations

import json
import logging
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from backend.console import FILE, frame_rate, progress, tensor_path
from backend.control_options import chosen_controls, control_options
from backend.evaluate_commands import evaluate as evaluate_commands
from backend.face_commands import face as face_commands
from backend.processes import install_hint
from backend.serving import DEVICE_VARIABLE
from backend.sync_commands import evaluate_mouths, evaluate_sync, evaluate_sync_expert
from backend.track_commands import evaluate_track
from backend.train_commands import train as train_commands
from backend.video_commands import video as video_command
from blender_addon.protocol.errors import VividTalkError
from blender_addon.protocol.handoff import default_handoff_path
from blender_addon.protocol.tensorfile import check_writable, refuse_overwriting

EXPORT_KINDS = ("csv", "json", "blend", "mp4")
INTERRUPTED = 130
EXTRA_OF = {
    "bpy": "blender",
    "soundfile": "train",
    "matplotlib": "train",
    "lightning_fabric": "train",
    "tensorboard": "train",
    "yaml": "train",
    "mediapipe": "portrait",
    "cv2": "portrait",
    "PIL": "portrait",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: 0 done, 1 failed with one line on stderr, 2 wrong usage, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        result = cli.main([w for w in words if w != "--debug"], prog_name="vividtalk", standalone_mode=False)
    except click.ClickException as wrong_usage:
        wrong_usage.show()
        return wrong_usage.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        click.echo(f"vividtalk: {_one_line(error)}", err=True)
        return 1
    return result if isinstance(result, int) else 0


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, VividTalkError):
        return text
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRA_OF:
        extra = EXTRA_OF[error.name]
        return f"this command needs {error.name}, which is not installed. {install_hint(extra)}"
    return f"unexpected {type(error).__name__}: {text}. Run again with --debug and report what it prints"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vividtalk")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def cli(debug: bool) -> None:
    """Speech-driven 3D faces for Blender."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C


cli.add_command(face_commands)
cli.add_command(evaluate_commands)
cli.add_command(train_commands)
cli.add_command(video_command)


@cli.command()
@click.argument("audio", type=FILE)
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    callback=tensor_path,
    help="The clip to write (.safetensors).",
)
@click.option("--face", type=FILE, help="A face file; the built-in head by default.")
@click.option("--portrait", type=FILE, help="A picture: its person's head is the face.")
@click.option(
    "--fps", callback=frame_rate, default="25", show_default=True, help="Frames per second, or a ratio."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything that is drawn.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option(
    "--lips",
    type=click.Choice(["solved", "drawn"]),
    default="solved",
    show_default=True,
    help="Lip contact: solved on the face's mesh, or as the network draws it.",
)
@click.option("--head/--no-head", default=True, help="Head motion, blinks, gaze and breath; on by default.")
@control_options
def animate(
    audio: Path,
    output: Path,
    face: Path | None,
    portrait: Path | None,
    fps: float,
    seed: int,
    device: str,
    lips: Any,
    head: bool,
    **manner: Any,
) -> None:
    """Turn the speech in AUDIO (a sound, or a video with sound) into a motion clip."""
    check_writable(output)
    for source in (audio, face, portrait):
        refuse_overwriting(output, source)
    if face is not None and portrait is not None:
        raise click.UsageError("--face and --portrait both name the face: give one")
    controls = chosen_controls(device, **manner)
    from backend.faces import talking_face
    from backend.media.clip_sound import save_clip
    from backend.pipeline import AnimateRequest, assemble_clip, expected_frames, summary

    request = AnimateRequest(audio=audio, fps=fps, seed=seed, controls=controls, lips=lips)
    expected = expected_frames(request)
    face_used = talking_face(face) if portrait is None else _of_picture(portrait)
    request = replace(request, face=face_used)
    clip = assemble_clip(*_computed(request, device, head, expected))
    save_clip(output, clip)
    click.echo(f"{output}: {clip.frames} frames at {fps:g} fps, {clip.duration:.2f} s; {summary(clip)}")
    if face_used.remark:
        click.echo(face_used.remark)


def _of_picture(portrait: Path) -> Any:
    from backend.faces import prepared_face
    from backend.portraits import fit_picture

    with progress("Fitting", None):
        fitted = fit_picture(portrait)
    for note in fitted.notes:
        click.echo(f"note: {note}")
    return prepared_face(fitted.face)


def _computed(request: Any, device: str, head: bool, expected: int | None) -> tuple[Any, Any, list[Any]]:
    from backend.devices import load_motion_models
    from backend.pipeline import stream_motion

    models = load_motion_models(device, head)
    chunks = []
    with progress("Listening", expected) as advance:
        for chunk in stream_motion(request, models):
            chunks.append(chunk)
            advance(chunk.frames)
    return request, models, chunks


@cli.command()
@click.argument("clip", type=FILE)
@click.argument("out", type=FILE)
@click.option("--audio", type=FILE, help="The clip's sound, when it is not where the clip says.")
@click.option("--silent", is_flag=True, help="Leave the sound out (mp4, blend).")
@click.option("--face", type=FILE, help="A face file; the built-in head by default.")
@click.option("--map", "map_name", help="Columns of another head (csv): a preset such as oculus, or a .json.")
def export(
    clip: Path, out: Path, audio: Path | None, silent: bool, face: Path | None, map_name: str | None
) -> None:
    """Write CLIP as OUT: .csv (Live Link Face), .json, .blend, or .mp4 (shaded head with sound)."""
    kind = out.suffix.lower().lstrip(".")
    if kind not in EXPORT_KINDS:
        raise click.BadParameter(f"{out.name}: the ending must be one of {', '.join(EXPORT_KINDS)}")
    if map_name is not None and kind != "csv":
        raise click.BadParameter(f"{out.name}: --map is for .csv")
    check_writable(out)
    from backend.exporters import export_file
    from blender_addon.protocol.clip import read_clip

    motion = read_clip(clip)
    label, steps = ("Rendering", motion.frames) if kind == "mp4" else ("Exporting", None)
    with progress(label, steps) as advance:
        export_file(
            motion,
            clip,
            out,
            audio=audio,
            silent=silent,
            face_path=face,
            map_name=map_name,
            on_frame=partial(advance, 1),
        )
    click.echo(str(out))


@cli.command()
@click.option("-o", "--output", type=FILE, default=Path("demo"), show_default=True, help="Folder to fill.")
def demo(output: Path) -> None:
    """Make demo.safetensors, .csv, .blend and .mp4 from the shipped voice line."""
    from backend.demo import run_demo

    for path in run_demo(output):
        click.echo(str(path.resolve()))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any free port.")
@click.option("--handoff", type=FILE, help="File that tells clients the port and token.")
@click.option("--parent-pid", type=int, help="Stop when this process has gone and no client is left.")
@click.option("--keys", type=FILE, help="Folder with server.key_secret and clients/*.key, for another host.")
@click.option("--stay", is_flag=True, help="Go on without clients, as a machine for others does.")
@click.option(
    "--device", default="auto", show_default=True, envvar=DEVICE_VARIABLE, help="auto, cpu, cuda or mps."
)
def serve(
    host: str,
    port: int,
    handoff: Path | None,
    parent_pid: int | None,
    keys: Path | None,
    stay: bool,
    device: str,
) -> None:
    """Run the backend process that Blender talks to."""
    from backend.service import ServeConfig, read_server_keys
    from backend.serving import run_server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    config = ServeConfig(
        host=host,
        port=port,
        handoff_path=handoff or default_handoff_path(),
        parent_pid=parent_pid,
        keys=None if keys is None else read_server_keys(keys),
        stay=stay,
    )
    run_server(config, device)


@cli.group()
def addon() -> None:
    """Build and install the Blender extension."""


@addon.command("build")
@click.option("-o", "--output", type=FILE, default=Path("dist"), show_default=True, help="Folder to fill.")
@click.option("--all-platforms", is_flag=True, help="Bundle the libraries of every platform, not only this.")
def addon_build(output: Path, all_platforms: bool) -> None:
    """Build vividtalk-X.Y.Z.zip with the libraries that it needs."""
    from backend.addon import build_extension

    click.echo(str(build_extension(output, all_platforms=all_platforms)))


@addon.command("install")
@click.option("--blender", default="blender", show_default=True, help="The Blender program to install into.")
def addon_install(blender: str) -> None:
    """Build the extension, install and enable it in Blender, and tell it where this backend is."""
    from backend.addon import build_extension, install_extension

    click.echo(install_extension(build_extension(Path("dist")), blender))


for _command in (evaluate_sync, evaluate_sync_expert, evaluate_mouths, evaluate_track):
    evaluate_commands.add_command(_command)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(as_json: bool) -> None:
    """Check that everything VividTalk needs is here and works."""
    from backend.doctor import OPTIONAL, diagnose, is_healthy

    checks = diagnose()
    healthy = is_healthy(checks)
    if as_json:
        click.echo(json.dumps({"ok": healthy, "checks": [vars(check) for check in checks]}))
    else:
        for check in checks:
            mark = "ok  " if check.ok else "note" if check.name in OPTIONAL else "FAIL"
            click.echo(f"{mark}  {check.name}: {check.detail}")
            if not check.ok:
                click.echo(f"      {check.hint}")
    if not healthy:
        raise click.exceptions.Exit(1)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quick", is_flag=True, help="Under 50 s on 2 cores; leaves out the longest measurements.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
def bench(as_json: bool, quick: bool, device: str) -> None:
    """Measure speed and memory on this machine."""
    from backend.bench import run_bench

    with progress("Measuring", None):
        results = run_bench(quick=quick, device=device)
    if as_json:
        click.echo(json.dumps(results))
        return
    for name, value in results.items():
        click.echo(f"{name:24} {'not measured' if value is None else value}")


if __name__ == "__main__":
    sys.exit(main())
