"""The real service process, reached as Blender reaches it, gives what the command line gives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from backend.bench import running_backend, wait_for
from backend.demo import DEMO_VOICE
from backend.devices import load_motion_models
from backend.faces import talking_face
from backend.media.audio import SAMPLE_RATE, AudioSpan, hash_file, read_audio
from backend.pipeline import AnimateRequest, animate
from blender_addon.link import BackendClient, Chunk, Done, Progress
from blender_addon.protocol.clip import clip_tensors, join_chunks
from blender_addon.protocol.errors import InputError, MediaError


@pytest.fixture(scope="module")
def client() -> Iterator[BackendClient]:
    with running_backend("cpu") as (client, _):
        yield client


def collect(client: BackendClient, params: dict, arrays: dict | None = None) -> tuple[dict, dict]:
    """The arrays of the job's chunks, joined by name, and its result."""
    job = client.submit("animate", params, arrays)
    parts: list[dict] = []
    fractions: list[float] = []
    while True:
        event = wait_for(client, Chunk, Done, Progress)
        assert event.job == job
        if isinstance(event, Progress):
            fractions.append(event.fraction)
        elif isinstance(event, Chunk):
            assert event.start == sum(len(part["weights"]) for part in parts)
            parts.append(event.arrays)
        else:
            assert fractions == sorted(fractions)
            return join_chunks(parts), dict(event.result)


def test_the_wire_gives_what_the_pipeline_gives(client: BackendClient) -> None:
    span, face = AudioSpan(0.5, 4.0, 1.25), talking_face(None)
    request = AnimateRequest(audio=DEMO_VOICE, fps=29.97, span=span, face=face)
    expected = animate(request, load_motion_models("cpu"))
    params = {"audio_path": str(DEMO_VOICE), "fps": 29.97, "start": 0.5, "duration": 4.0, "speed": 1.25}
    tensors, result = collect(client, params)
    assert set(tensors) == set(clip_tensors(expected))
    for name, array in clip_tensors(expected).items():
        np.testing.assert_allclose(tensors[name], array, atol=1e-5, err_msg=name)
    assert result["frames"] == expected.frames
    assert result["info"]["audio_sha256"] == hash_file(DEMO_VOICE)
    assert result["info"]["audio_offset"] == 0.5


def test_samples_may_be_sent_instead_of_a_path(client: BackendClient) -> None:
    sound = read_audio(DEMO_VOICE)
    by_path, _ = collect(client, {"audio_path": str(DEMO_VOICE), "fps": 25})
    sent, result = collect(client, {"sample_rate": SAMPLE_RATE, "fps": 25}, {"samples": sound})
    np.testing.assert_allclose(sent["weights"], by_path["weights"], atol=2e-3)
    assert result["info"]["audio_path"] == ""


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"audio_path": "/no/such.wav", "fps": 25}, InputError, "there is no file"),
        ({"audio_path": __file__, "fps": 25}, MediaError, "not a sound"),
        ({"fps": 25}, InputError, "parameters"),
        ({"audio_path": str(DEMO_VOICE), "fps": 25, "controls": {"energy": 9}}, InputError, "energy is 9"),
        ({"audio_path": str(DEMO_VOICE), "fps": 0}, InputError, "frames per second"),
        ({"audio_path": str(DEMO_VOICE), "fps": 25, "start": 99}, MediaError, "after 99 s"),
    ],
)
def test_errors_keep_their_kind(client: BackendClient, params: dict, error: type, words: str) -> None:
    client.submit("animate", params)
    with pytest.raises(error, match=words):
        wait_for(client, Done)
