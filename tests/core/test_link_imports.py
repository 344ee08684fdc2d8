"""`protocol` and `link` work where there is no Blender and no torch."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import pkgutil, sys
for name in ("bpy", "torch", "scipy", "av", "backend", "models"):
    sys.modules[name] = None
import blender_addon.link, blender_addon.protocol
for package in (blender_addon.protocol, blender_addon.link):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        __import__(module.name)
"""


def test_imports_without_bpy_and_torch() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)


def test_the_service_answers_before_torch_is_imported() -> None:
    script = "import sys, backend.service; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
