"""The head's materials: Principled shaders over the face file's vertex colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

COLOR_ATTRIBUTE = "Albedo"


@dataclass(frozen=True)
class Surface:
    """How a material takes light. `scatter` is the subsurface weight; values are chosen by eye."""

    roughness: float
    scatter: float = 0.0
    specular: float = 0.5


_SURFACES: dict[str, Surface] = {
    "skin": Surface(0.46, 0.25, 0.35),
    "lips": Surface(0.34, 0.35, 0.45),
    "mouth": Surface(0.35, 0.3),
    "sclera": Surface(0.08, 0.1),
    "iris": Surface(0.06),
    "pupil": Surface(0.05),
    "teeth": Surface(0.18, 0.15),
    "gums": Surface(0.25, 0.3),
    "tongue": Surface(0.35, 0.3),
    "brows": Surface(0.8, 0.0, 0.1),
    "lashes": Surface(0.7, 0.0, 0.1),
}
_SCATTER_RADIUS = (1.0, 0.35, 0.18)  # red travels furthest in skin
_SCATTER_METRES = 0.003


def add_materials(mesh: Any, names: tuple[str, ...]) -> None:
    """Append one material per name to `mesh`, in order; heads share materials of the same name."""
    for name in names:
        label = f"VividTalk {name}"
        mesh.materials.append(bpy.data.materials.get(label) or _new_material(label, name))


def _new_material(label: str, name: str) -> Any:
    surface = _SURFACES.get(name, Surface(0.5))
    material = bpy.data.materials.new(label)
    material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    color = tree.nodes.new("ShaderNodeVertexColor")
    color.layer_name = COLOR_ATTRIBUTE
    color.location = (-300, 200)
    tree.links.new(color.outputs["Color"], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = surface.roughness
    shader.inputs["Specular IOR Level"].default_value = surface.specular
    shader.inputs["Subsurface Weight"].default_value = surface.scatter
    shader.inputs["Subsurface Radius"].default_value = _SCATTER_RADIUS
    shader.inputs["Subsurface Scale"].default_value = _SCATTER_METRES
    return material
