"""Shapes carried onto two foreign heads: lids shut, lips seal, motion has the right size and place."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.cli import main
from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_contact
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile, read_face, write_face
from models.face import Deformer, load_head
from models.face.describe import describe
from models.face.regions import SKIN_REGIONS
from models.face.transfer import NEEDED, TargetMesh, Transfer, read_landmarks, read_obj, transfer_face
from models.face.transfer.gradients import gradient_operator
from models.face.transfer.placement import fit_similarity, landmark_ids
from models.face.transfer.rings import pair_up
from models.face.transfer.surface import ClosestPoints, Surface, triangulate
from tests.models import foreign

MM = 1000.0


@dataclass(frozen=True)
class Case:
    mesh: TargetMesh
    foreign: foreign.Foreign
    result: Transfer

    @property
    def face(self) -> FaceFile:
        return self.result.face


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


@pytest.fixture(scope="module")
def cases(head: FaceFile, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    made = {}
    for name, target in (("long", foreign.long_head(head)), ("round", foreign.round_head())):
        path = tmp_path_factory.mktemp(name) / "head.obj"
        path.write_text(target.obj())
        mesh = read_obj(path)
        made[name] = Case(mesh, target, transfer_face(head, mesh, target.landmarks, name))
    return made


@pytest.fixture(params=["long", "round"])
def case(request: pytest.FixtureRequest, cases: dict[str, Case]) -> Case:
    return cases[request.param]


def posed(face: FaceFile, **weights: float) -> np.ndarray:
    moved = face.vertices.astype(np.float64)
    for name, weight in weights.items():
        for each in [name] if name in ARKIT_INDEX else [f"{name}Left", f"{name}Right"]:
            moved = moved + weight * face.shapes[ARKIT_INDEX[each]]
    return moved


def to_line(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """[n] distance of points from a polyline, by brute force."""
    start, along = line[:-1], np.diff(line, axis=0)
    t = ((points[:, None] - start) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-20)
    nearest = start + np.clip(t, 0, 1)[..., None] * along
    return np.linalg.norm(points[:, None] - nearest, axis=-1).min(1)


def gap(vertices: np.ndarray, face: FaceFile, upper: str) -> float:
    """Greatest distance between two rings, both ways, millimetres."""
    a, b = vertices[face.rings[upper]], vertices[face.rings[upper.replace("upper", "lower")]]
    return float(max(to_line(a, b).max(), to_line(b, a).max())) * MM


def test_the_heads_are_foreign(case: Case, head: FaceFile) -> None:
    assert len(case.face.vertices) != len(head.vertices)
    assert len(case.mesh.vertices) == len(case.foreign.vertices)
    np.testing.assert_allclose(case.mesh.vertices, case.foreign.vertices, atol=1e-6)
    rest = case.result.placement(case.mesh.vertices)
    np.testing.assert_allclose(case.face.vertices, rest, atol=1e-6)
    assert 0.15 < np.ptp(rest[:, 2]) < 0.5
    tip, eye = (case.face.vertices[case.face.landmarks[n]] for n in ("nose_tip", "eye_outer.L"))
    assert tip[1] < eye[1] - 0.01
    assert eye[0] > 0.02


def test_lids_shut(case: Case) -> None:
    for side in "LR":
        assert gap(posed(case.face), case.face, f"lid_upper.{side}") > 4
        assert gap(posed(case.face, eyeBlink=1), case.face, f"lid_upper.{side}") < 0.3


def test_shut_lids_stay_outside_the_eyeball(case: Case) -> None:
    shut = posed(case.face, eyeBlink=1)
    for side in "LR":
        bone = next(bone for bone in case.face.bones if bone.name == f"eye.{side}")
        region = case.face.region_names.index(f"eye.{side}")
        radius = np.linalg.norm(case.face.vertices[case.face.region == region] - bone.head, axis=1).max()
        lids = np.concatenate([case.face.rings[f"lid_{lid}.{side}"] for lid in ("upper", "lower")])
        assert np.linalg.norm(shut[lids] - bone.head, axis=1).min() > radius - 2e-4


@pytest.mark.parametrize("amount", [0.25, 0.5, 0.75, 1.0])
def test_lips_seal_over_an_open_jaw(case: Case, amount: float) -> None:
    assert gap(posed(case.face, jawOpen=amount), case.face, "lip_upper") > 15 * amount
    assert gap(posed(case.face, jawOpen=amount, mouthClose=amount), case.face, "lip_upper") < 0.5


@pytest.mark.parametrize("shape", ["mouthPress", "mouthPucker", "mouthSmile"])
def test_lips_that_touch_in_ours_touch(case: Case, head: FaceFile, shape: str) -> None:
    ours = gap(posed(head, **{shape: 1.0}), head, "lip_upper")
    rest = gap(posed(case.face), case.face, "lip_upper")
    assert rest < 0.8
    assert gap(posed(case.face, **{shape: 1.0}), case.face, "lip_upper") < rest + max(0.3, 2 * ours)


@pytest.mark.parametrize(
    ("shape", "mark", "along"),
    [
        ("jawOpen", "lip_lower_middle", "size"),
        ("jawOpen", "chin", "size"),
        ("mouthSmileLeft", "mouth_corner.L", "width"),
        ("browInnerUp", "brow_inner.L", "size"),
        ("mouthPucker", "mouth_corner.R", "width"),
        ("eyeBlinkLeft", "lid_upper_middle.L", "opening"),
    ],
)
def test_motion_has_the_right_size_and_direction(
    case: Case, head: FaceFile, shape: str, mark: str, along: str
) -> None:
    def measure(face: FaceFile) -> tuple[np.ndarray, float]:
        at = {name: face.vertices[i].astype(float) for name, i in face.landmarks.items()}
        sizes = {
            "width": at["mouth_corner.L"] - at["mouth_corner.R"],
            "size": at["eye_outer.L"] - at["eye_outer.R"],
            "opening": at["lid_upper_middle.L"] - at["lid_lower_middle.L"],
        }
        moved = face.shapes[ARKIT_INDEX[shape], face.landmarks[mark]].astype(float)
        return moved, float(np.linalg.norm(sizes[along]))

    ours, our_size = measure(head)
    theirs, their_size = measure(case.face)
    cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
    assert cosine > 0.8
    ratio = np.linalg.norm(theirs) / their_size / (np.linalg.norm(ours) / our_size)
    assert 0.5 < ratio < 1.6


def test_shapes_stay_in_their_place(case: Case) -> None:
    face = case.face
    moved = np.linalg.norm(face.shapes, axis=2) * MM
    size = np.linalg.norm(
        face.vertices[face.landmarks["eye_outer.L"]] - face.vertices[face.landmarks["eye_outer.R"]]
    )
    eyes, mouth, crown = (
        np.linalg.norm(face.vertices - face.vertices[face.landmarks[name]], axis=1) < reach * size
        for name, reach in (("eye_outer.L", 0.15), ("lip_lower_middle", 0.3), ("crown", 0.4))
    )
    for i, name in enumerate(ARKIT_NAMES):
        assert moved[i, crown].max() < 0.05, name
        if name.startswith(("mouth", "jaw", "tongue")):
            assert moved[i, eyes].max() < 0.8, name
        if name.startswith(("eye", "brow")):
            assert moved[i, mouth].max() < 0.1, name
        if name != "tongueOut":
            assert moved[i].max() > 0.3, name
    right = face.vertices[:, 0] < -0.12 * size
    for name in ("eyeBlinkLeft", "mouthSmileLeft", "browDownLeft"):
        assert moved[ARKIT_INDEX[name]][right].max() < 0.08 * moved[ARKIT_INDEX[name]].max(), name


def test_teeth_go_with_the_jaw_and_stay_rigid(case: Case) -> None:
    face = case.face
    lower = face.region == face.region_names.index("lower_teeth")
    upper = face.region == face.region_names.index("upper_teeth")
    opened = posed(face, jawOpen=1)
    assert lower.sum() == upper.sum() == 52
    assert np.abs(opened[upper] - face.vertices[upper]).max() < 1e-6
    fit = fit_similarity(face.vertices[lower].astype(float), opened[lower])
    assert fit.scale == pytest.approx(1, abs=1e-3)
    assert fit.misfit < 1e-4
    assert (opened[lower] - face.vertices[lower])[:, 2].max() < -0.005
    lip = opened[face.landmarks["lip_lower_middle"]] - face.vertices[face.landmarks["lip_lower_middle"]]
    teeth = (opened - face.vertices)[lower].mean(0)
    assert lip @ teeth > 0.95 * np.linalg.norm(lip) * np.linalg.norm(teeth)  # behind the lip, as ours
    assert np.linalg.norm(teeth) > 0.6 * np.linalg.norm(lip)


def test_the_face_works_with_bones_and_says_what_it_lacks(case: Case) -> None:
    face = case.face
    deformer = Deformer(face)
    weights = np.zeros(52, np.float32)
    weights[ARKIT_INDEX["eyeLookUpLeft"]] = 1
    moved = deformer(weights, pose=np.zeros(6))
    ball = face.region == face.region_names.index("eye.L")
    front = int(np.flatnonzero(ball)[face.vertices[ball][:, 1].argmin()])
    assert moved[front, 2] > face.vertices[front, 2] + 0.003
    turned = deformer(np.zeros(52, np.float32), pose=np.array([0, 0, 0.3, 0, 0, 0]))
    crown, low = face.landmarks["crown"], int(face.vertices[:, 2].argmin())
    assert (
        np.linalg.norm(turned[face.landmarks["nose_tip"]] - face.vertices[face.landmarks["nose_tip"]]) > 0.01
    )
    assert np.linalg.norm(turned[low] - face.vertices[low]) < 0.25 * np.linalg.norm(
        turned[face.landmarks["nose_tip"]] - face.vertices[face.landmarks["nose_tip"]]
    )
    assert face.bone_weights[crown].sum() == pytest.approx(1, abs=0.05)
    assert case.result.notes == ("no separate tongue found",)
    assert describe(face)["lacks"] == ["tongue"]


def test_rings_pair_and_follow_the_mesh(case: Case) -> None:
    face = case.face
    for name, ring in face.rings.items():
        assert len(ring) == len(face.rings[name.replace("upper", "lower")]) > 4, name
    assert face.rings["lip_upper"][0] == face.rings["lip_lower"][0] == face.landmarks["mouth_corner.R"]
    assert face.rings["lid_upper.L"][-1] == face.landmarks["eye_outer.L"]
    x = face.vertices[face.rings["lip_upper"], 0]
    assert (np.diff(x) > -2e-4).all()
    for name in ("lip_upper", "lip_lower", "lid_upper.L", "lid_lower.R"):
        assert len(set(face.rings[name].tolist())) == len(face.rings[name]), name


def test_lip_fields_come_along(case: Case, head: FaceFile) -> None:
    """The contact solve reads the new lips, and its fields move them as far as ours, in mouth widths."""
    face = case.face
    assert len(face.lip_basis) == len(head.lip_basis) > 0
    lips = prepare_lips(face)
    assert (np.linalg.norm(face.lip_basis, axis=2).max(1) > 0).all()

    def strength(of: FaceFile) -> np.ndarray:
        corners = of.vertices[of.rings["lip_upper"][[0, -1]]]
        return np.linalg.norm(of.lip_basis, axis=2).max(1) / np.linalg.norm(np.diff(corners, axis=0))

    ratio = strength(face) / strength(head)
    assert 0.5 < np.median(ratio) < 1.5
    weights = np.zeros((4, 52), np.float32)
    weights[:, ARKIT_INDEX["jawOpen"]] = 0.1
    offsets = solve_contact(lips, weights, np.tile(np.float32([1, 0]), (4, 1)))
    parted = posed(face, jawOpen=0.1)
    sealed = parted.copy()
    sealed[face.lip_index] += offsets[-1]
    assert gap(parted, face, "lip_upper") > 1
    assert gap(sealed, face, "lip_upper") < 0.5


def test_found_lines_are_those_that_the_mesh_has(cases: dict[str, Case], head: FaceFile) -> None:
    """The narrow head kept our lines' vertices while everything round them changed."""
    face = cases["long"].face
    for name in ("lip_upper", "lip_lower", "lid_upper.L", "lid_lower.R"):
        true = foreign._narrow(head.vertices[head.rings[name]].astype(float))
        found = face.vertices[face.rings[name]]
        assert np.median(to_line(found, true)) * MM < 0.05, name
        assert to_line(found, true).max() * MM < 1.2, name


def test_a_head_onto_itself_keeps_its_shapes(head: FaceFile) -> None:
    """The identity: our own skin as the target gives our own displacements back."""
    names = [head.region_names.index(name) for name in SKIN_REGIONS]
    skin = np.flatnonzero(np.isin(head.region, names))
    place = np.full(len(head.vertices), -1)
    place[skin] = np.arange(len(skin))
    kept = head.polygons[(place[head.polygons] >= 0).all(1) & (head.polygons[:, 3] >= 0)]
    mesh = TargetMesh(head.vertices[skin].astype(float), place[kept], np.zeros((len(kept), 4, 2), np.float32))
    marks = {name: int(place[head.landmarks[name]]) for name in NEEDED}
    face = transfer_face(head, mesh, marks, "same").face
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "mouthFunnel", "eyeBlinkRight"):
        ours = head.shapes[ARKIT_INDEX[name]][skin].astype(float)
        error = np.linalg.norm(face.shapes[ARKIT_INDEX[name]] - ours, axis=1) * MM
        assert np.percentile(error, 99) < 0.6, name
        assert np.median(error) < 0.02, name
    assert not [bone.name for bone in face.bones if bone.name.startswith("eye")]


def test_coordinates_do_as_well_as_ids(case: Case) -> None:
    """Points on closed lips find the right one of two vertices at the same place."""
    surface = Surface(case.mesh.vertices, triangulate(case.mesh.polygons))
    points = {name: tuple(case.mesh.vertices[i]) for name, i in case.foreign.landmarks.items()}
    assert landmark_ids(points, surface) == case.foreign.landmarks


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m | {"nose": 3}, "no landmark is called nose"),
        (lambda m: {k: v for k, v in m.items() if k != "chin"}, "missing: chin"),
        (lambda m: m | {"chin": 10**7}, "is vertex 10000000 of a mesh"),
        (lambda m: m | {"chin": (900.0, 0.0, 0.0)}, "away from the mesh"),
        (
            lambda m: {k.translate(str.maketrans("LR", "RL")) if "." in k else k: v for k, v in m.items()},
            "mirrored",
        ),
        (lambda m: dict(zip(m, list(m.values())[3:] + list(m.values())[:3], strict=True)), "like a face"),
    ],
)
def test_wrong_landmarks_are_refused_in_one_line(cases, head, change, words: str) -> None:  # type: ignore[no-untyped-def]
    case = cases["round"]
    with pytest.raises(InputError, match=words) as error:
        transfer_face(head, case.mesh, change(dict(case.foreign.landmarks)), "x")
    assert "\n" not in str(error.value)
    assert error.value.hint


def test_wrong_scale_and_tilt_are_refused(cases: dict[str, Case], head: FaceFile) -> None:
    case = cases["round"]
    with pytest.raises(InputError, match="times a human"):
        transfer_face(head, case.mesh, case.foreign.landmarks, "x", unit=1.0)
    c = np.sqrt(0.5)
    tilted = case.mesh.vertices @ np.array([[1, 0, 0], [0, 0.72, -0.69], [0, 0.69, 0.72]]).T
    tilted = tilted @ np.array([[c, -c, 0], [c, c, 0], [0, 0, 1]]).T
    with pytest.raises(InputError, match="tilted"):
        transfer_face(head, replace(case.mesh, vertices=tilted), case.foreign.landmarks, "x")


def test_a_mask_without_openings_says_what_will_not_work(head: FaceFile) -> None:
    """A closed ball with a nose: nothing to part, but everything else is transferred."""
    rows, columns = 40, 60
    la, lo = np.meshgrid(
        np.linspace(-1.4, 1.4, rows), np.arange(columns) / columns * 2 * np.pi, indexing="ij"
    )
    out = np.stack([np.sin(lo) * np.cos(la), -np.cos(lo) * np.cos(la), np.sin(la)], -1)
    nose = np.exp(-((la + 0.1) ** 2 + (np.minimum(lo, 2 * np.pi - lo)) ** 2) / 0.02)
    vertices = (out * (0.1 + 0.02 * nose)[..., None]).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    k = (j + 1) % columns
    quads = np.stack([i * columns + j, i * columns + k, (i + 1) * columns + k, (i + 1) * columns + j], -1)
    places = {
        "nose_tip": (0, -0.1),
        "chin": (0, -0.95),
        "lip_upper_middle": (0, -0.5),
        "lip_lower_middle": (0, -0.56),
    }
    for s, side in ((1, "L"), (-1, "R")):
        places |= {f"mouth_corner.{side}": (s * 0.3, -0.53), f"eye_inner.{side}": (s * 0.18, 0.25)}
        places |= {f"eye_outer.{side}": (s * 0.5, 0.25), f"lid_upper_middle.{side}": (s * 0.34, 0.32)}
        places |= {f"lid_lower_middle.{side}": (s * 0.34, 0.18)}
    wanted = {
        n: np.array([np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b), np.sin(b)])
        for n, (a, b) in places.items()
    }
    marks = {n: int(np.argmax(out.reshape(-1, 3) @ point)) for n, point in wanted.items()}
    mesh = TargetMesh(vertices, quads.reshape(-1, 4), np.zeros((quads[..., 0].size, 4, 2), np.float32))
    result = transfer_face(head, mesh, marks, "ball")
    assert result.notes[0].startswith("the mouth has no opening")
    assert "will not blink" in result.notes[1]
    assert "no eyeball" in result.notes[2]
    smile = result.face.shapes[ARKIT_INDEX["mouthSmileLeft"], marks["mouth_corner.L"]]
    assert smile[2] > 0.002
    assert "lip_upper" not in result.face.rings


def test_obj_faces_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "a.obj"
    path.write_text(
        "o thing\nv 0 0 0\nv 1 0 0 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 2 0\nvt 0 0\nvt 1 0.5\nvn 0 0 1\n"
        "f 1/1/1 2/2/1 3/1/1 4/2/1\nf -5 -4 -3\nf 1 2 3 4 5\n"
    )
    mesh = read_obj(path)
    assert mesh.polygons.tolist() == [
        [0, 1, 2, 3],
        [0, 1, 2, -1],
        [0, 1, 2, -1],
        [0, 2, 3, -1],
        [0, 3, 4, -1],
    ]
    assert mesh.uv[0].tolist() == [[0, 0], [1, 0.5], [0, 0], [1, 0.5]]
    assert mesh.vertices.shape == (5, 3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
        "v 0 0\nf 1 1 1\n",
        "v a b c\n",
        "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
    ],
)
def test_broken_obj_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.obj"
    path.write_text(text)
    with pytest.raises(InputError):
        read_obj(path)


@pytest.mark.parametrize("text", ["{", "[1]", '{"chin": "here"}', '{"chin": true}', '{"chin": [1, 2]}'])
def test_broken_landmark_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "marks.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read_landmarks(path)


def test_gradients_are_those_of_a_linear_function() -> None:
    rng = np.random.default_rng(3)
    surface = Surface(rng.normal(size=(9, 3)), rng.permuted(np.tile(np.arange(9), (12, 1)), axis=1)[:, :3])
    slope = rng.normal(size=3)
    found = (gradient_operator(surface) @ (surface.vertices @ slope + 2)).reshape(-1, 3)
    normal = surface.face_normals
    np.testing.assert_allclose(found, slope - (normal @ slope)[:, None] * normal, atol=1e-8)


def test_closest_points_equal_brute_force() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(size=(60, 3))
    triangles = np.array([rng.choice(60, 3, replace=False) for _ in range(40)])
    surface = Surface(base, triangles)
    points = rng.normal(size=(50, 3))
    hits = ClosestPoints(surface)(points, np.zeros_like(points), -1.0)
    grid = np.array(
        [(a, b, 1 - a - b) for a in np.linspace(0, 1, 41) for b in np.linspace(0, 1, 41) if a + b <= 1.0001]
    )
    dense = np.einsum("gc,tcx->tgx", grid, base[triangles]).reshape(-1, 3)
    brute = np.linalg.norm(points[:, None] - dense, axis=-1).min(1)
    assert (hits.distance <= brute + 1e-9).all()
    assert (hits.distance >= brute - 0.12).all()
    places = hits.take(surface, base)
    np.testing.assert_allclose(np.linalg.norm(places - points, axis=1), hits.distance, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), st.integers(2, 9), st.integers(0, 10**6))
def test_pairs_are_the_best_ascending_ones(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    i, j = pair_up(a, b)
    assert len(i) == len(j) == min(n, m)
    assert (np.diff(i) > 0).all()
    assert (np.diff(j) > 0).all()
    assert (i[0], j[0], i[-1], j[-1]) == (0, 0, n - 1, m - 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_similarity_is_recovered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(7, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    scale, shift = rng.uniform(0.1, 9), rng.normal(size=3)
    fit = fit_similarity(points, scale * points @ turn.T + shift)
    np.testing.assert_allclose(fit(points), scale * points @ turn.T + shift, atol=1e-9)
    assert fit.misfit < 1e-9
    assert fit_similarity(points * [1, 1, -1], points).misfit > 0.05


def test_command_line_writes_the_same_face_again(
    cases: dict[str, Case], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = foreign.round_head()
    (tmp_path / "mesh.obj").write_text(target.obj())
    (tmp_path / "marks.json").write_text(json.dumps(target.landmarks))
    first, out = tmp_path / "first.safetensors", tmp_path / "round.safetensors"
    write_face(first, cases["round"].face)
    paths = [str(tmp_path / name) for name in ("mesh.obj", "marks.json")]
    assert main(["face", "transfer", *paths, "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "0.1 m per unit" in shown
    assert "note: no separate tongue found" in shown
    assert out.read_bytes() == first.read_bytes()
    assert main(["face", "info", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["id"], facts["shapes"]) == ("round", 52)
    assert facts["vertices"] == len(read_face(out).vertices)
    assert main(["face", "info", str(tmp_path / "marks.json")]) == 1
    assert main(["face", "transfer", *paths, "-o", str(out), "--scale", "big"]) == 2
