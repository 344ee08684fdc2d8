"""Finding faces: parts of pictures, and mediapipe on a public-domain portrait."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import FileFormatError, InputError, MissingExtraError
from blender_addon.protocol.tensorfile import Array
from models.portrait.fitting import fit_portrait, yaw
from models.portrait.landmarks import LandmarkSource
from models.portrait.mediapipe_landmarks import bundled_landmarks, task_landmarks
from models.portrait.windows import Window, tile_windows

cv2 = pytest.importorskip("cv2")
pytest.importorskip("mediapipe")
skimage = pytest.importorskip("skimage")


@given(
    st.tuples(st.floats(60, 240), st.floats(60, 140)),
    st.floats(50, 500),
    st.floats(-3, 3),
    st.tuples(st.floats(-0.35, 0.35), st.floats(-0.35, 0.35)),
)
@settings(max_examples=40, deadline=None)
def test_a_window_gives_places_back(
    centre: tuple[float, float], side: float, angle: float, at: tuple[float, float]
) -> None:
    """A spot drawn in the picture is found in the window, and leads back to where it was drawn."""
    window = Window(centre, side, angle, 256)
    spot = window.back((np.array([at]) + 0.5) * 256)[0]
    y, x = np.mgrid[0:200, 0:300] + 0.5
    light = 250 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * 4.0**2))
    if not (12 < spot[0] < 288 and 12 < spot[1] < 188):
        return
    part = window.cut(np.repeat(light[..., None], 3, 2).astype(np.uint8))[..., 0].astype(float)
    part = np.maximum(part - 150, 0)  # less the grey outside the picture
    row, column = np.mgrid[0:256, 0:256] + 0.5
    found = window.back(np.array([[(part * column).sum(), (part * row).sum()]]) / part.sum())[0]
    np.testing.assert_allclose(found, spot, atol=0.6)


def test_tiles_cover_the_picture() -> None:
    picture = np.zeros((300, 700, 3), np.uint8)
    covered = np.zeros((300, 700), int)
    for window in tile_windows(picture):
        x, y, half = *window.centre, window.side / 2
        covered[
            max(int(y - half), 0) : int(y + half) + 1,
            max(int(x - half), 0) : int(x + half) + 1,
        ] += 1
    assert covered.min() >= 2


@pytest.fixture(scope="module")
def source() -> LandmarkSource:
    return bundled_landmarks()


@pytest.fixture(scope="module")
def astronaut() -> Array:
    return np.asarray(skimage.data.astronaut())


def test_a_portrait_is_fitted(source: LandmarkSource, astronaut: Array) -> None:
    from training.evaluate.canonical_pose import canonical_turn, head_pitch

    fit = fit_portrait(astronaut, source)
    assert fit.error < 0.04
    assert fit.notes == ()
    assert fit.weights[ARKIT_INDEX["mouthSmileLeft"]] > 0.45  # she smiles
    assert fit.weights[ARKIT_INDEX["eyeBlinkLeft"]] < 0.3
    usual_yaw, usual_pitch = canonical_turn(fit.landmarks, fit.size)
    assert abs(yaw(fit.camera) - usual_yaw) < 4
    assert abs(head_pitch(fit.camera) - usual_pitch) < 4
    assert fit.light.shape == (9, 3)
    assert (fit.light[0] > 0.1).all()


def test_several_faces_are_named_and_chosen(source: LandmarkSource, astronaut: Array) -> None:
    one = astronaut[:300, 100:400]
    small = np.pad(cv2.resize(one, (200, 200)), ((0, 100), (0, 0), (0, 0)))
    both = np.ascontiguousarray(np.concatenate([one, small], 1))
    fit = fit_portrait(both, source)
    assert "2 faces" in fit.notes[0]
    assert fit.landmarks[:, 0].max() < 300
    assert fit_portrait(both, source, choose=2).landmarks[:, 0].min() > 300
    with pytest.raises(InputError, match="no face 3"):
        fit_portrait(both, source, choose=3)


@pytest.mark.parametrize("turn", [35, 90, 180])
def test_turned_pictures(source: LandmarkSource, astronaut: Array, turn: int) -> None:
    """The same face, turned about its middle, has its landmarks turned."""
    matrix = cv2.getRotationMatrix2D((224, 120), turn, 1.0)
    straight = source.detect(astronaut)[0].landmarks
    found = source.detect(cv2.warpAffine(astronaut, matrix, (512, 512)))[0].landmarks
    expected = straight[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    eyes = np.linalg.norm(straight[468] - straight[473])
    assert np.linalg.norm(found[:, :2] - expected, axis=1).mean() < 0.05 * eyes


def test_small_faces(source: LandmarkSource, astronaut: Array) -> None:
    small = cv2.resize(astronaut, (186, 186), interpolation=cv2.INTER_AREA)
    field = np.full((900, 1400, 3), 90, np.uint8)
    field[600:786, 1100:1286] = small
    fit = fit_portrait(field, source)
    straight = source.detect(astronaut)[0].landmarks * (186 / 512) + (1100, 600, 0)
    assert np.linalg.norm(fit.landmarks - straight, axis=1)[:468].mean() < 2.5
    assert "small" in fit.notes[0]


def test_what_has_no_face_is_one_clear_line(source: LandmarkSource, astronaut: Array) -> None:
    with pytest.raises(InputError, match="no face"):
        fit_portrait(np.full((90, 120, 3), 200, np.uint8), source)
    with pytest.raises(InputError, match="of the face lies in the picture"):
        fit_portrait(np.ascontiguousarray(astronaut[:300, 225:420]), source)


def test_a_face_is_followed(source: LandmarkSource, astronaut: Array) -> None:
    shifted = [np.roll(astronaut, 3 * step, axis=1) for step in range(4)]
    found = [source.follow(picture) for picture in shifted]
    middles = [face.landmarks[4, 0] for face in found if face is not None]
    np.testing.assert_allclose(np.diff(middles), 3, atol=1.0)


def test_nothing_is_written_to_the_terminal(astronaut: Array, capfd: pytest.CaptureFixture[str]) -> None:
    fresh = bundled_landmarks()
    fresh.detect(astronaut)
    fresh.follow(astronaut)
    captured = capfd.readouterr()
    assert captured.err == ""
    assert captured.out == ""


def test_task_files_that_are_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("task")
    with pytest.raises(InputError, match="not a file"):
        task_landmarks(folder / "none.task")
    wrong = folder / "wrong.task"
    wrong.write_bytes(b"no model")
    with pytest.raises(FileFormatError, match="not a face landmarker"):
        task_landmarks(wrong)


def test_missing_mediapipe_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e .\[portrait\]"):
        bundled_landmarks()
