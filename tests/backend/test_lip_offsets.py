"""Lip offsets in the pipeline: chunk by chunk as in one piece, and faces that cannot have any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.demo import DEMO_VOICE
from backend.faces import clip_for_face, talking_face
from backend.media.audio import read_audio
from backend.pipeline import AnimateRequest, Samples, animate
from backend.serving import animate_handler
from backend.streams import MotionModels
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.clip import ClipInfo, expression_clip
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import write_face
from blender_addon.protocol.tensorfile import Array
from models.expression import ExpressionModel
from models.face import load_head


@pytest.fixture(scope="module")
def models() -> MotionModels:
    return MotionModels(ExpressionModel.load())


class _Context:
    """A job's context that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Array]] = []

    def cancelled(self) -> bool:
        return False

    def raise_if_cancelled(self) -> None:
        pass

    def progress(self, phase: str, fraction: float) -> None:
        pass

    def chunk(self, start: int, arrays: dict[str, Array]) -> None:
        self.sent.append(arrays)


def test_chunks_solve_what_the_whole_motion_does(models: MotionModels) -> None:
    voice = np.tile(read_audio(DEMO_VOICE), 4)  # longer than a batch
    face = talking_face(None)
    clip = animate(AnimateRequest(Samples(voice, 16_000), face=face), models)
    assert face.lips is not None
    held = sticky_contact(clip.contact[:, 0], 25.0).held
    whole = solve_coefficients(face.lips, clip.weights, clip.contact, held)
    assert clip.lip.shape == (clip.frames, len(load_head().lip_basis))
    assert np.abs(clip.lip - whole).max() < 1e-4
    spoken = clip.contact[:, 0] > 0.9
    silent = clip.contact.max(axis=1) < 0.01
    assert np.abs(clip.lip[spoken]).max(axis=1).mean() > 3 * np.abs(clip.lip[silent]).max(axis=1).mean()


def test_drawn_lips_go_where_solved_ones_go(models: MotionModels) -> None:
    voice, face = read_audio(DEMO_VOICE), talking_face(None)
    solved, drawn = (
        animate(AnimateRequest(Samples(voice, 16_000), face=face, lips=lips), models)
        for lips in ("solved", "drawn")
    )
    np.testing.assert_array_equal(drawn.weights, solved.weights)
    assert not np.array_equal(drawn.lip, solved.lip)
    assert np.corrcoef(drawn.lip.ravel(), solved.lip.ravel())[0, 1] > 0.2


def test_a_face_without_a_basis_gets_none_and_says_so(models: MotionModels, tmp_path: Path) -> None:
    head = load_head()
    path = tmp_path / "bare.safetensors"
    write_face(path, replace(head, lip_basis=head.lip_basis[:0]))
    face = talking_face(path)
    assert face.lips is None
    assert "lip basis" in face.remark
    clip = animate(AnimateRequest(Samples(np.zeros(16_000, np.float32), 16_000), face=face), models)
    assert clip.lip.shape == (clip.frames, 0)


@pytest.mark.parametrize(
    ("params", "lips", "remark"),
    [
        ({}, 16, ""),
        ({"face_id": load_head().id}, 16, ""),
        ({"face_id": "another"}, 0, "the head is another"),
        ({"face_id": "mine", "face_path": "gone.safetensors"}, 0, "no face file gone.safetensors"),
    ],
)
def test_the_service_names_what_it_cannot_solve(
    models: MotionModels, params: dict[str, str], lips: int, remark: str
) -> None:
    context = _Context()
    handler = animate_handler(lambda: models)
    voice = {"samples": np.zeros(32_000, np.float32)}
    result = handler({"fps": 25.0, "sample_rate": 16_000, **params}, voice, context)
    assert {arrays["lip"].shape[1] for arrays in context.sent} == {lips}
    assert remark in result["remark"]
    assert bool(remark) == bool(result["remark"])


def test_a_face_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        talking_face(tmp_path / "gone.safetensors")


def test_another_faces_coefficients_are_solved_again(tmp_path: Path) -> None:
    head, rng = load_head(), np.random.default_rng(0)
    weights, contact = rng.random((5, 52)).astype(np.float32) * 0.3, rng.random((5, 2)).astype(np.float32)
    foreign = expression_clip(ClipInfo(fps=25.0, face_id="another"), weights, contact, np.ones((5, 16)))
    fitted, lips = clip_for_face(foreign, None), talking_face(None).lips
    assert lips is not None
    wanted = solve_coefficients(lips, weights, contact, sticky_contact(contact[:, 0], 25.0).held)
    assert np.array_equal(fitted.lip, wanted)
    assert fitted.info.face_id == head.id
    assert clip_for_face(fitted, None) is fitted
    path = tmp_path / "bare.safetensors"
    write_face(path, replace(head, lip_basis=head.lip_basis[:0]))
    assert clip_for_face(foreign, path).lip.shape == (5, 0)
