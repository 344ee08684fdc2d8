"""Lip contact on the built-in head, on another person and on a foreign mouth, measured on the surfaces."""

import dataclasses
import time

import numpy as np
import pytest

from blender_addon.lips.basis import fit_basis, from_basis, mirrored, to_basis, with_basis
from blender_addon.lips.canonical import carry, lip_coordinates, transfer_landmark, transfer_offsets
from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_coefficients, solve_contact, solve_handles, sticky_contact
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.errors import FileFormatError, InputError
from models.expression.curves import to_arkit
from models.face import load_head
from models.face.identity import sample_identity, with_identity
from models.face.lip_range import speech_range
from training.articulation import articulate
from training.evaluate.contact import contact_track, natural_mixtures
from training.evaluate.foreign import foreign_mouth
from training.evaluate.mouth_probe import cut_lips, edge_distance, mouth_probe, tooth_depth
from training.phones import phones_of

from .face_measures import natural_mixture

MM = 1e-3
STEP = 0.1  # seconds per phone
ONE_SIDED = (
    {"jawLeft": 0.6},
    {"jawRight": 0.3},
    {"jawRight": 0.6},
    {"mouthSmileLeft": 0.8},
    {"mouthRight": 0.4},
)


class Face:
    """A face with what tests ask of it."""

    def __init__(self, face):
        self.face, self.lips = face, prepare_lips(face)
        self.probe = mouth_probe(face, self.lips.coordinates)

    def posed(self, weights, ids):
        moved = weights @ self.face.shapes[:, ids].reshape(52, -1)
        return self.face.vertices[ids] + moved.reshape(len(weights), len(ids), 3)

    def lips_at(self, weights, contact, solved=True):
        posed = self.posed(weights, self.face.lip_index)
        return posed + solve_contact(self.lips, weights, contact) if solved else posed

    def opened(self, weights, contact, solved=True):
        return cut_lips(self.probe, self.lips_at(weights, contact, solved)).open

    def clashes(self, weights, contact, solved=True):
        lips, teeth = self.lips_at(weights, contact, solved), self.posed(weights, self.probe.tooth_ids)
        return cut_lips(self.probe, lips).crossed, tooth_depth(self.probe, lips, teeth)


@pytest.fixture(scope="module")
def head():
    return Face(load_head())


@pytest.fixture(scope="module")
def person(head):
    return Face(with_identity(head.face, sample_identity(head.face, 3)))


@pytest.fixture(scope="module")
def foreign(head):
    return Face(foreign_mouth(head.face))


@pytest.fixture(scope="module", params=["head", "person", "foreign"])
def face(request):
    return request.getfixturevalue(request.param)


def spoken():
    """Weights, contacts and the middles of p, b, m and of f, v of a made-up utterance at 50 fps."""
    names = [
        "sil",
        "a",
        "p",
        "i",
        "m",
        "u",
        "b",
        "O",
        "f",
        "a",
        "v",
        "i",
        "b",
        "u",
        "f",
        "o",
        "m",
        "ae",
        "sil",
    ]
    phones = phones_of([(STEP * i, STEP * (i + 1), name) for i, name in enumerate(names)])
    times = np.arange(int(50 * STEP * len(names))) / 50
    middles = [
        [round(50 * STEP * (i + 0.5)) for i, name in enumerate(names) if name in kind]
        for kind in ("pbm", "fv")
    ]
    return to_arkit(articulate(phones, times)), contact_track(phones, times), *middles


WEIGHTS, CONTACT, BILABIAL, LABIODENTAL = spoken()


def with_weights(weights, **more):
    result = weights.copy()
    for name, value in more.items():
        result[:, ARKIT_INDEX[name]] += value
    return result


def full(count, column, value=1.0):
    contact = np.zeros((count, 2), np.float32)
    contact[:, column] = value
    return contact


def test_the_measure_sees_open_crossed_and_pierced_lips(head):
    rest = np.zeros((1, 52), np.float32)
    nothing = np.zeros((1, 2), np.float32)
    assert head.opened(rest, nothing, False)[0] < 0.3 * MM
    wide = with_weights(rest, jawOpen=0.3)
    assert head.opened(wide, nothing, False)[0] > 5 * MM
    crossed, _ = head.clashes(with_weights(rest, mouthClose=0.3), nothing, False)
    assert crossed[0] > 2 * MM
    lips, teeth = head.lips_at(rest, nothing, False), head.posed(rest, head.probe.tooth_ids)
    pushed = lips + np.float32([0, 5.5 * MM, 0])
    assert tooth_depth(head.probe, lips, teeth)[0] < 0.1 * MM
    assert tooth_depth(head.probe, pushed, teeth)[0] > 0.5 * MM


@pytest.mark.parametrize("value", [0.8, 0.9, 1.0])
@pytest.mark.parametrize("jaw", [0.0, 0.3])
def test_bilabials_seal(face, value, jaw):
    weights = with_weights(WEIGHTS[BILABIAL], jawOpen=jaw)
    assert face.opened(weights, full(len(weights), 0, value)).max() < 0.5 * MM
    if jaw:
        assert face.opened(weights, full(len(weights), 0, value), False).min() > 2 * MM


def test_the_lower_lip_meets_the_upper_teeth(face):
    weights, contact = WEIGHTS[LABIODENTAL], full(len(LABIODENTAL), 1)
    lips, teeth = face.lips_at(weights, contact), face.posed(weights, face.probe.tooth_ids)
    assert edge_distance(face.probe, lips, teeth).max() < 0.5 * MM
    line = face.lips.coordinates.lower
    middle = line[len(line) // 4 : -len(line) // 4]
    assert (lips - face.lips_at(weights, contact, False))[:, middle, 1].mean(1).max() < 4 * MM


def test_nothing_crosses_or_pierces_in_speech(face):
    crossed, pierced = face.clashes(WEIGHTS, CONTACT)
    assert crossed.max() < 0.1 * MM
    assert pierced.max() < 0.1 * MM


@pytest.mark.parametrize("movement", ONE_SIDED, ids=str)
def test_nothing_crosses_or_pierces_to_one_side(head, movement):
    weights = with_weights(WEIGHTS[::6], **movement)
    crossed, pierced = head.clashes(weights, CONTACT[::6])
    assert crossed.max() < 0.1 * MM
    assert pierced.max() < 0.1 * MM


def test_a_puckered_shifted_jaw_seals_without_crossing(head):
    weights = with_weights(np.zeros((5, 52), np.float32), jawRight=0.6, mouthPucker=0.6)
    weights[:, ARKIT_INDEX["jawOpen"]] = np.linspace(0, 0.3, 5)
    assert head.clashes(weights, full(5, 0))[0].max() < 0.1 * MM
    assert head.opened(weights, full(5, 0)).max() < 0.5 * MM


def test_natural_mixtures_neither_cross_nor_pierce(head):
    random = np.random.default_rng(7)
    weights = np.array([natural_mixture(random) for _ in range(400)], np.float32)
    contact = natural_mixtures(400)[1]
    before = head.clashes(weights[:60], contact[:60], False)
    after = head.clashes(weights, contact)
    assert min(part.max() for part in before) > 0.3 * MM
    assert np.max(after) < 0.3 * MM


def test_wild_mixtures_seldom_cross_or_pierce(head):
    """Without regard to which shapes faces make together."""
    after = head.clashes(*natural_mixtures(200))
    assert np.mean(np.maximum(*after) > 0.3 * MM) < 0.01
    assert np.max(after) < 1 * MM


def test_without_contact_closed_and_open_lips_stay(head):
    rest = np.zeros((3, 52), np.float32)
    rest[1, ARKIT_INDEX["jawOpen"]] = 0.3
    rest[2, ARKIT_INDEX["mouthPucker"]] = 0.5
    assert np.abs(solve_contact(head.lips, rest, np.zeros((3, 2), np.float32))).max() < 0.2 * MM


def test_mirrored_weights_give_mirrored_offsets(head):
    weights, contact = natural_mixtures(40, 5)
    names = [n.replace("Left", "?").replace("Right", "Left").replace("?", "Right") for n in ARKIT_NAMES]
    swap = [ARKIT_INDEX[name] for name in names]
    at = head.face.vertices[head.face.lip_index]
    other = np.array([np.argmin(np.square(at - p * np.float32([-1, 1, 1])).sum(1)) for p in at])
    one = solve_contact(head.lips, weights, contact)
    two = solve_contact(head.lips, weights[:, swap], contact)[:, other] * np.float32([-1, 1, 1])
    # The shapes' own left and right differ by what 16-bit storage rounds.
    np.testing.assert_allclose(one, two, atol=2e-5)


def test_the_solve_is_smooth_in_time(head):
    held = sticky_contact(CONTACT[:, 0], 50).held
    middle = list(head.probe.middle)
    posed = head.posed(WEIGHTS, head.face.lip_index[middle])
    moved = posed + solve_contact(head.lips, WEIGHTS, CONTACT, held)[:, middle]
    jerk = [np.diff(p[:, 0, 2] - p[:, 1, 2], n=2) for p in (posed, moved)]
    # Phones as short as these, one contact every 0.2 s, are harder than speech.
    assert np.std(jerk[1]) < 1.35 * np.std(jerk[0])


def test_opening_sticks_at_the_corners_and_closing_does_not(head):
    contact = np.r_[np.linspace(0, 1, 5), np.linspace(1, 0, 5)].astype(np.float32)
    weights = with_weights(np.zeros((10, 52), np.float32), jawOpen=0.3)
    both = np.stack([contact, np.zeros(10, np.float32)], 1)
    held = sticky_contact(contact, 50).held
    plain, sticky = solve_contact(head.lips, weights, both), solve_contact(head.lips, weights, both, held)
    np.testing.assert_array_equal(plain[:5], sticky[:5])
    coordinates = head.lips.coordinates
    near = np.argmin(np.abs(coordinates.u[coordinates.lower] - 0.75))
    corner, middle = coordinates.lower[near], coordinates.lower[len(coordinates.lower) // 2]
    lift = (sticky - plain)[:, :, 2].max(0)
    assert lift[corner] > 0.5 * MM
    assert lift[corner] > 1.5 * lift[middle]


def test_batches_and_single_frames_agree(head):
    weights, contact = natural_mixtures(70, 9)
    whole = solve_contact(head.lips, weights, contact)
    parts = [solve_contact(head.lips, weights[i : i + 1], contact[i : i + 1]) for i in range(70)]
    np.testing.assert_allclose(whole, np.concatenate(parts), atol=1e-5)
    assert solve_contact(head.lips, weights[:0], contact[:0]).shape == (0, len(head.face.lip_index), 3)
    with pytest.raises(InputError):
        solve_contact(head.lips, weights[:, :51], contact)


def test_a_frame_costs_little(head):
    weights, contact = natural_mixtures(100)
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        solve_contact(head.lips, weights, contact)
        best = min(best, time.process_time() - start)
    assert best / 100 < 1.5e-3  # 0.3 ms on an idle core; shared ones are slow


def test_the_basis_meets_speech(head):
    assert head.face.lip_basis.shape == (16, len(head.face.lip_index), 3)
    speech = speech_range(np.random.default_rng(99), 300)
    exact = solve_contact(head.lips, speech.weights, speech.contact, speech.held)
    coefficients = solve_coefficients(head.lips, speech.weights, speech.contact, speech.held)
    np.testing.assert_allclose(coefficients, to_basis(head.lips, exact), atol=1e-4)
    error = np.linalg.norm(from_basis(head.lips, coefficients) - exact, axis=2)
    assert error.max() < 0.6 * MM
    assert np.percentile(error.max(1), 95) < 0.35 * MM
    assert np.abs(coefficients).max() < 2  # what the sliders of lip keys reach


def test_basis_contacts_still_seal(head):
    weights = WEIGHTS[BILABIAL]
    contact = full(len(weights), 0)
    posed = head.posed(weights, head.face.lip_index)
    moved = from_basis(head.lips, solve_coefficients(head.lips, weights, contact))
    assert cut_lips(head.probe, posed + moved).open.max() < 0.5 * MM


def test_a_basis_as_large_as_its_range_is_exact(head):
    weights, contact = natural_mixtures(5, 11)
    handles = solve_handles(head.lips, weights, contact)
    lips = with_basis(head.lips, fit_basis(head.lips, handles, 10))
    exact = solve_contact(head.lips, weights, contact)
    found = from_basis(lips, to_basis(lips, exact))
    np.testing.assert_allclose(found, exact, atol=2e-5)
    np.testing.assert_array_equal(mirrored(head.lips, mirrored(head.lips, handles)), handles)


def test_faces_without_lip_rings_are_refused(head):
    for rings in ({}, {**head.face.rings, "lip_upper": head.face.rings["lid_upper.L"]}):
        with pytest.raises(FileFormatError, match="lips of"):
            prepare_lips(dataclasses.replace(head.face, rings=rings))


def test_a_face_without_teeth_still_bites_towards_where_they_would_be(head):
    region = head.face.region.copy()
    region[np.isin(region, [head.face.region_names.index(n) for n in ("upper_teeth", "lower_teeth")])] = 0
    rings = {name: ids for name, ids in head.face.rings.items() if not name.startswith("teeth")}
    bare = prepare_lips(dataclasses.replace(head.face, region=region, rings=rings))
    weights = WEIGHTS[LABIODENTAL][:1]
    moved = solve_contact(bare, weights, full(1, 1))[0]
    low = bare.coordinates.lower[len(bare.coordinates.lower) // 2]
    assert moved[low, 1] > 0.5 * MM  # backwards
    assert np.abs(moved).max() < 12 * MM


def test_coordinates_say_where_the_lips_are(face):
    at = face.lips.coordinates
    middle = len(at.upper) // 2
    np.testing.assert_allclose(at.u[at.upper[[0, middle, -1]]], [-1, 0, 1], atol=0.02)
    np.testing.assert_allclose(at.v[np.r_[at.upper, at.lower]], 0, atol=1e-9)
    assert (at.lip[at.upper[1:-1]] == 1).all()
    assert (at.lip[at.lower[1:-1]] == -1).all()
    inside = at.v < -0.01
    depth = -face.face.vertices[at.index, 1]
    assert inside.any()
    assert depth[inside].max() <= depth[at.upper[middle]] + 1 * MM
    identity = np.einsum("lij,lkj->lik", at.frame, at.frame)
    np.testing.assert_allclose(identity, np.tile(np.eye(3), (len(identity), 1, 1)), atol=1e-9)


def test_offsets_return_from_another_person(head, person):
    weights, contact = WEIGHTS[BILABIAL + LABIODENTAL], CONTACT[BILABIAL + LABIODENTAL]
    own = solve_contact(head.lips, weights, contact)
    here, there = head.lips.coordinates, person.lips.coordinates
    back = transfer_offsets(there, here, transfer_offsets(here, there, own))
    assert np.linalg.norm(back - own, axis=2).max() < 0.2 * MM


def test_offsets_return_from_a_foreign_mouth(head, foreign):
    weights, contact = WEIGHTS[BILABIAL + LABIODENTAL], CONTACT[BILABIAL + LABIODENTAL]
    own = solve_contact(head.lips, weights, contact)
    here, there = head.lips.coordinates, foreign.lips.coordinates
    back = transfer_offsets(there, here, transfer_offsets(here, there, own))
    near = (here.v < 0.3) & (here.v > -0.12)
    error = np.linalg.norm(back - own, axis=2)[:, near]
    assert np.sqrt(np.mean(error**2)) < 0.1 * MM
    assert error.max() < 0.8 * MM


def test_transferred_offsets_seal_a_foreign_mouth_half(head, foreign):
    """What moves the head's lips together moves the foreign mouth's together too."""
    weights = with_weights(np.zeros((1, 52), np.float32), jawOpen=0.2)
    moved = solve_contact(head.lips, weights, full(1, 0))
    carried = transfer_offsets(head.lips.coordinates, foreign.lips.coordinates, moved)
    posed = foreign.posed(weights, foreign.face.lip_index)
    before, after = (cut_lips(foreign.probe, posed + part).open[0] for part in (0 * carried, carried))
    assert after < 0.35 * before


def test_colours_and_landmarks_are_carried(head, foreign):
    here, there = head.lips.coordinates, foreign.lips.coordinates
    colours = np.stack([here.u, here.v, here.lip], 1)
    carried = carry(here, there, colours)
    near = (np.abs(there.v) < 0.2) & (np.abs(there.u) < 0.9)
    np.testing.assert_allclose(carried[near, 0], there.u[near], atol=0.03)
    np.testing.assert_allclose(carried[near, 1], there.v[near], atol=0.02)
    np.testing.assert_allclose(carried[near, 2], there.lip[near], atol=1e-6)
    corner = transfer_landmark(here, there, int(head.face.rings["lip_upper"][0]))
    assert corner == foreign.face.rings["lip_upper"][0]


def test_preparing_the_same_face_twice_gives_the_same(head):
    again = prepare_lips(head.face)
    np.testing.assert_array_equal(again.spread, head.lips.spread)
    np.testing.assert_array_equal(again.project, head.lips.project)
    assert lip_coordinates(head.face).width == pytest.approx(0.049, abs=0.006)
