"""The head's materials: Principled shaders over its textures, or its vertex colours without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..protocol.face import FaceFile
from .images import face_images

COLOR_ATTRIBUTE = "Albedo"
BUMP_METRES = 0.0006  # height between black and white in a face file's bump texture
_IOR_SKIN = 1.4  # between published values of 1.37 and 1.44 for skin
IOR_CORNEA = 1.376  # A. Gullstrand's schematic eye
_CLEAR = "cornea"
_KEY = "vividtalk_surface"


@dataclass(frozen=True)
class Surface:
    """How a material takes light; values were chosen by eye.

    Attributes:
        roughness: where there is no texture of it; specular: strength of reflection, 0.5 is the physical one.
        scatter: subsurface weight; depth: how far red light travels in it, metres.
        coat: a wet film's weight, of roughness `film`; fuzz: weight of fine hairs at grazing light.
        relief: how much of the bump texture shows.
    """

    roughness: float
    specular: float = 0.5
    scatter: float = 0.0
    depth: float = 0.003
    coat: float = 0.0
    film: float = 0.1
    fuzz: float = 0.0
    relief: float = 1.0


_SURFACES: dict[str, Surface] = {
    "skin": Surface(0.48, 0.5, 0.85, 0.0020),
    "scalp": Surface(0.75, 0.2, 0.4, 0.0012),
    "lips": Surface(0.34, 0.5, 0.85, 0.0018, coat=0.15, film=0.22),
    "mouth": Surface(0.25, 0.5, 1.0, 0.0030, coat=0.5, film=0.12),
    "sclera": Surface(0.12, 0.5, 0.6, 0.0015, coat=0.9, film=0.03, relief=0.0),
    "iris": Surface(0.4, 0.2),
    "pupil": Surface(0.5, 0.0, relief=0.0),
    "teeth": Surface(0.16, 0.5, 0.7, 0.0012, coat=0.5, film=0.06, relief=0.5),
    "gums": Surface(0.25, 0.5, 1.0, 0.0025, coat=0.5, film=0.12),
    "tongue": Surface(0.32, 0.5, 1.0, 0.0030, coat=0.35, film=0.18),
    "brows": Surface(0.5, 0.3, relief=0.0),
    "lashes": Surface(0.45, 0.3, relief=0.0),
}
_SCATTER_RADIUS = (1.0, 0.37, 0.19)  # red : green : blue mean free path in skin (H. W. Jensen et al., 2001)


def add_materials(mesh: Any, face: FaceFile) -> None:
    """Append one material per name of `face` to `mesh`, in order; heads of one face share them."""
    images = face_images(face)
    for index, name in enumerate(face.material_names):
        mesh.materials.append(_material(name, images, _mean_color(face, index)))


def _mean_color(face: FaceFile, material: int) -> tuple[float, float, float]:
    """The mean of a material's vertex colours, linear; white for one without polygons."""
    used = face.polygons[face.material == material]
    color = face.color[used[used >= 0]]  # [n, 3]
    red, green, blue = color.mean(axis=0) if len(color) else np.ones(3)
    return float(red), float(green), float(blue)


def _material(name: str, images: Mapping[str, Any], color: tuple[float, float, float]) -> Any:
    """The material of this name over these images: an equal one in this .blend, else a new one.

    `color` is its colour in the solid viewport, where the cornea would hide the iris if it had one.
    """
    key = " ".join([name, *(image.name for image in images.values())])
    found = next((material for material in bpy.data.materials if material.get(_KEY) == key), None)
    if found is not None:
        return found
    material = bpy.data.materials.new(f"VividTalk {name}")
    material[_KEY] = key
    material.use_nodes = True
    material.diffuse_color = (*color, 0.0 if name == _CLEAR else 1.0)
    if name == _CLEAR:
        _clear(material)
    else:
        _solid(material, _SURFACES.get(name, Surface(0.5)), images)
    return material


def _solid(material: Any, surface: Surface, images: Mapping[str, Any]) -> None:
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    values = {
        "Roughness": surface.roughness,
        "Specular IOR Level": surface.specular,
        "IOR": _IOR_SKIN,
        "Subsurface Weight": surface.scatter,
        "Subsurface Radius": _SCATTER_RADIUS,
        "Subsurface Scale": surface.depth,
        "Coat Weight": surface.coat,
        "Coat Roughness": surface.film,
        "Sheen Weight": surface.fuzz,
        "Sheen Roughness": 0.4,
    }
    for name, value in values.items():
        shader.inputs[name].default_value = value
    tree.links.new(_color(tree, images), shader.inputs["Base Color"])
    if "roughness" in images:
        texture = _texture(tree, images["roughness"], -40)
        tree.links.new(texture.outputs["Color"], shader.inputs["Roughness"])
    if "bump" in images and surface.relief > 0:
        tree.links.new(_bump(tree, images["bump"], surface.relief), shader.inputs["Normal"])


def _color(tree: Any, images: Mapping[str, Any]) -> Any:
    """The socket of the albedo: its texture, else the vertex colours."""
    if "albedo" in images:
        return _texture(tree, images["albedo"], 260).outputs["Color"]
    color = tree.nodes.new("ShaderNodeVertexColor")
    color.layer_name = COLOR_ATTRIBUTE
    color.location = (-400, 260)
    return color.outputs["Color"]


def _texture(tree: Any, image: Any, height: float) -> Any:
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    node.location = (-700, height)
    return node


def _bump(tree: Any, image: Any, relief: float) -> Any:
    node = tree.nodes.new("ShaderNodeBump")
    node.inputs["Strength"].default_value = relief
    node.inputs["Distance"].default_value = BUMP_METRES
    node.location = (-300, -340)
    tree.links.new(_texture(tree, image, -340).outputs["Color"], node.inputs["Height"])
    return node.outputs["Normal"]


def _clear(material: Any) -> None:
    """A clear film that mirrors at its Fresnel share and lets all other light, and its shadow rays, through.

    Without refraction: the iris is painted as it is seen, EEVEE needs no ray tracing for it, and no path
    tracer loses the light on the iris to caustics.
    """
    tree = material.node_tree
    tree.nodes.clear()
    nodes = {name: tree.nodes.new(f"ShaderNode{name}") for name in _CLEAR_NODES}
    for (name, node), x in zip(nodes.items(), (-400, -400, -400, -100, 200), strict=True):
        node.location = (x, {"Fresnel": 200, "BsdfTransparent": 0}.get(name, -150))
    nodes["Fresnel"].inputs["IOR"].default_value = IOR_CORNEA
    nodes["BsdfGlossy"].inputs["Roughness"].default_value = 0.02
    mix = nodes["MixShader"].inputs
    tree.links.new(nodes["Fresnel"].outputs[0], mix[0])
    tree.links.new(nodes["BsdfTransparent"].outputs[0], mix[1])
    tree.links.new(nodes["BsdfGlossy"].outputs[0], mix[2])
    tree.links.new(nodes["MixShader"].outputs[0], nodes["OutputMaterial"].inputs["Surface"])
    material.surface_render_method = "BLENDED"
    material.use_backface_culling = True


_CLEAR_NODES = ("Fresnel", "BsdfTransparent", "BsdfGlossy", "MixShader", "OutputMaterial")
