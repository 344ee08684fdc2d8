"""What tests of head meshes share: regions, folded corners, what a renderer sees."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import FaceFile
from models.render import PreviewRenderer


def region(face: FaceFile, *names: str) -> np.ndarray:
    """[V] true in the named regions; names the face lacks count for nothing."""
    return np.isin(face.region, [face.region_names.index(n) for n in names if n in face.region_names])


def corner_turns(vertices: np.ndarray, quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per quad: least cosine between a corner's normal and the quad's (< 0: concave or folded), and area."""
    p = vertices[quads]
    corners = np.stack(
        [np.cross(p[:, (i + 1) % 4] - p[:, i], p[:, i - 1] - p[:, i]) for i in range(4)], axis=1
    )
    mean = np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1])
    area = np.linalg.norm(mean, axis=1) / 2
    length = np.linalg.norm(corners, axis=2) * np.linalg.norm(mean, axis=1)[:, None]
    return ((corners * mean[:, None]).sum(2) / np.maximum(length, 1e-20)).min(1), area


def blinking(face: FaceFile, amount: float) -> np.ndarray:
    """Vertices [V, 3] f32 with both eyes closed by `amount`."""
    both = face.shapes[ARKIT_INDEX["eyeBlinkLeft"]] + face.shapes[ARKIT_INDEX["eyeBlinkRight"]]
    return (face.vertices + np.float32(amount) * both).astype(np.float32)


def eye_pixels(face: FaceFile, renderer: PreviewRenderer, blink: float) -> int:
    """How many samples of the picture show an eyeball."""
    return _pixels(face, renderer, blinking(face, blink), ("sclera", "iris", "pupil", "cornea"))


def mouth_pixels(face: FaceFile, renderer: PreviewRenderer) -> int:
    """How many samples of the picture of the face at rest show what is inside the mouth."""
    return _pixels(face, renderer, face.vertices, ("mouth", "teeth", "gums", "tongue"))


def _pixels(face: FaceFile, renderer: PreviewRenderer, vertices: np.ndarray, names: tuple[str, ...]) -> int:
    seen = renderer.materials_seen(vertices)
    wanted = [face.material_names.index(n) for n in names if n in face.material_names]
    return int(np.isin(seen, wanted).sum())
