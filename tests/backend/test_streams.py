"""Expression, head pose and life brought together: any chunking gives one motion, on every frame its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from backend import pipeline
from backend.demo import DEMO_VOICE
from backend.faces import talking_face
from backend.media.audio import SAMPLE_RATE, read_audio
from backend.pipeline import AnimateRequest, Samples, animate, stream_motion, summary
from backend.serving import animate_handler
from backend.streams import FrameQueue, HeadStream, MotionModels, aligned
from blender_addon.protocol.clip import (
    clip_from_tensors,
    clip_tensors,
    codes_of,
    frame_count,
    join_chunks,
    read_info,
)
from blender_addon.protocol.controls import (
    ExpressionControls,
    HeadControls,
    PoseStyle,
    controls_from_json,
    controls_to_json,
)
from blender_addon.protocol.errors import CancelledError, InputError
from blender_addon.protocol.messages import Message, MessageType, decode, encode
from blender_addon.protocol.mixing import mixed_gaze, mixed_pose, mixed_weights
from blender_addon.protocol.tensorfile import Array
from models.expression import ExpressionModel
from models.life import LifeStream

from .drawn_pose import drawn_pose_model

HEAD = HeadControls(
    pitch=0.5, yaw=1.5, blinks=0.8, gaze=1.2, blink_rate=3.0, breath=0.5, style=PoseStyle(nods=0.5)
)
LIFE = {"blink": {"weights"}, "gaze": {"weights", "gaze"}, "breath": {"weights", "pose"}}


@pytest.fixture(scope="module")
def models() -> MotionModels:
    return MotionModels(ExpressionModel.load(), drawn_pose_model())


@pytest.fixture(scope="module")
def voice() -> Array:
    return read_audio(DEMO_VOICE)[: 6 * SAMPLE_RATE]


def asked(voice: Array, fps: float = 25.0, seed: int = 3, head: HeadControls = HEAD) -> AnimateRequest:
    return AnimateRequest(
        Samples(voice, SAMPLE_RATE), fps=fps, seed=seed, controls=ExpressionControls(head=head)
    )


@pytest.mark.parametrize("fps", [23.976, 25.0, 60.0])
def test_a_clip_has_everything(models: MotionModels, voice: Array, fps: float) -> None:
    clip = animate(asked(voice, fps), models)
    frames = frame_count(len(voice) / SAMPLE_RATE, fps)
    assert clip.weights.shape == (frames, 52)
    assert clip.pose.shape == (frames, 6)
    assert clip.gaze.shape == (frames, 4)
    assert clip.pose_codes.shape == (-(-frames // 4),)
    assert {name: set(clip.layers[name]) for name in LIFE} == LIFE
    assert set(clip.layers) == {"speech", "brows", *LIFE}
    np.testing.assert_array_equal(clip.weights, mixed_weights(clip.layers, HEAD))
    np.testing.assert_array_equal(clip.pose, mixed_pose(clip.layers, HEAD))
    np.testing.assert_array_equal(clip.gaze, mixed_gaze(clip.layers, clip.weights))
    assert [ref.id for ref in clip.info.models][1:] == ["drawn-codebook", "drawn-mapper"]


@pytest.mark.parametrize("batch", [0.05, 0.37, 100.0])
def test_any_chunking_gives_one_motion(
    models: MotionModels, voice: Array, batch: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(voice, fps=30.0)
    expected = clip_tensors(animate(request, models))
    for name in ("FIRST_BATCH", "LARGEST_BATCH"):
        monkeypatch.setattr(pipeline, name, round(batch * SAMPLE_RATE))
    found = clip_tensors(animate(request, models))
    np.testing.assert_array_equal(found["pose_codes"], expected["pose_codes"])
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=2e-5, err_msg=name)


def test_chunks_follow_one_another(
    models: MotionModels, voice: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_BATCH", "LARGEST_BATCH"):
        monkeypatch.setattr(pipeline, name, SAMPLE_RATE // 3)
    start = 0
    for chunk in stream_motion(asked(voice), models):
        assert chunk.start == start
        assert len(chunk.tensors["pose_codes"]) == len(codes_of(start, chunk.frames))
        rows = {len(array) for name, array in chunk.tensors.items() if name != "pose_codes"}
        assert rows == {chunk.frames}
        start += chunk.frames
    assert start == frame_count(len(voice) / SAMPLE_RATE, 25.0)


@pytest.mark.parametrize("fps", [24.0, 25.0, 50.0])
def test_codes_and_life_are_those_of_their_own_models(models: MotionModels, voice: Array, fps: float) -> None:
    """Against the models run alone over the whole sound."""
    assert models.pose is not None
    clip = animate(asked(voice, fps), models)
    stream = models.pose.stream(fps, seed=3, style=HEAD.style, guidance=HEAD.guidance)
    chunks = [stream.push(voice), stream.finish()]
    pose, activity, codes = (
        np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("pose", "activity", "codes")
    )
    np.testing.assert_allclose(clip.layers["speech"]["pose"], pose, atol=1e-5)
    seconds = np.arange(0, clip.frames, 4) / fps
    np.testing.assert_array_equal(clip.pose_codes, codes[(seconds / 0.16 + 1e-6).astype(int)])
    life = LifeStream(fps, 3, HEAD)
    lived = [life.push(pose, activity), life.finish()]
    blink = np.concatenate([chunk.blink for chunk in lived])
    np.testing.assert_allclose(clip.layers["blink"]["weights"], blink, atol=1e-5)


def test_without_a_pose_model_the_head_stays_still(models: MotionModels, voice: Array) -> None:
    still = animate(asked(voice), replace(models, pose=None))
    moving = animate(asked(voice), models)
    assert still.pose.shape == (0, 6)
    assert still.gaze.shape == (0, 4)
    assert still.pose_codes.shape == (0,)
    assert set(still.layers) == {"speech", "brows"}
    for name in ("speech", "brows"):
        np.testing.assert_array_equal(still.layers[name]["weights"], moving.layers[name]["weights"])
    assert len(still.info.models) == 1
    assert summary(still) == "the head stays still"
    assert "degrees" in summary(moving)


def test_another_seed_is_another_take(models: MotionModels, voice: Array) -> None:
    first, again, other = (animate(asked(voice, seed=seed), models) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.pose, again.pose)
    np.testing.assert_array_equal(first.pose_codes, again.pose_codes)
    assert (first.pose_codes != other.pose_codes).any()
    speech = [clip.layers["speech"]["weights"] for clip in (first, other)]
    assert np.abs(speech[0] - speech[1]).max() < 0.5


class Wire:
    """A job's context that takes every chunk through its frames of bytes."""

    def __init__(self, patience: int = 1000) -> None:
        self.chunks: list[Mapping[str, Array]] = []
        self._patience = patience

    def cancelled(self) -> bool:
        return len(self.chunks) >= self._patience

    def raise_if_cancelled(self) -> None:
        if self.cancelled():
            raise CancelledError("the job was cancelled")

    def progress(self, _phase: str, _fraction: float) -> None:
        pass

    def chunk(self, start: int, arrays: Mapping[str, Array]) -> None:
        assert start == sum(len(chunk["weights"]) for chunk in self.chunks)
        self.chunks.append(decode(encode(Message(MessageType.CHUNK, arrays=arrays))).arrays)


@pytest.mark.parametrize("head", [True, False])
def test_the_wire_brings_every_array(models: MotionModels, voice: Array, head: bool) -> None:
    request = replace(asked(voice, fps=24.0), face=talking_face(None))
    expected = animate(request, models if head else replace(models, pose=None))
    wire = Wire()
    controls = controls_to_json(request.controls)
    params = {"sample_rate": SAMPLE_RATE, "fps": 24, "seed": 3, "controls": controls, "head": head}
    result = animate_handler(lambda: models)(params, {"samples": voice}, wire)
    tensors = join_chunks(wire.chunks)
    clip = clip_from_tensors(read_info("the answer", result["info"]), tensors)
    wanted = clip_tensors(expected)
    assert set(clip_tensors(clip)) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_array_equal(clip_tensors(clip)[name], array, err_msg=name)
    assert clip.info.models == expected.info.models
    assert controls_from_json(clip.info.controls).head == HEAD


def test_a_cancel_stops_between_chunks(models: MotionModels, voice: Array) -> None:
    wire = Wire(patience=1)
    with pytest.raises(CancelledError):
        animate_handler(lambda: models)(
            {"sample_rate": SAMPLE_RATE, "fps": 25}, {"samples": np.tile(voice, 3)}, wire
        )
    assert len(wire.chunks) == 1


def test_head_is_true_or_false(models: MotionModels, voice: Array) -> None:
    with pytest.raises(InputError, match="head is 'no'"):
        animate_handler(lambda: models)(
            {"sample_rate": SAMPLE_RATE, "fps": 25, "head": "no"}, {"samples": voice}, Wire()
        )


def test_frames_wait_no_longer_than_the_slowest_look_ahead(models: MotionModels, voice: Array) -> None:
    """Also that nothing piles up: what waits is bounded however long the sound is."""
    assert models.pose is not None
    fps, step = 25.0, SAMPLE_RATE // 2
    stream = HeadStream(models.pose, fps, HEAD, 0)
    latest = models.pose.look_ahead + LifeStream(fps).look_ahead / fps + 3 / fps
    sound, emitted = np.tile(voice, 4), 0
    for heard in range(step, len(sound) + 1, step):
        frames = stream.push(sound[heard - step : heard])
        emitted += len(frames["layer.speech.pose"])
        assert heard / SAMPLE_RATE - emitted / fps < latest
    emitted += len(stream.finish()["layer.speech.pose"])
    assert emitted == frame_count(len(sound) / SAMPLE_RATE, fps)


class Late:
    """Gives each sample as a frame, `late` samples after it came."""

    def __init__(self, name: str, late: int) -> None:
        self._name, self._late, self._waiting = name, late, np.zeros(0)

    def push(self, samples: Array) -> dict[str, Array]:
        self._waiting = np.concatenate([self._waiting, samples])
        certain = max(len(self._waiting) - self._late, 0)
        frames, self._waiting = self._waiting[:certain], self._waiting[certain:]
        return {self._name: frames}

    def finish(self) -> dict[str, Array]:
        return {self._name: self._waiting}


def test_streams_wait_for_one_another() -> None:
    def batches() -> Iterator[Array]:
        for start, stop in ((0, 3), (3, 4), (4, 30), (30, 32)):
            yield np.arange(start, stop, dtype=np.float64)

    parts = list(aligned([Late("a", 0), Late("b", 7), Late("c", 2)], batches()))
    for part in parts:
        np.testing.assert_array_equal(part["a"], part["b"])
        np.testing.assert_array_equal(part["a"], part["c"])
    np.testing.assert_array_equal(np.concatenate([part["a"] for part in parts]), np.arange(32.0))
    assert [len(part["a"]) for part in parts] == [0, 0, 23, 2, 7]


def test_a_queue_gives_back_what_it_was_given() -> None:
    queue = FrameQueue()
    assert len(queue) == 0
    for _ in range(3):
        queue.push({"x": np.arange(4), "y": np.ones((4, 2))})
    assert queue.take(5)["x"].tolist() == [0, 1, 2, 3, 0]
    assert len(queue) == 7
    assert queue.take(7)["y"].shape == (7, 2)
    assert len(queue) == 0
