"""Runs scenarios in this process's Blender: `python run.py module.function[,...]`, exit 0 when they hold."""

from __future__ import annotations

import faulthandler
import importlib
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import bpy
from common import NotHereError, disable, enable

BARE = ("install.install", "install.nothing_is_left", "exported.picture")


def main() -> None:
    """Run what is named, several in folders of their own; a traceback and exit 1 when one fails."""
    names = sys.argv[1].split(",")
    for name in names:
        faulthandler.dump_traceback_later(55, exit=True)
        if len(names) > 1:
            Path.cwd().joinpath(name).mkdir()
        with chdir(name if len(names) > 1 else "."):
            run(name)


def run(name: str) -> None:
    """One scenario, in a fresh scene."""
    module, function = name.split(".")
    scenario: Any = getattr(importlib.import_module(module), function)
    if name in BARE:
        scenario()
    else:
        bpy.ops.wm.read_factory_settings(use_empty=False)
        enable()
        try:
            scenario()
        except NotHereError as missing:
            sys.stdout.write(f"skipped: this Blender has no {missing}\n")
            return
        finally:
            disable()
            faulthandler.cancel_dump_traceback_later()
    sys.stdout.write(f"{name} holds in {bpy.app.version_string}\n")


if __name__ == "__main__":
    main()
