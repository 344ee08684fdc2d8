"""Imports point one way: docs/architecture.md has the picture, this test has the arrows."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("blender_addon", "backend", "models", "training")
PROTOCOL = "blender_addon.protocol"
LINK = "blender_addon.link"
LIPS = "blender_addon.lips"
MAPS = "blender_addon.maps"

# Longest matching prefix of a module's name -> prefixes that it may import of ours.
ALLOWED: dict[str, tuple[str, ...]] = {
    PROTOCOL: (PROTOCOL,),
    LINK: (PROTOCOL, LINK),
    LIPS: (PROTOCOL, LIPS),
    MAPS: (PROTOCOL, MAPS),
    "blender_addon.scene": (PROTOCOL, LIPS, MAPS, "blender_addon.scene"),
    "blender_addon": ("blender_addon",),
    "models": (PROTOCOL, LIPS, "models"),
    "training": (PROTOCOL, LIPS, "models", "training"),
    "backend": (PROTOCOL, LIPS, MAPS, "models", "backend"),
    # The command line offers training's commands; the benchmark is a client of the service.
    "backend.cli": (PROTOCOL, LIPS, "models", "backend", "training"),
    "backend.evaluate_commands": (PROTOCOL, LIPS, "models", "backend", "training"),
    "backend.sync_commands": (PROTOCOL, LIPS, "models", "backend", "training"),
    "backend.track_commands": (PROTOCOL, LIPS, "models", "backend", "training"),
    "backend.train_commands": (PROTOCOL, LIPS, "models", "backend", "training"),
    "backend.bench": (PROTOCOL, LINK, LIPS, "models", "backend"),
    # Runs inside Blender's Python, where the add-on is what it drives.
    "backend.exporters.blend_script": ("blender_addon", "backend"),
    "backend.exporters.bench_keys": ("blender_addon", "backend"),
}
ADDON_PACKAGES = {"numpy", "zmq", "bpy", "bpy_extras", "mathutils", "addon_utils", "aud", "blf", "gpu"}
BPY_FREE = (PROTOCOL, LINK, LIPS, MAPS)


def _modules() -> Iterator[tuple[str, Path]]:
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def _absolute(name: str, path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def imported(name: str, path: Path) -> Iterator[str]:
    """Absolute names of everything that a module imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(name, path, node)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def violations(name: str, path: Path) -> list[str]:
    rule = max((prefix for prefix in ALLOWED if under(name, prefix)), key=len)
    return [
        f"{name} imports {target}"
        for target in imported(name, path)
        if target.split(".")[0] in OURS and not any(under(target, good) for good in ALLOWED[rule])
    ]


@pytest.mark.parametrize(("name", "path"), list(_modules()), ids=lambda v: v if isinstance(v, str) else "")
def test_imports_follow_the_arrows(name: str, path: Path) -> None:
    assert violations(name, path) == []


@pytest.mark.parametrize(
    ("name", "path"), [m for m in _modules() if under(m[0], "blender_addon")], ids=lambda v: str(v)[-40:]
)
def test_addon_needs_only_what_blender_has(name: str, path: Path) -> None:
    outside = {target.split(".")[0] for target in imported(name, path)} - set(sys.stdlib_module_names)
    assert outside - ADDON_PACKAGES - {"blender_addon"} == set()
    if any(under(name, free) for free in BPY_FREE):
        assert not outside & {"bpy", "mathutils", "addon_utils"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    absolute = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level]
    assert not [n for n in absolute if (n.module or "").startswith("blender_addon")], "use relative imports"


@pytest.mark.parametrize(
    ("name", "path"),
    [m for m in _modules() if under(m[0], "models") or under(m[0], "training")],
    ids=lambda v: str(v)[-40:],
)
def test_models_know_neither_sockets_nor_blender(name: str, path: Path) -> None:
    assert not {"zmq", "socket", "bpy"} & {target.split(".")[0] for target in imported(name, path)}


def test_the_test_sees_a_wrong_arrow(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text("def f():\n    from backend.pipeline import animate\n    return animate\n")
    assert violations("models.wrong", path) == ["models.wrong imports backend.pipeline.animate"]
    path.write_text("from ...scene import heads\n")
    assert violations("blender_addon.protocol.sub.wrong", path) == [
        "blender_addon.protocol.sub.wrong imports blender_addon.scene.heads"
    ]
