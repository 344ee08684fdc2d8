"""`vividtalk video` from a picture on disk to a movie, on a head whose true motion is known."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("mediapipe")

from backend.cli import main  # noqa: E402
from backend.demo import DEMO_VOICE  # noqa: E402
from backend.media.audio import SAMPLE_RATE, read_audio  # noqa: E402
from blender_addon.protocol.arkit import ARKIT_INDEX  # noqa: E402
from blender_addon.protocol.clip import ClipInfo, expression_clip, write_clip  # noqa: E402
from models.portrait.studio import StudioPortrait, studio_portrait  # noqa: E402

SIDE, FRAMES = 321, 9


@pytest.fixture(scope="module")
def studio() -> StudioPortrait:
    return studio_portrait(SIDE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, studio: StudioPortrait) -> Path:
    """`head.png`, and `jaw.safetensors`, in which its mouth opens."""
    folder = tmp_path_factory.mktemp("video")
    cv2.imwrite(str(folder / "head.png"), studio.picture[..., ::-1])
    write_clip(
        folder / "jaw.safetensors", expression_clip(ClipInfo(fps=23.976), jaw(), np.zeros((FRAMES, 2)))
    )
    return folder


def jaw() -> np.ndarray:
    weights = np.zeros((FRAMES, 52), np.float32)
    weights[:, ARKIT_INDEX["jawOpen"]] = np.linspace(0, 0.6, FRAMES)
    return weights


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(24000 / 1001)
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_a_clip_moves_the_picture_as_the_head_truly_moves(
    folder: Path, studio: StudioPortrait, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fitted anew from pixels, the movie is nearer to the true renders than the picture that stands still."""
    arguments = ["video", str(folder / "head.png"), str(folder / "jaw.safetensors"), "--silent"]
    out = folder / "jaw.mp4"
    assert main([*arguments, "-o", str(out), "--size", "256", "--cache", str(folder / "cache")]) == 0
    assert "9 frames at 23.976 fps" in capsys.readouterr().out
    shown = frames_of(out)
    assert (len(shown), shown[0].shape) == (FRAMES, (SIDE + 1, SIDE + 1, 3))
    rows = slice(round(0.55 * SIDE), round(0.8 * SIDE))  # mouth and chin
    columns = slice(round(0.35 * SIDE), round(0.65 * SIDE))
    true = studio.true_frame(jaw()[-1])[rows, columns]
    assert difference(shown[-1][rows, columns], true) < 0.75 * difference(studio.picture[rows, columns], true)
    assert main([*arguments, "-o", str(out), "--size", "256", "--cache", str(folder / "cache")]) == 0
    assert "0 of them rendered" in capsys.readouterr().out


def test_a_voice_is_heard_while_the_head_speaks(folder: Path) -> None:
    import wave

    said = read_audio(DEMO_VOICE)[: round(0.8 * SAMPLE_RATE)]
    with wave.open(str(folder / "said.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((np.clip(said, -1, 1) * 32767).astype("<i2").tobytes())
    out = folder / "said.mp4"
    asked = ["--fps", "24000/1001", "--size", "256"]
    assert main(["video", str(folder / "head.png"), str(folder / "said.wav"), "-o", str(out), *asked]) == 0
    shown = frames_of(out)
    assert len(shown) == 20
    heard = read_audio(out)
    lags = [float(np.dot(heard[600 + lag : 10_000 + lag], said[600:10_000])) for lag in range(-80, 81)]
    assert abs(int(np.argmax(lags)) - 80) <= 1
    moving = [difference(one, other) for one, other in pairwise(shown)]
    assert max(moving) > 0.2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gray.png", "jaw.safetensors", "--silent"], "no face"),
        (["none.png", "jaw.safetensors", "--silent"], "there is no file"),
        (["head.png", "none.wav"], "there is no file"),
        (["head.png", "jaw.safetensors"], "does not name its sound"),
        (["head.png", "jaw.safetensors", "--silent", "--fps", "25"], "23.976 frames per second"),
        (["head.png", "jaw.safetensors", "--silent", "--renderer", "magic"], "no renderer"),
        (["head.png", "jaw.safetensors", "--silent", "--choose", "3"], "no face 3"),
        (["head.png", "jaw.safetensors", "--silent", "--fit", "jaw.safetensors"], "not a valid face file"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    cv2.imwrite(str(folder / "gray.png"), np.full((64, 64, 3), 128, np.uint8))
    files = [str(folder / word) if "." in word else word for word in words]
    assert main(["video", *files, "-o", str(folder / "no.mp4")]) == 1
    (line, *more) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("vividtalk")]
    assert said in line
    assert not more
    assert not (folder / "no.mp4").exists()


def test_wrong_usage_is_told(folder: Path) -> None:
    picture, clip = str(folder / "head.png"), str(folder / "jaw.safetensors")
    assert main(["video", picture, clip, "-o", str(folder / "x.avi")]) == 2
    assert main(["video", picture, clip, "-o", str(folder / "x.mp4"), "--size", "300"]) == 2
