"""What curves do on a face's mesh, frame by frame: gap of the lips, distance of lower lip and upper teeth."""

from __future__ import annotations

from blender_addon.lips.basis import from_basis
from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.identity import sample_identity, with_identity
from models.face.lip_range import with_lip_basis

from .mouth_probe import edge_distance, lip_gap, mouth_probe


class JudgedFace:
    """A face whose lips are posed and measured as the product makes them: shapes, then the lip basis."""

    def __init__(self, face: FaceFile) -> None:
        self._lips = prepare_lips(face)
        self._probe = mouth_probe(face, self._lips.coordinates)
        self._lip_ids = self._lips.coordinates.index
        self._face = face

    def lips(self, weights: Array, contact: Array, fps: float) -> Array:
        """[F, L, 3] metres: the lips of consecutive frames of `weights` [F, 52] and `contact` [F, 2]."""
        held = sticky_contact(contact[:, 0], fps).held
        moved = solve_coefficients(self._lips, weights, contact, held)
        return self._posed(weights, self._lip_ids) + from_basis(self._lips, moved)

    def gap(self, lips: Array) -> Array:
        """[F] widest clearance over the middle 60% of the mouth, metres; below 0 where lips press."""
        return lip_gap(self._probe, lips)

    def bite(self, lips: Array, weights: Array) -> Array:
        """[F] mean distance from the upper incisors' edge to the lower lip, metres."""
        return edge_distance(self._probe, lips, self._posed(weights, self._probe.tooth_ids))

    def _posed(self, weights: Array, ids: Array) -> Array:
        moved = weights @ self._face.shapes[:, ids].reshape(len(ARKIT_NAMES), -1)
        posed: Array = self._face.vertices[ids] + moved.reshape(len(weights), len(ids), 3)
        return posed


def judged_faces(head: FaceFile, people: int) -> dict[str, JudgedFace]:
    """The head and the first `people` random persons of it, by name."""
    faces = {"head": JudgedFace(head)}
    for seed in range(people if len(head.identity) else 0):
        person = with_lip_basis(with_identity(head, sample_identity(head, seed)))
        faces[f"person {seed}"] = JudgedFace(person)
    return faces
