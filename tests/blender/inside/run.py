"""Runs one scenario in this process's Blender: `python run.py module.function`, exit 0 when it holds."""

from __future__ import annotations

import faulthandler
import importlib
import sys
from typing import Any

import bpy
from common import NotHereError, disable, enable

BARE = ("install.install", "install.nothing_is_left", "exported.picture")


def main() -> None:
    """Run it; a traceback and exit 1 when it fails."""
    faulthandler.dump_traceback_later(40, exit=True)
    module, function = sys.argv[1].split(".")
    scenario: Any = getattr(importlib.import_module(module), function)
    if sys.argv[1] in BARE:
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
    sys.stdout.write(f"{sys.argv[1]} holds in {bpy.app.version_string}\n")


if __name__ == "__main__":
    main()
