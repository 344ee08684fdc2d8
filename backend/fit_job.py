"""The service's job `fit` (docs/protocol.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.portraits import fit_picture
from backend.service import JobContext
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import write_face
from blender_addon.protocol.tensorfile import Array, check_writable


def fit(params: Mapping[str, Any], _arrays: Mapping[str, Array], context: JobContext) -> Mapping[str, Any]:
    """Make the face file of the person in a picture.

    Raises:
        InputError: a path is missing, the picture cannot be read, or it shows no face.
    """
    portrait, output = (str(params.get(name, "")) for name in ("portrait_path", "output_path"))
    if not portrait or not output:
        raise InputError("the fit job names no portrait or no output", "Update the add-on")
    check_writable(Path(output))
    context.progress("Fitting the head", 0.0)
    found = fit_picture(Path(portrait), int(params.get("choose", 0)) or None)
    context.raise_if_cancelled()
    context.progress("Writing the head", 0.9)
    write_face(Path(output), found.face)
    return {"path": output, "notes": list(found.notes)}
