"""The materials and images of a head."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import numpy as np
from common import addon

SPACES = {"albedo": "sRGB", "roughness": "Non-Color", "bump": "Non-Color"}


def _face() -> Any:
    return addon("protocol.face").read_face(addon("operators")._ASSETS / "head.safetensors")


def _small(face: Any) -> Any:
    """`face` with textures of a few known texels."""
    random = np.random.default_rng(0)
    albedo = random.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    grey = random.integers(0, 256, (4, 4, 1), dtype=np.uint8)
    return replace(face, textures={"albedo": albedo, "roughness": grey, "bump": grey[::-1].copy()})


def _feeding(material: Any, socket: str) -> Any:
    """The node linked to an input of the material's Principled shader."""
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    links = shader.inputs[socket].links
    return links[0].from_node if links else None


def _textures() -> int:
    return sum("vividtalk_texture" in image for image in bpy.data.images)


def images_are_packed() -> None:
    """Every texture is an image with the face file's texels and colour space, packed into the .blend."""
    face = _small(_face())
    head = addon("scene.heads").create_head(bpy.context, face)
    skin = next(m for m in head.data.materials if m.name.split()[-1] == "skin")
    found = {
        "albedo": _feeding(skin, "Base Color").image,
        "roughness": _feeding(skin, "Roughness").image,
        "bump": _feeding(skin, "Normal").inputs["Height"].links[0].from_node.image,
    }
    for name, image in found.items():
        texels = face.textures[name]
        assert image.packed_file is not None, name
        assert image.colorspace_settings.name == SPACES[name], name
        assert tuple(image.size) == (texels.shape[1], texels.shape[0]), name
        pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
        image.pixels.foreach_get(pixels)
        shown = pixels.reshape(*texels.shape[:2], 4)[::-1, :, : texels.shape[2]]
        assert np.abs(shown * 255 - texels).max() < 0.6, name


def a_second_head_shares_them() -> None:
    """Heads of one face share images and materials; another face of the same name has its own."""
    face, create = _small(_face()), addon("scene.heads").create_head
    first, second = create(bpy.context, face), create(bpy.context, face)
    assert [m.name for m in first.data.materials] == [m.name for m in second.data.materials]
    assert _textures() == 3
    other = replace(face, textures={"albedo": 255 - face.textures["albedo"]})
    third = create(bpy.context, other)
    assert _textures() == 4
    assert not {m.name for m in third.data.materials if "cornea" not in m.name} & {
        m.name for m in first.data.materials
    }


def without_textures() -> None:
    """A face file without textures has its vertex colours, and no images."""
    head = addon("scene.heads").create_head(bpy.context, replace(_face(), textures={}))
    assert _textures() == 0
    for material in head.data.materials:
        if material.name.split()[-1] != "cornea":
            assert _feeding(material, "Base Color").layer_name == head.data.color_attributes[0].name
            assert _feeding(material, "Roughness") is None
            assert _feeding(material, "Normal") is None


def cornea_lets_light_through() -> None:
    """The cornea is a transparent film, so that no renderer shows a black iris under it."""
    head = addon("scene.heads").create_head(bpy.context, _small(_face()))
    cornea = next(m for m in head.data.materials if m.name.split()[-1] == "cornea")
    kinds = {node.type for node in cornea.node_tree.nodes}
    assert {"BSDF_TRANSPARENT", "BSDF_GLOSSY", "FRESNEL", "MIX_SHADER"} <= kinds
    assert "BSDF_PRINCIPLED" not in kinds
    output = next(node for node in cornea.node_tree.nodes if node.type == "OUTPUT_MATERIAL")
    assert output.inputs["Surface"].is_linked
    assert cornea.surface_render_method == "BLENDED"


def solid_view_shows_colors_and_gaze() -> None:
    """Each material's viewport colour is its mean vertex colour; the cornea hides no iris."""
    head = addon("scene.heads").create_head(bpy.context, _small(_face()))
    colors: dict[int, list[Any]] = {}
    for polygon in head.data.polygons:
        for vertex in polygon.vertices:
            colors.setdefault(polygon.material_index, []).append(
                head.data.color_attributes[0].data[vertex].color[:3]
            )
    for index, material in enumerate(head.data.materials):
        *color, alpha = material.diffuse_color
        assert np.allclose(color, np.mean(colors[index], axis=0), atol=1e-3), material.name
        assert alpha == (0.0 if material.name.split()[-1] == "cornea" else 1.0), material.name


def skin_scatters_on_the_faces_scale() -> None:
    """Subsurface scattering of some millimetres, red the furthest."""
    head = addon("scene.heads").create_head(bpy.context, _small(_face()))
    for material in head.data.materials:
        if material.name.split()[-1] in ("skin", "lips"):
            shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
            red, green, blue = shader.inputs["Subsurface Radius"].default_value
            assert shader.inputs["Subsurface Weight"].default_value > 0.5
            assert 0.001 < shader.inputs["Subsurface Scale"].default_value * red < 0.006
            assert red > green > blue
