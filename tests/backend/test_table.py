"""CSV and JSON exports, read back with the standard library alone."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.exporters.table import ANGLE_COLUMNS, export_csv, export_json, timecode
from blender_addon.maps import load_map
from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.clip import ClipInfo, MotionClip, expression_clip
from blender_addon.protocol.tensorfile import Array


@pytest.fixture
def clip() -> MotionClip:
    rng = np.random.default_rng(0)
    return expression_clip(ClipInfo(fps=25), rng.random((30, 52)), rng.random((30, 2)))


def test_csv_has_live_link_columns_and_the_weights(tmp_path: Path, clip: MotionClip) -> None:
    export_csv(clip, tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert list(rows[0])[:2] == ["Timecode", "BlendshapeCount"]
    assert list(rows[0])[2:54] == list(ARKIT_NAMES)
    assert len(rows[0]) == 63
    assert {row["BlendshapeCount"] for row in rows} == {"61"}
    read = np.array([[float(row[name]) for name in ARKIT_NAMES] for row in rows])
    np.testing.assert_allclose(read, clip.weights, atol=1e-6)
    assert rows[26]["Timecode"] == "00:00:01:01.000"
    assert {float(row["HeadYaw"]) for row in rows} == {0.0}


def test_csv_goes_through_a_map(tmp_path: Path, clip: MotionClip) -> None:
    export_csv(clip, tmp_path / "c.csv", load_map("cc4"))
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["BlendshapeCount"] for row in rows} == {str(62 + 9)}
    assert float(rows[3]["Jaw_Open"]) == pytest.approx(
        clip.weights[3, ARKIT_NAMES.index("jawOpen")], abs=1e-6
    )
    smile = clip.weights[7, ARKIT_NAMES.index("mouthSmileLeft")]
    assert float(rows[7]["Mouth_Smile_L"]) == pytest.approx(smile, abs=1e-6)
    assert "jawOpen" not in rows[0]
    assert "HeadYaw" in rows[0]


def read_angles(path: Path) -> Array:
    """[F, 9] the angles of a table."""
    with path.open(newline="") as file:
        return np.array([[float(row[name]) for name in ANGLE_COLUMNS] for row in csv.DictReader(file)])


def test_angles_say_where_face_and_eyes_look(tmp_path: Path, clip: MotionClip) -> None:
    # The face looks along -Y: turned 30 degrees to the subject's left (+X), then 10 degrees down.
    turned = Rotation.from_euler("z", 30, degrees=True) * Rotation.from_euler("x", 10, degrees=True)
    facing = turned.apply([0, -1, 0])
    assert facing[0] > 0
    assert facing[2] < 0
    pose = np.tile(np.r_[turned.as_rotvec(), 0, 0, 0], (30, 1)).astype(np.float32)
    gaze = np.tile(np.radians([8.0, 5.0, 8.0, 3.0]), (30, 1)).astype(np.float32)  # up, to the subject's left
    export_csv(replace(clip, pose=pose, gaze=gaze), tmp_path / "c.csv")
    expected = [30, 10, 0, 5, -8, 0, 3, -8, 0]
    np.testing.assert_allclose(np.degrees(read_angles(tmp_path / "c.csv"))[7], expected, atol=1e-3)


def test_head_angles_give_the_rotation_back(tmp_path: Path, clip: MotionClip) -> None:
    """Yaw about ARKit's y, then pitch about its x, then roll about its z, each in the turned frame."""
    pose = np.zeros((30, 6), np.float32)
    pose[:, :3] = np.random.default_rng(5).normal(0, 0.3, (30, 3))
    export_csv(replace(clip, pose=pose), tmp_path / "c.csv")
    in_arkit = Rotation.from_euler("YXZ", read_angles(tmp_path / "c.csv")[:, :3])
    ours_from_arkit = Rotation.from_matrix([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    found = ours_from_arkit * in_arkit * ours_from_arkit.inv()
    np.testing.assert_allclose(found.as_rotvec(), pose[:, :3], atol=1e-5)
    tilted = Rotation.from_rotvec([0, 0.2, 0]).apply([0, 0, 1])
    assert tilted[0] > 0  # the top of the head goes to the subject's left
    pose[:, :3] = [0, 0.2, 0]
    export_csv(replace(clip, pose=pose), tmp_path / "c.csv")
    np.testing.assert_allclose(read_angles(tmp_path / "c.csv")[0, :3], [0, 0, -0.2], atol=1e-6)


def test_timecode_counts_whole_frames() -> None:
    assert timecode(0, 25) == "00:00:00:00.000"
    assert timecode(25 * 3661 + 7, 25) == "01:01:01:07.000"
    assert timecode(30, 29.97) == "00:00:01:00.000"
    assert timecode(23, 23.976) == "00:00:00:23.000"


def test_json_holds_the_clip(tmp_path: Path, clip: MotionClip) -> None:
    export_json(clip, tmp_path / "c.json")
    document = json.loads((tmp_path / "c.json").read_text())
    assert document["fps"] == 25
    assert document["frames"] == 30
    assert document["names"] == list(ARKIT_NAMES)
    np.testing.assert_allclose(document["weights"], clip.weights, atol=1e-5)
    assert document["pose"] == []
