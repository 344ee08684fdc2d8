"""The built-in head in Blender's Cycles, lit as a portrait: `python docs/studio.py OUT [VIEW ...]`.

Runs in a process of its own, with the `blender` extra: writes OUT/<view>.png.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
from mathutils import Matrix, Vector

from blender_addon import properties
from blender_addon.protocol.face import read_face
from blender_addon.scene.heads import create_head
from models.face import DEFAULT_HEAD

SIZE, SAMPLES = 480, 24
_LENS_MM, _SENSOR_MM = 85.0, 36.0
_NEAREST = 0.7  # metres between camera and face; a longer lens takes close-ups
_MIDDLE = (0.0, -0.03, -0.02)
# Place, watts, width and height in metres, colour.
_LIGHTS = (
    ((0.72, -1.00, 0.60), 17.0, (0.55, 0.75), (1.0, 0.95, 0.88)),  # key
    ((-1.20, -0.95, 0.00), 5.5, (1.1, 1.1), (0.86, 0.92, 1.0)),  # fill
    ((-0.85, 0.85, 0.45), 12.0, (0.30, 0.9), (0.94, 0.97, 1.0)),  # rim
    ((0.95, 0.80, 0.20), 5.0, (0.30, 0.9), (1.0, 0.96, 0.90)),
    ((-0.10, -1.05, 0.22), 1.6, (0.16, 0.16), (1.0, 1.0, 1.0)),  # the eyes' light
)


@dataclass(frozen=True)
class View:
    """What a picture shows: the point in its middle, its height (m), how far the head turns to its left from
    the camera and the camera stands above (degrees), shapes."""

    target: tuple[float, float, float]
    span: float
    turn: float
    pitch: float = 1.0
    weights: Mapping[str, float] = field(default_factory=dict)


_SMILE = {"mouthSmile": 0.75, "cheekSquint": 0.5, "mouthUpperUp": 0.25, "eyeSquint": 0.25, "mouthDimple": 0.2}
_OPEN = {"jawOpen": 0.65, "browInnerUp": 0.5, "eyeWide": 0.3}
VIEWS = {
    "front": View((0.0, -0.02, -0.025), 0.33, 12.0),
    "three_quarter": View((0.0, -0.02, -0.025), 0.33, 44.0),
    "side": View((0.0, 0.0, -0.025), 0.33, 84.0),
    "smile": View((0.0, -0.04, -0.03), 0.23, 16.0, 1.0, _SMILE),
    "open": View((0.0, -0.04, -0.035), 0.23, 16.0, 1.0, _OPEN),
    "eye": View((0.031, -0.09, 0.004), 0.056, 10.0),
}


def main() -> None:
    """Render the named views, or all."""
    out, names = Path(sys.argv[1]), sys.argv[2:] or list(VIEWS)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    properties.register()
    try:
        head = create_head(bpy.context, read_face(DEFAULT_HEAD))
        camera = _studio(bpy.context.scene)
        for name in names:
            _pose(head, VIEWS[name].weights)
            _aim(camera, head, VIEWS[name])
            bpy.context.scene.render.filepath = str(out / f"{name}.png")
            bpy.ops.render.render(write_still=True)
    finally:
        properties.unregister()


def _studio(scene: Any) -> Any:
    """Lights, a dark wall, Cycles; the camera."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = SAMPLES, True
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Punchy"
    scene.view_settings.exposure = 0.85
    world = bpy.data.worlds.new("Studio")
    scene.world, world.use_nodes = world, True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.018, 0.02, 0.024, 1.0)
    for place, watts, (width, height), color in _LIGHTS:
        light = bpy.data.lights.new("Light", "AREA")
        light.shape, light.size, light.size_y = "RECTANGLE", width, height
        light.energy, light.color = watts, color
        _placed(scene, light, Vector(place), Vector(_MIDDLE))
    _wall(scene)
    camera = bpy.data.cameras.new("Camera")
    camera.sensor_width = _SENSOR_MM
    scene.camera = _placed(scene, camera, Vector((0, -1, 0)), Vector())
    return scene.camera


def _wall(scene: Any) -> None:
    """A dark wall behind the head with a soft pool of light on it."""
    bpy.ops.mesh.primitive_plane_add(size=9, location=(0, 2.2, 0), rotation=(math.pi / 2, 0, 0))
    paint = bpy.data.materials.new("Wall")
    paint.use_nodes = True
    shader = paint.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (0.05, 0.055, 0.063, 1.0)
    shader.inputs["Roughness"].default_value = 1.0
    bpy.context.object.data.materials.append(paint)
    glow = bpy.data.lights.new("Wall Light", "AREA")
    glow.energy, glow.size = 16.0, 0.8
    _placed(scene, glow, Vector((0.3, 1.3, -0.9)), Vector((0.0, 2.2, 0.1)))


def _placed(scene: Any, data: Any, place: Vector, target: Vector) -> Any:
    thing = bpy.data.objects.new(data.name, data)
    thing.location = place
    thing.rotation_euler = (target - place).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(thing)
    return thing


def _pose(head: Any, weights: Mapping[str, float]) -> None:
    for block in head.data.shape_keys.key_blocks[1:]:
        name = block.name.removesuffix("Left").removesuffix("Right")
        block.value = weights.get(block.name, weights.get(name, 0.0))


def _aim(camera: Any, head: Any, view: View) -> None:
    """Turn the head under the lights; look at the view's target by the lens that shows its span."""
    turn = Matrix.Rotation(math.radians(view.turn), 4, "Z")
    head.vividtalk.armature.matrix_world = turn
    pitch = math.radians(view.pitch)
    toward = Vector((0.0, -math.cos(pitch), math.sin(pitch)))
    distance = max(view.span * _LENS_MM / _SENSOR_MM, _NEAREST)
    camera.data.lens = _SENSOR_MM * distance / view.span
    camera.location = turn @ Vector(view.target) + toward * distance
    camera.rotation_euler = (-toward).to_track_quat("-Z", "Y").to_euler()


if __name__ == "__main__":
    main()
