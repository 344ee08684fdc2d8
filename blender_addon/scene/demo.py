"""A scene in which a head looks good: camera, three lights, frame rate, viewport."""

from __future__ import annotations

import math
from typing import Any

import bpy
from mathutils import Vector

from . import compat

_LENS_MM = 85.0
_RESOLUTION = 1080
_MARGIN = 1.06
_ABOVE_PIVOT = 0.4256  # of the built-in bust's height: what other heads have of neck and shoulders differs

# Name, direction from the face's middle, distance in head heights, watts, size in head heights, colour.
_LIGHTS = (
    ("Key", (-0.75, -1.0, 0.65), 3.2, 9.0, 1.6, (1.0, 0.94, 0.87)),
    ("Fill", (1.0, -0.85, 0.05), 3.6, 4.0, 2.6, (0.82, 0.9, 1.0)),
    ("Rim", (0.75, 1.5, 0.5), 3.4, 3.0, 1.0, (1.0, 1.0, 1.0)),
)


def set_frame_rate(scene: Any, fps: float) -> None:
    """Set `fps` as a whole number over a base, as Blender does: 23.976 is 24 / 1.001."""
    whole = max(1, round(fps))
    scene.render.fps = whole
    scene.render.fps_base = whole / fps


def light_and_frame(scene: Any, head: Any) -> None:
    """Add camera, lights and a dim world to `scene`, so that `head` fills the picture and looks well."""
    low, high = _bounds(head)
    pivot = head.matrix_world @ Vector(head.vividtalk.pivot)
    height = (high.z - pivot.z) / _ABOVE_PIVOT
    middle = Vector(((low.x + high.x) / 2, low.y + 0.186 * height, high.z - 0.39 * height))
    _add_camera(scene, middle, 0.8 * height)
    for name, direction, distance, watts, size, color in _LIGHTS:
        light = bpy.data.lights.new(f"VividTalk {name}", "AREA")
        light.energy, light.size, light.color = watts, size * height, color
        place = middle + Vector(direction).normalized() * distance * height
        _add_aimed(scene, light, place, middle)
    _add_world(scene)
    scene.render.engine = compat.eevee()
    scene.render.resolution_x = scene.render.resolution_y = _RESOLUTION


def _bounds(head: Any) -> tuple[Vector, Vector]:
    corners = [head.matrix_world @ Vector(corner) for corner in head.bound_box]
    low = Vector(tuple(min(c[i] for c in corners) for i in range(3)))
    high = Vector(tuple(max(c[i] for c in corners) for i in range(3)))
    return low, high


def _add_camera(scene: Any, middle: Vector, height: float) -> None:
    camera = bpy.data.cameras.new("VividTalk Camera")
    camera.lens = _LENS_MM
    camera.clip_start = 0.01
    camera.passepartout_alpha = 0.9
    distance = _MARGIN * height / 2 / math.tan(camera.angle / 2)
    place = middle + Vector((0.0, -distance - height / 8, 0.02))
    scene.camera = _add_aimed(scene, camera, place, middle)


def _add_aimed(scene: Any, data: Any, place: Vector, target: Vector) -> Any:
    item = bpy.data.objects.new(data.name, data)
    scene.collection.objects.link(item)
    item.location = place
    item.rotation_euler = (target - place).to_track_quat("-Z", "Y").to_euler()
    return item


def _add_world(scene: Any) -> None:
    world = bpy.data.worlds.new("VividTalk World")
    world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.032, 0.036, 0.045, 1.0)
    scene.world = world


def look_through_camera(screens: Any) -> None:
    """Let every 3D viewport in `screens` show the camera's picture with the scene's own lights."""
    views = (area.spaces.active for screen in screens for area in screen.areas if area.type == "VIEW_3D")
    for view in views:
        view.region_3d.view_perspective = "CAMERA"
        view.overlay.show_overlays = False
        view.shading.type = "MATERIAL"
        view.shading.use_scene_lights = True
        view.shading.use_scene_world = True
