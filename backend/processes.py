"""Starting our own modules as processes."""

from __future__ import annotations

import sys

OUR_PYTHON = (sys.executable, "-P")
"""This Python, which does not import modules from the folder it is started in (`-P`)."""
