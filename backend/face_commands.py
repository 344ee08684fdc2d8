"""The commands `vividtalk face ...`. Thin, as the rest of the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from backend.console import FILE, progress, tensor_path
from backend.track_commands import face_track
from blender_addon.protocol.tensorfile import check_writable, refuse_overwriting


@click.group()
def face() -> None:
    """Make and look at heads that can talk."""


face.add_command(face_track)


def _scale(context: click.Context, parameter: click.Parameter, value: str) -> float | None:
    if value == "auto":
        return None
    try:
        unit = float(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither auto nor metres per unit, like 0.01") from None
    if not 0 < unit < float("inf"):
        raise click.BadParameter("metres per unit must be positive")
    return unit


@face.command("transfer")
@click.argument("mesh", type=FILE)
@click.argument("landmarks", type=FILE)
@click.option(
    "-o", "--output", type=FILE, required=True, callback=tensor_path, help="Face file (.safetensors)."
)
@click.option("--scale", callback=_scale, default="auto", show_default=True, help="Metres per unit of MESH.")
@click.option("--id", "face_id", help="The face's stable name; the file's by default.")
def face_transfer(
    mesh: Path, landmarks: Path, output: Path, scale: float | None, face_id: str | None
) -> None:
    """Give the head MESH (.obj) the 52 shapes, from the points that LANDMARKS (.json) names."""
    check_writable(output)
    from blender_addon.protocol.face import write_face
    from models.face import load_head
    from models.face.transfer import read_landmarks, read_obj, transfer_face

    target, marks = read_obj(mesh), read_landmarks(landmarks)
    with progress("Transferring", None):
        result = transfer_face(load_head(), target, marks, face_id or output.stem, scale)
    write_face(output, result.face)
    unit = f"{result.placement.unit:g} m per unit"
    click.echo(f"{output}: {len(result.face.vertices)} vertices, {unit}, fit {result.fit_mm:.2f} mm")
    for note in result.notes:
        click.echo(f"note: {note}")


@face.command("import")
@click.argument("model", metavar="FILE", type=FILE)
@click.option(
    "-o", "--output", type=FILE, required=True, callback=tensor_path, help="Face file (.safetensors)."
)
@click.option("--names", type=FILE, help="Names of its expressions, one a line, for a FILE that has none.")
@click.option("--simplified", is_flag=True, help="Take the smaller of the two meshes that v2 has.")
@click.option("--id", "face_id", help="The face's stable name; the file's by default.")
def face_import(model: Path, output: Path, names: Path | None, simplified: bool, face_id: str | None) -> None:
    """Make a face file of the FaceVerse model FILE (.npy), which is never unpickled."""
    check_writable(output)
    from blender_addon.protocol.face import write_face
    from models.face import load_head
    from models.face.faceverse import import_faceverse, read_names

    listed = None if names is None else read_names(names)
    with progress("Importing", None):
        result = import_faceverse(model, load_head(), face_id or output.stem, listed, simplified)
    write_face(output, result.face)
    sizes = f"{len(result.face.vertices)} vertices, {len(result.face.identity_names)} identity parameters"
    shapes = len(result.face.source["expressions"])
    click.echo(f"{output}: FaceVerse v{result.face.source['version']}, {sizes}, {shapes} of 52 shapes")
    for note in result.notes:
        click.echo(f"note: {note}")


@face.command("info")
@click.argument("face_file", metavar="FACE", type=FILE, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def face_info(face_file: Path | None, as_json: bool) -> None:
    """Say what FACE has and what it lacks; the built-in head by default."""
    from models.face import load_head
    from models.face.describe import describe

    facts = describe(load_head(face_file))
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        shown = ", ".join(value) or "nothing" if isinstance(value, list) else value
        click.echo(f"{name:12} {shown}")


def _settings(context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, float]:
    settings = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            settings[name] = float(value)
        except ValueError:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE, like noseWidth=1.5") from None
    return settings


@face.command("person")
@click.option(
    "-o", "--output", type=FILE, required=True, callback=tensor_path, help="Face file (.safetensors)."
)
@click.option("--seed", type=int, help="Draw a random person by this seed; the mean head otherwise.")
@click.option(
    "--set", "settings", multiple=True, callback=_settings, help="NAME=VALUE, in standard deviations."
)
@click.option("--base", type=FILE, help="The face file to vary; the built-in head by default.")
@click.option("--id", "face_id", help="The face's stable name; the file's by default.")
def face_person(
    output: Path, seed: int | None, settings: dict[str, float], base: Path | None, face_id: str | None
) -> None:
    """Make another person of a face file, by a seed or by named identity parameters."""
    check_writable(output)
    refuse_overwriting(output, base)
    from blender_addon.protocol.face import write_face
    from models.face import load_head
    from models.face.identity import named_identity, sample_identity, with_identity
    from models.face.lip_range import with_lip_basis

    source = load_head(base)
    weights = named_identity(source, settings, None if seed is None else sample_identity(source, seed))
    person = with_lip_basis(replace(with_identity(source, weights), id=face_id or output.stem))
    write_face(output, person)
    strongest = sorted(zip(source.identity_names, weights, strict=True), key=lambda pair: -abs(pair[1]))[:5]
    click.echo(f"{output}: " + ", ".join(f"{name} {weight:+.1f}" for name, weight in strongest))


@face.command("fit")
@click.argument("picture", metavar="IMG", type=FILE)
@click.option(
    "-o", "--output", type=FILE, required=True, callback=tensor_path, help="Face file (.safetensors)."
)
@click.option("--choose", type=click.IntRange(1), help="Which of several faces, 1 the largest (the default).")
@click.option("--landmarks", type=FILE, help="A face landmarker's .task file; the bundled models by default.")
@click.option("--base", type=FILE, help="The face file to fit; the built-in head by default.")
@click.option("--id", "face_id", help="The face's stable name; the picture's by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def face_fit(
    picture: Path,
    output: Path,
    choose: int | None,
    landmarks: Path | None,
    base: Path | None,
    face_id: str | None,
    as_json: bool,
) -> None:
    """Make the textured head of the person in IMG, a photo, painting or drawing."""
    check_writable(output)
    refuse_overwriting(output, base)
    from backend.portraits import fit_picture, portrait_facts
    from blender_addon.protocol.face import write_face

    with progress("Fitting", None):
        portrait = fit_picture(picture, choose, landmarks, base)
    write_face(output, replace(portrait.face, id=face_id or portrait.face.id))
    facts = portrait_facts(portrait)
    if as_json:
        click.echo(json.dumps({"output": str(output), **facts}))
        return
    turned = ", ".join(f"{name} {angle:+.1f}" for name, angle in facts["pose"].items())
    strongest = sorted(facts["expression"].items(), key=lambda pair: -pair[1])[:5]
    click.echo(f"{output}: fitted within {facts['error']:.1%} of the eyes' distance; {turned} degrees")
    click.echo("expression: " + (", ".join(f"{name} {weight:.2f}" for name, weight in strongest) or "none"))
    for note in facts["notes"]:
        click.echo(f"note: {note}")
