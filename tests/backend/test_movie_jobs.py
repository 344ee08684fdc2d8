"""The jobs `render` and `still` as the service runs them, on a stand-in for the portrait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from backend.demo import DEMO_VOICE  # noqa: E402
from backend.media.audio import SAMPLE_RATE, read_audio  # noqa: E402
from backend.movie import jobs  # noqa: E402
from backend.movie.keys import rounded  # noqa: E402
from backend.movie.portrait import Portrait, PortraitOrder  # noqa: E402
from blender_addon.protocol.errors import CancelledError, InputError, OutputError  # noqa: E402
from blender_addon.protocol.messages import Message, MessageType, decode, encode  # noqa: E402
from blender_addon.protocol.render import (  # noqa: E402
    FrameNotice,
    RenderParams,
    file_part,
    frame_file,
    params_json,
    read_notices,
    read_result,
)
from models.video.motion import FrameMotion  # noqa: E402
from tests.backend.drawn_portrait import HEIGHT, WIDTH, DrawnPortrait, crop_of, drawn_scene  # noqa: E402


@dataclass
class Client:
    """A `JobContext` that keeps what a job tells, as it looks after the wire; it cancels when told to."""

    cancel_after: int | None = None
    notices: list[FrameNotice] = field(default_factory=list)
    file: bytes = b""
    phases: list[tuple[str, float]] = field(default_factory=list)

    def cancelled(self) -> bool:
        return self.cancel_after is not None and len(self.notices) >= self.cancel_after

    def raise_if_cancelled(self) -> None:
        if self.cancelled():
            raise CancelledError("cancelled")

    def progress(self, phase: str, fraction: float) -> None:
        self.phases.append((phase, fraction))

    def chunk(self, start: int, arrays: Mapping[str, np.ndarray]) -> None:
        self.raise_if_cancelled()
        arrays = decode(encode(Message(MessageType.CHUNK, {}, arrays))).arrays
        self.notices += read_notices(arrays)
        self.file += file_part(arrays)


@dataclass
class Service:
    """The two jobs with one stand-in portrait, whose picture is any file."""

    portrait: DrawnPortrait
    opened: list[PortraitOrder]
    render: Any
    still: Any
    picture: Path
    folder: Path

    def params(self, **asked: Any) -> dict[str, Any]:
        basic = {"fps": 25.0, "portrait_path": str(self.picture), "cache": str(self.folder / "cache")}
        return params_json(RenderParams(**{**basic, **asked}))


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    scene, portrait = drawn_scene()
    opened: list[PortraitOrder] = []

    def opener(order: PortraitOrder, _: Any) -> Portrait:
        opened.append(order)
        return Portrait(None, scene)  # type: ignore[arg-type]

    def motions(_fit: Any, clip: Any, frames: Any, _relative: bool, _lips: Any) -> Any:
        empty = np.zeros(0, np.float32)
        return (FrameMotion(clip.weights[frame], empty, np.zeros(6), empty) for frame in frames)

    monkeypatch.setattr(jobs, "motions_of", motions)
    (tmp_path / "p.png").write_bytes(b"a picture")
    portraits = jobs.OpenPortraits(opener)
    render, still = jobs.render_handler(portraits), jobs.still_handler(portraits)
    return Service(portrait, opened, render, still, tmp_path / "p.png", tmp_path)


def motion(frames: int) -> dict[str, np.ndarray]:
    return {"weights": np.random.default_rng(5).uniform(0, 1, (frames, 52)).astype(np.float32)}


def test_a_movie_with_its_sound(service: Service) -> None:
    out, client = service.folder / "x.mp4", Client()
    params = service.params(output_path=str(out), audio_path=str(DEMO_VOICE), start=0.4)
    result = read_result(service.render(params, motion(60), client))
    assert (result.frames, result.rendered, result.width, result.height) == (60, 60, WIDTH, HEIGHT)
    assert result.path == str(out)
    assert result.notes == ["a note", "drawn"]
    assert [notice.frame for notice in client.notices] == list(range(60))
    assert all(frame_file(Path(result.cache), notice.key).is_file() for notice in client.notices)
    assert client.phases[0][0] == "Reading the portrait"
    assert client.phases[-1] == ("Writing the movie", 1.0)
    heard, said = read_audio(out), read_audio(DEMO_VOICE)[int(0.4 * SAMPLE_RATE) :]
    assert len(heard) == pytest.approx(60 / 25 * SAMPLE_RATE, abs=1100)
    length = 2 * SAMPLE_RATE
    lags = [np.dot(heard[200 + lag : length + lag], said[200:length]) for lag in range(-40, 41)]
    assert abs(int(np.argmax(lags)) - 40) <= 1
    again = read_result(service.render(params, motion(60), Client()))
    assert (again.rendered, len(service.opened)) == (0, 1)


def test_a_voice_that_starts_later(service: Service) -> None:
    """Half a second of silence, then the voice from its beginning; a movie that ends before it is silent."""
    out = service.folder / "later.mp4"
    params = service.params(output_path=str(out), audio_path=str(DEMO_VOICE), start=-0.5)
    service.render(params, motion(50), Client())
    heard, said = read_audio(out), read_audio(DEMO_VOICE)
    wait = SAMPLE_RATE // 2
    assert abs(heard[: wait - 400]).max() < 1e-3
    length = min(len(heard) - wait, SAMPLE_RATE)
    assert np.corrcoef(heard[wait : wait + length], said[:length])[0, 1] > 0.95
    service.render(params, motion(10), Client())
    with av.open(str(out)) as container:
        assert not container.streams.audio


def test_samples_and_a_remote_client(service: Service) -> None:
    client = Client()
    arrays = {**motion(10), "samples": np.zeros((8000, 2), np.float32)}
    arrays["portrait"] = np.frombuffer(service.picture.read_bytes(), np.uint8)
    params = service.params(portrait_path="", send=True, sample_rate=16000)
    result = read_result(service.render(params, arrays, client))
    assert result.path == ""
    (service.folder / "came.mp4").write_bytes(client.file)
    with av.open(str(service.folder / "came.mp4")) as container:
        assert container.streams.video[0].frames == 10
        assert container.streams.audio[0].channels == 2


def test_a_still_is_the_whole_picture(service: Service) -> None:
    arrays = {**motion(8), "wanted": np.array([5], np.int32)}
    still = service.folder / "still.png"
    result = read_result(service.still(service.params(output_path=str(still)), arrays, Client()))
    client = Client()
    service.still(service.params(send=True), arrays, client)
    assert client.file == still.read_bytes()
    empty = np.zeros(0, np.float32)
    drawn = crop_of(rounded(FrameMotion(arrays["weights"][5], empty, np.zeros(6), empty)))
    shown = cv2.imread(str(still))[..., ::-1]
    assert (result.width, result.height, result.frames) == (WIDTH, HEIGHT, 1)
    np.testing.assert_array_equal(shown, service.portrait.pasted(drawn))


def test_wanted_frames_keep_their_numbers(service: Service) -> None:
    client = Client()
    wanted = np.array([3, 4, 11], np.int32)
    result = read_result(service.render(service.params(), {**motion(20), "wanted": wanted}, client))
    assert [notice.frame for notice in client.notices] == [3, 4, 11]
    assert (result.rendered, result.path) == (3, "")


def test_a_cancel_leaves_the_frames(service: Service) -> None:
    params = service.params(output_path=str(service.folder / "x.mp4"))
    client = Client(cancel_after=1)
    with pytest.raises(CancelledError):
        service.render(params, motion(2000), client)
    assert service.portrait.drawn < 2000
    kept = len(list((service.folder / "cache").glob("??/*.png")))
    assert kept == service.portrait.drawn
    assert not (service.folder / "x.mp4").exists()


@pytest.mark.parametrize(
    ("asked", "arrays", "error", "words"),
    [
        ({"portrait_path": ""}, motion(3), InputError, "no portrait"),
        ({"portrait_path": "/no/such.png"}, motion(3), InputError, "there is no file"),
        ({}, {}, InputError, "no weights"),
        ({}, {"weights": np.zeros((3, 51), np.float32)}, InputError, "shape"),
        ({}, {**motion(3), "pose": np.zeros((2, 6), np.float32)}, InputError, "pose has shape"),
        ({}, {**motion(3), "wanted": np.array([3])}, InputError, "wanted"),
        ({}, {**motion(3), "wanted": np.array([1, 1])}, InputError, "wanted"),
        ({"fps": 0.0}, motion(3), InputError, "fps"),
        ({"renderer": "magic"}, motion(3), InputError, "no renderer"),
        ({"output_path": "/no/such/folder/x.mp4"}, motion(3), OutputError, "no folder"),
        ({"audio_path": "/no/such.wav", "output_path": "x.mp4"}, motion(3), InputError, "there is no file"),
    ],
)
def test_errors_say_what_is_wrong(
    service: Service, asked: dict, arrays: dict, error: type, words: str
) -> None:
    with pytest.raises(error, match=words):
        service.render(service.params(**asked), arrays, Client())
    assert service.portrait.drawn == 0  # it was said before the work
