"""The 52 ARKit blendshapes in Apple's order and names (ARFaceAnchor.BlendShapeLocation).

`Left` and `Right` are the subject's own. Weights are 0 (rest) to 1 (full).
"""

from __future__ import annotations

ARKIT_NAMES: tuple[str, ...] = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)

ARKIT_INDEX: dict[str, int] = {name: i for i, name in enumerate(ARKIT_NAMES)}


def sided_indices(*names: str) -> list[int]:
    """ARKit indices of shapes by name; a name without its side means left and right."""
    shapes = ((name,) if name in ARKIT_INDEX else (f"{name}Left", f"{name}Right") for name in names)
    return [ARKIT_INDEX[shape] for sides in shapes for shape in sides]


def channel_group(name: str) -> str:
    """Animator-facing channel group of an ARKit shape: Jaw, Lips, Tongue, Brows or Eyes.

    Cheeks and nose move with the mouth's expressions, so they are grouped with the lips.
    """
    if name.startswith("jaw"):
        return "Jaw"
    if name.startswith("eye"):
        return "Eyes"
    if name.startswith("brow"):
        return "Brows"
    if name == "tongueOut":
        return "Tongue"
    return "Lips"


def _indices(prefixes: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(i for i, name in enumerate(ARKIT_NAMES) if name.startswith(prefixes))


# What the two weight branches of the model draw; together they are all 52.
LIP_SHAPES: tuple[int, ...] = _indices(("jaw", "mouth", "tongueOut", "cheekPuff"))
OTHER_SHAPES: tuple[int, ...] = _indices(("brow", "eye", "cheekSquint", "noseSneer"))
LIP_NAMES: tuple[str, ...] = tuple(ARKIT_NAMES[i] for i in LIP_SHAPES)
OTHER_NAMES: tuple[str, ...] = tuple(ARKIT_NAMES[i] for i in OTHER_SHAPES)
