"""Clips as text tables: Live Link Face CSV and JSON."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from blender_addon.maps import FaceMap, apply_map
from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.tensorfile import Array, atomic_path

ANGLE_COLUMNS = (
    "HeadYaw",
    "HeadPitch",
    "HeadRoll",
    "LeftEyeYaw",
    "LeftEyePitch",
    "LeftEyeRoll",
    "RightEyeYaw",
    "RightEyePitch",
    "RightEyeRoll",
)


def export_csv(clip: MotionClip, out: Path, face_map: FaceMap | None = None) -> None:
    """Write the columns of the Live Link Face app's CSV, one row a frame.

    Through a map its channels and visemes take the place of the 52 shapes.

    Angles are radians about the axes of an ARKit face anchor (x to the subject's left, y up, z forward)
    as in its transforms: yaw is positive to the subject's left, pitch down, roll when the head tilts to the
    subject's right. A clip without head motion or gaze gives zeros, since readers need numbers.

    Raises:
        OutputError: the file cannot be written.
    """
    mapped = None if face_map is None else apply_map(face_map, clip.weights)
    names, shapes = (ARKIT_NAMES, clip.weights) if mapped is None else (mapped.names, mapped.values)
    rows = np.concatenate([shapes, _angles(clip)], axis=1)  # [F, 61] without a map
    count = str(rows.shape[1])
    with atomic_path(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("Timecode", "BlendshapeCount", *names, *ANGLE_COLUMNS))
        for index, row in enumerate(rows):
            writer.writerow([timecode(index, clip.info.fps), count, *(f"{v:.6f}" for v in row)])


def timecode(frame: int, fps: float) -> str:
    """`HH:MM:SS:FF.mmm` of a frame, counted without drop at the next whole rate (29.97 counts to 30)."""
    base = math.ceil(fps - 1e-6)
    seconds, part = divmod(frame, base)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}:{part:02d}.000"


def _angles(clip: MotionClip) -> Array:
    """[F, 9] f32 in the order of `ANGLE_COLUMNS`."""
    angles = np.zeros((clip.frames, len(ANGLE_COLUMNS)), np.float32)
    if len(clip.pose):
        # ARKit's x, y, z are our X, Z, -Y.
        yaw, pitch, y = Rotation.from_rotvec(clip.pose[:, :3]).as_euler("ZXY").T
        angles[:, :3] = np.stack([yaw, pitch, -y], axis=1)
    if len(clip.gaze):
        left_pitch, left_yaw, right_pitch, right_yaw = clip.gaze.T
        angles[:, [3, 4, 6, 7]] = np.stack([left_yaw, -left_pitch, right_yaw, -right_pitch], axis=1)
    return angles


def export_json(clip: MotionClip, out: Path) -> None:
    """Write the clip as one JSON document: header, names, and arrays as nested lists (5 decimals).

    Raises:
        OutputError: the file cannot be written.
    """
    arrays = ("weights", "lip", "contact", "pose", "pose_codes", "gaze")
    document = {
        "info": asdict(clip.info),
        "fps": clip.info.fps,
        "frames": clip.frames,
        "names": list(ARKIT_NAMES),
        **{name: np.round(getattr(clip, name).astype(float), 5).tolist() for name in arrays},
        "layers": {
            layer: {name: np.round(array.astype(float), 5).tolist() for name, array in parts.items()}
            for layer, parts in clip.layers.items()
        },
    }
    with atomic_path(out) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(document, file)
