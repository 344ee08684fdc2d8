"""FaceVerse files of every version as face files: names, axes, units, eyes, coefficients there and back."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_coefficients
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.face import FaceFile, read_face, write_face
from models.face import deform
from models.face.faceverse import convention, import_faceverse
from models.face.faceverse.content import Content, read_content
from models.face.faceverse.frame import find_frame
from models.face.faceverse.landmarks import named_points
from models.face.faceverse.lip_line import on_the_line
from models.face.faceverse.names import arkit_columns, read_names, spelling
from models.face.faceverse.unwrap import corner_uv
from models.face.transfer.surface import Surface
from models.portrait.point_model import PointModel
from models.portrait.points import landmark_points
from models.render.preview import PreviewRenderer
from tests.models import faceverse_files as files
from tests.models.faceverse_files import Case

MM = 1000.0
NAMED = (2, 3, 4)


@pytest.fixture(scope="module")
def head() -> FaceFile:
    """The head that the files were made from, which the importer does not know."""
    return files.person()


@pytest.fixture(scope="module")
def cases() -> dict[int, Case]:
    return {version: files.imported(version) for version in (0, *NAMED)}


@pytest.fixture(params=NAMED)
def case(request: pytest.FixtureRequest, cases: dict[int, Case]) -> Case:
    return cases[request.param]


def test_it_is_the_head_that_went_in(case: Case) -> None:
    """Metres, +Z up, facing -Y, with every shape under its name; where the eyes are, ours are too."""
    truth = case.model.parts
    shift = case.face.vertices - truth.vertices
    assert np.ptp(shift, axis=0).max() < 1e-6
    assert np.abs(shift).max() < 0.02
    for name, ours, theirs in zip(ARKIT_NAMES, case.face.shapes, truth.shapes, strict=True):
        still = (
            np.isin(case.face.region, [10, 11]) if name.startswith("eyeLook") else np.zeros(len(ours), bool)
        )
        np.testing.assert_allclose(ours[~still], theirs[~still], atol=2e-6, err_msg=name)
    assert np.abs(case.face.color - (np.array(truth.color) / 255) ** 2.2).max() < 0.03
    corner = truth.vertices[case.face.polygons[:, :3]]
    out = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    nose = corner.mean(1)[:, 1].argmin()
    assert out[nose, 1] < 0


def moved_by(case: Case) -> np.ndarray:
    """[3] from the head that went in to the face file: eyes come to lie where ours are."""
    return np.asarray((case.face.vertices - case.model.parts.vertices).mean(0))


def test_it_writes_and_reads_again(case: Case, tmp_path: Path) -> None:
    write_face(tmp_path / "face.safetensors", case.face)
    again = read_face(tmp_path / "face.safetensors")
    assert again.source == case.face.source
    assert convention(again).sizes == convention(case.face).sizes
    assert np.abs(again.identity - case.face.identity).max() < 1e-4


def test_eyes_are_the_eyeballs(cases: dict[int, Case], head: FaceFile) -> None:
    for version in (3, 4):
        face, ends = cases[version].face, cases[version].model.parts.ends
        bones = {bone.name: bone for bone in face.bones}
        for i, side in enumerate("LR"):
            region = face.region_names.index(f"eye.{side}")
            assert np.array_equal(np.flatnonzero(face.region == region), np.arange(ends[i], ends[i + 1]))
            centre = files.eye_centre(head, side) + moved_by(cases[version])
            assert np.linalg.norm(np.array(bones[f"eye.{side}"].head) - centre) < 1e-5
            column = list(bones).index(f"eye.{side}")
            assert (face.bone_weights[ends[i] : ends[i + 1], column] == 1).all()
            assert face.bone_weights[: ends[0], column].max() == 0
    assert [bone.name for bone in cases[2].face.bones if bone.name.startswith("eye")] == []
    assert any("eyeball L and no eyeball R" in note for note in cases[2].result.notes)


def test_parts_are_told(cases: dict[int, Case]) -> None:
    face, ends = cases[4].face, cases[4].model.parts.ends
    for part, name in enumerate(("upper_teeth", "lower_teeth", "tongue"), start=2):
        named = face.region[ends[part] : ends[part + 1]] == face.region_names.index(name)
        assert named.mean() > 0.9, name
    assert any("upper teeth, lower teeth, tongue" in note for note in cases[3].result.notes)
    assert cases[4].result.notes == ()


def test_rings_lie_on_lips_and_lids(case: Case, head: FaceFile) -> None:
    """On the very edges that they have in the head that went in."""
    for name in ("lip_upper", "lip_lower", "lid_upper.L", "lid_lower.R"):
        ours = case.face.vertices[case.face.rings[name]] - moved_by(case)
        assert to_line(ours, head.vertices[head.rings[name]].astype(float)).max() < 1e-5, name
    assert set(head.rings) - {
        f"teeth_{jaw}_{e}" for jaw in ("upper", "lower") for e in ("edge", "front")
    } <= set(case.face.rings)
    assert {"lips", "jaw", "mouth", "skin"} - set(case.face.masks) <= (
        {"skin"} if case.version == 3 else set()
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_lip_line_is_found_beside_its_landmarks(head: FaceFile, seed: int) -> None:
    """Points that moved to a neighbour come back to where lips touch; near the corners they may stay."""
    part, rng = files.shared_parts(False), np.random.default_rng(seed)
    surface = Surface(part.vertices, part.triangles)
    beside = surface.graph(np.ones(len(surface.edges)))

    def moved(vertex: int) -> int:
        return int(rng.choice(beside[vertex].indices))

    lines = {name: part.at[head.rings[name]] for name in ("lip_upper", "lip_lower")}
    given = {name: np.array([line[0], *map(moved, line[8:-8:3]), line[-1]]) for name, line in lines.items()}
    marks = {name: int(part.at[head.landmarks[name]]) for name in ("mouth_corner.L", "mouth_corner.R")}
    marks |= {f"{name}_middle": moved(int(part.at[head.landmarks[f"{name}_middle"]])) for name in lines}
    found, rings = on_the_line(surface, part.shapes[ARKIT_INDEX["jawOpen"]], marks, given)
    away = []
    for name, line in lines.items():
        truth = part.vertices[line]
        away.append([to_line(part.vertices[each[name]], truth).mean() * MM for each in (given, rings)])
        assert to_line(part.vertices[[found[f"{name}_middle"]]], truth)[0] < 1e-4
    before, after = np.mean(away, axis=0)
    assert before > 0.6
    assert after < 0.3 * before


def test_mediapipe_points_are_a_ring(cases: dict[int, Case]) -> None:
    for version, key in ((3, "mediapipe_keypoints"), (4, "keypoints_mediapipe")):
        assert np.array_equal(cases[version].face.rings["mediapipe"], cases[version].model.content[key])


def test_they_are_laid_on_where_the_file_has_none(cases: dict[int, Case], head: FaceFile) -> None:
    """A mask's points lie where our own head's do, as near as its vertices allow; lips are not mixed."""
    face = cases[2].face
    places = landmark_points(head).of(head.vertices.astype(float))[:468] + moved_by(cases[2])
    found = face.vertices[face.rings["mediapipe"]][:468]
    away = np.linalg.norm(found - places, axis=1) * MM
    best = cKDTree(face.vertices).query(places)[0] * MM
    assert np.median(away - best) < 0.6
    assert np.percentile(away - best, 95) < 4
    opened = found + face.shapes[ARKIT_INDEX["jawOpen"], face.rings["mediapipe"][:468]]
    drop = (found - opened)[:, 2] * MM
    assert drop[[14, 87, 317, 17, 178, 402]].min() > 8
    assert drop[[13, 82, 312, 0, 81, 311]].max() < 3
    assert face.source["landmarks"] == "laid on"


def to_line(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """[n] distance of points from a polyline."""
    start, along = line[:-1], np.diff(line, axis=0)
    t = ((points[:, None] - start) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-20)
    nearest = start + np.clip(t, 0, 1)[..., None] * along
    return np.asarray(np.linalg.norm(points[:, None] - nearest, axis=-1).min(1))


def test_a_portrait_can_be_fitted_with_it(case: Case) -> None:
    """Its landmarks move with its people and shapes; eyes turn about where they are."""
    model = PointModel.of(case.face)
    rest = model.place(np.zeros(len(model.identity)), np.zeros(52), np.zeros(4))
    np.testing.assert_allclose(rest, case.face.vertices[case.face.rings["mediapipe"]], atol=1e-6)
    identity = np.random.default_rng(1).normal(size=len(model.identity))
    moved = model.place(identity, np.eye(52)[ARKIT_INDEX["mouthSmileLeft"]], np.zeros(4))
    people = case.face.vertices + np.tensordot(identity, case.face.identity, 1)
    people += case.face.shapes[ARKIT_INDEX["mouthSmileLeft"]]
    np.testing.assert_allclose(moved, people[case.face.rings["mediapipe"]], atol=1e-5)


def test_lips_meet_by_contact(case: Case) -> None:
    weights = np.zeros((2, 52), np.float32)
    weights[:, ARKIT_INDEX["jawOpen"]] = 0.2
    contact = np.array([[0, 0], [1, 0]], np.float32)
    lips = prepare_lips(case.face)
    lip = solve_coefficients(lips, weights, contact, contact[:, 0])
    gaps = []
    for vertices in deform(case.face, weights, lip):
        upper, lower = (vertices[case.face.rings[f"lip_{name}"]].astype(float) for name in ("upper", "lower"))
        gaps.append(to_line(upper[3:-3], lower).max() * MM)
    assert gaps[0] > 3
    assert gaps[1] < 0.5


def test_faces_look_like_faces(case: Case) -> None:
    """Skin in the middle of the picture, darker where the mouth opens, background in the corners."""
    renderer = PreviewRenderer(case.face, (120, 136))
    weights = np.zeros(52, np.float32)
    shut = renderer.frame(weights).astype(float)
    weights[ARKIT_INDEX["jawOpen"]] = 1.0
    opened = renderer.frame(weights).astype(float)
    assert shut[60, 60, 0] > shut[60, 60, 2] + 20
    assert np.ptp(shut[:4, :4].reshape(-1, 3), axis=0).max() < 20
    assert (opened - shut).min() < -60


@pytest.mark.parametrize(("version", "scale", "every"), [(2, 1.0, 7), (3, 0.1, 1), (4, 100.0, 1)])
def test_axes_and_units_come_from_the_face(head: FaceFile, version: int, scale: float, every: int) -> None:
    """Every proper way to lay axes gives the same head; the mirrored ones are refused.

    The 66 landmarks take longer: `every` seventh.
    """
    part = files.shared_parts(version < 3)
    eyes = np.array([0.0, -0.08, 0.0])
    content = plain_content(version, head, part)
    ways = list(product(permutations(range(3)), product((1.0, -1.0), repeat=3)))
    for order, signs in ways[::every]:
        axes = np.zeros((3, 3))
        axes[np.arange(3), order] = signs
        turned = replace(content, mean=scale * part.vertices @ axes.T)
        marks = named_points(turned, "it")
        if np.linalg.det(axes) < 0:
            with pytest.raises(InputError, match="mirrored"):
                find_frame(turned.mean, marks, eyes, "it")
            continue
        frame = find_frame(turned.mean, marks, eyes, "it")
        assert np.abs(frame.rotation @ axes - np.eye(3)).max() < 1e-9
        assert np.ptp(frame(turned.mean) - part.vertices, axis=0).max() < 1e-9
        assert np.abs(frame(turned.mean) - part.vertices).max() < 0.02


def plain_content(version: int, head: FaceFile, part: files.Parts) -> Content:
    """Only what axes are told by."""
    mediapipe = files.mediapipe_points(head, part) if version >= 3 else np.zeros(0, np.int64)
    points = files.points_66(head, part) if version < 3 else np.zeros(0, np.int64)
    nothing: Any = None
    return Content(
        version=nothing,
        mean=part.vertices,
        identity=nothing,
        expressions=nothing,
        names=(),
        wide=(),
        wide_size=0,
        colors=nothing,
        uv=None,
        triangles=part.triangles,
        mediapipe=mediapipe,
        points=points,
        ends=(),
        masks={},
    )


def test_without_names_it_is_for_identity_only(cases: dict[int, Case], head: FaceFile) -> None:
    case = cases[0]
    assert case.face.source["version"] == 0
    assert len(case.face.identity_names) == 120
    assert not case.face.shapes.any()
    assert len(case.face.lip_basis) == 0
    assert "does not name its expressions" in case.result.notes[0]
    assert np.abs(case.face.vertices - case.model.parts.vertices - moved_by(case)).max() < 1e-6
    with pytest.raises(FileFormatError, match="was not made from a FaceVerse file"):
        convention(head)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("eyeBlink_L", "eyeBlinkLeft"),
        ("EYEBLINKRIGHT", "eyeBlinkRight"),
        ("Eye_Blink.R", "eyeBlinkRight"),
        ("mouthSmileL", "mouthSmileLeft"),
        ("mouth_left", "mouthLeft"),
        ("JawOpen", "jawOpen"),
        ("mouth_roll_lower", "mouthRollLower"),
        ("mouth_pucker", "mouthPucker"),
    ],
)
def test_names_in_other_spellings(written: str, meant: str) -> None:
    assert spelling(written) == meant.lower()
    assert arkit_columns(["x", written], "it") == {meant: (1,)}


def test_halves_of_a_shape_are_both() -> None:
    found = arkit_columns(["browInnerUp_L", "cheekPuff", "browInnerUp_R", "tongueOut_L"], "it")
    assert found == {"browInnerUp": (0, 2), "cheekPuff": (1,)}
    with pytest.raises(FileFormatError, match="two expressions"):
        arkit_columns(["jawOpen", "JAW_OPEN"], "it")


def test_texture_coordinates(cases: dict[int, Case]) -> None:
    """The file's own; a cylinder for a file without any, and for numbers that are no places in a texture."""
    own = cases[3].model.content["uvtex"][:, :2] / 255
    triangles = cases[3].model.parts.triangles
    np.testing.assert_allclose(cases[3].face.uv[:, :3], own[triangles], atol=1e-6)
    vertices = cases[3].model.parts.vertices
    noise = np.random.default_rng(0).uniform(size=own.shape)
    rolled = corner_uv(None, vertices, triangles)
    np.testing.assert_array_equal(corner_uv(noise, vertices, triangles), rolled)
    assert rolled.min() >= 0
    assert rolled.max() <= 1
    assert np.ptp(rolled[..., 0], axis=1).max() < 0.5
    np.testing.assert_allclose(cases[2].face.uv[:, 3], cases[2].face.uv[:, 0])


def test_lists_of_names(tmp_path: Path, cases: dict[int, Case]) -> None:
    text, listed = tmp_path / "names.txt", tmp_path / "names.json"
    text.write_text("jawOpen\n\nmouthClose \n")
    listed.write_text('["jawOpen", "mouthClose"]')
    assert read_names(text) == read_names(listed) == ("jawOpen", "mouthClose")
    assert [spelling(name) for name in read_names(cases[3].path)] == [n.lower() for n in cases[3].model.names]
    listed.write_text('["jawOpen", 3]')
    with pytest.raises(InputError, match="no names"):
        read_names(listed)


def test_sides_of_names_are_checked(head: FaceFile, cases: dict[int, Case]) -> None:
    names = [
        f"{name[:-4]}Right"
        if name.endswith("Left")
        else f"{name[:-5]}Left"
        if name.endswith("Right")
        else name
        for name in cases[4].model.names
    ]
    with pytest.raises(InputError, match="move the other side"):
        import_faceverse(cases[4].path, head, "swapped", names)


def damaged(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: part for name, part in (content | changes).items() if part is not None}


def test_wrong_contents_are_named(cases: dict[int, Case], tmp_path: Path) -> None:
    content = cases[2].model.content
    count = len(cases[2].model.parts.vertices)
    ill = content["exBase"].copy()
    ill[3 * 17 + 1, 5] = np.nan
    tri = content["tri"].copy()
    tri[7, 1] = count
    minus = content["tri"].copy()
    minus[0, 0] = -1
    wrong = {
        "exBase is not finite at vertex 17, column 5": {"exBase": ill},
        f"tri points outside the mesh of {count} vertices": {"tri": tri},
        "tri points outside the mesh of": {"tri": minus},
        "meanshape has 10 values": {"meanshape": np.zeros(10)},
        "idBase has shape": {"idBase": content["idBase"][:-3]},
        "meantex holds no numbers": {"meantex": "red"},
        "exp_name_list has 60 names for 52": {"exp_name_list": [f"n{i}" for i in range(60)]},
        "exp_name_list is no list of names": {"exp_name_list": [1, 2]},
        "keypoints points outside": {"keypoints": np.full(66, count)},
        "not three for each triangle": {"tri": np.zeros(10, np.int64)},
        "v0 lacks idBase with 120 columns.*v2 lacks exBase with 52 columns": {
            "exBase": content["exBase"][:, :50]
        },
        "v3 lacks idBase, mediapipe_keypoints": {"idBase": None},
        "has no landmarks": {"keypoints": None},
    }
    path = tmp_path / "model.npy"
    for message, change in wrong.items():
        files.save(damaged(content, **change), path)
        with pytest.raises(InputError, match=message) as raised:
            named_points(read_content(path), str(path))
        assert "\n" not in str(raised.value)
        assert str(path) in str(raised.value)


def test_the_simplified_mesh_of_v2(cases: dict[int, Case]) -> None:
    case = cases[2]
    small = read_content(case.path, simplified=True)
    ids = case.model.content["select_id"]
    assert len(small.mean) == len(ids) < len(case.model.parts.vertices)
    np.testing.assert_array_equal(small.mean, case.model.content["meanshape"][ids])
    np.testing.assert_array_equal(ids[small.triangles], case.model.parts.triangles[: len(small.triangles)])
    rows = case.model.content["exBase"].reshape(-1, 3, 52)[ids]
    np.testing.assert_array_equal(small.expressions, np.moveaxis(rows, 2, 0))
    with pytest.raises(FileFormatError, match="no simplified mesh"):
        read_content(cases[3].path, simplified=True)
