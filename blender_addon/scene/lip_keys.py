"""A head's lip keys: signed shape keys of the face file's lip basis, and the slider that scales them all.

A key's value is driven: coefficient x lip detail. The coefficients, and the two lip contacts beside them, are
custom properties of the Key data-block, so that one Action holds them with the 52 shapes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..protocol.clip import MAX_LIP_COEFFICIENTS
from ..protocol.face import FaceFile
from .drivers import drive

LIP_DETAIL = "lip_detail"
CONTACT_PROPERTIES = ("contact.lips", "contact.teeth")  # the columns of a clip's `contact`
_REACH = 2.0  # of the keys' sliders; the basis is scaled so that faces stay within 1


def lip_properties(count: int) -> list[str]:
    """Names of `count` lip coefficients, which are the names of their shape keys too."""
    return [f"lip.{number:02d}" for number in range(1, count + 1)]


def add_lip_keys(head: Any, face: FaceFile) -> None:
    """Add a shape key per lip basis field to `head`, driven by a coefficient and the lip detail slider."""
    if not len(face.lip_basis):
        return
    key = head.data.shape_keys
    key[LIP_DETAIL] = 1.0
    key.id_properties_ui(LIP_DETAIL).update(
        min=0.0, max=2.0, soft_max=1.0, description="How much of the computed lip contact is shown"
    )
    for name in CONTACT_PROPERTIES:
        key[name] = 0.0
        key.id_properties_ui(name).update(min=0.0, max=1.0)
    for name, field in zip(lip_properties(len(face.lip_basis)), face.lip_basis, strict=True):
        _add_key(head, name, face, field)


def _add_key(head: Any, name: str, face: FaceFile, field: Any) -> None:
    block = head.shape_key_add(name=name, from_mix=False)
    block.slider_min, block.slider_max, block.value = -_REACH, _REACH, 0.0
    moved = face.vertices.copy()
    moved[face.lip_index] += field
    block.points.foreach_set("co", np.ascontiguousarray(moved, np.float32).ravel())
    key = head.data.shape_keys
    key[name] = 0.0
    key.id_properties_ui(name).update(min=-_REACH, max=_REACH)
    drive(block.driver_add("value"), key, (f'["{name}"]', f'["{LIP_DETAIL}"]'), "a * b")


def lip_count(head: Any) -> int:
    """Number of lip coefficients of a head; 0 for one whose face file has no lip basis.

    An artist's own shape keys do not count, whatever they are called.
    """
    key = head.data.shape_keys
    return 0 if key is None else sum(name in key for name in lip_properties(MAX_LIP_COEFFICIENTS))


def reset_lips(head: Any) -> None:
    """Lip coefficients and contacts at rest."""
    key = head.data.shape_keys
    for name in (*lip_properties(lip_count(head)), *CONTACT_PROPERTIES):
        if name in key:
            key[name] = 0.0
