"""Starting our own modules as processes."""

from __future__ import annotations

import sys

OUR_PYTHON = (sys.executable, "-P")
"""This Python, which does not import modules from the folder it is started in (`-P`)."""


def install_hint(extra: str) -> str:
    """What to type to add an optional part of VividTalk to this environment."""
    return f"In the repository's folder: {sys.executable} -m pip install -e .[{extra}]"
