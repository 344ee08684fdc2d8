"""The command line as a person uses it: exit codes, one-line failures, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backend.cli import main
from backend.demo import DEMO_VOICE
from blender_addon.protocol.arkit import ARKIT_INDEX, LIP_SHAPES
from blender_addon.protocol.clip import ClipInfo, expression_clip, read_clip, write_clip
from blender_addon.protocol.tensorfile import read_tensors, write_tensors
from models.face import load_head

RATE = 16_000


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module")
def voice_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("voice") / "voice.safetensors"
    assert run("animate", DEMO_VOICE, "-o", out) == 0
    return out


def test_animate_a_real_voice(voice_clip: Path) -> None:
    clip = read_clip(voice_clip)
    assert clip.frames == 178  # 7.1 s at 25 fps, rounded up
    assert clip.weights.min() >= 0
    assert clip.weights.max() <= 1
    assert clip.weights[:, ARKIT_INDEX["jawOpen"]].max() > 0.15
    assert clip.lip.shape == (178, len(load_head().lip_basis))
    assert clip.pose.shape == (178, 6)
    assert clip.gaze.shape == (178, 4)
    assert set(clip.layers) == {"speech", "brows", "blink", "gaze", "breath"}
    assert (voice_clip.parent / clip.info.audio_path).resolve() == DEMO_VOICE.resolve()
    assert {model.licence for model in clip.info.models} == {"CC0-1.0"}
    assert len(clip.info.models) == 3


def test_animate_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(RATE // 5, np.float32), RATE)
    out = tmp_path / "x.safetensors"
    for options, said in ((), "degrees"), (("--no-head",), "the head stays still"):
        assert run("animate", tmp_path / "x.wav", "-o", out, *options) == 0
        printed = capsys.readouterr()
        assert said in printed.out
        assert printed.err == ""
    assert read_clip(out).pose.shape == (0, 6)


def test_silence_is_a_resting_face_that_lives(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(RATE * 3, np.float32), RATE)
    assert run("animate", tmp_path / "x.wav", "-o", tmp_path / "x.safetensors") == 0
    clip = read_clip(tmp_path / "x.safetensors")
    assert clip.weights[:, LIP_SHAPES].max() < 0.1
    assert clip.layers["speech"]["weights"].max() < 0.03
    assert clip.layers["gaze"]["weights"].max() > 0
    assert np.degrees(np.abs(clip.pose[:, :3]).max()) < 10


@pytest.mark.parametrize(("fps", "rate"), [("30000/1001", 29.97003), ("23.976", 23.976), ("60", 60.0)])
def test_rates(tmp_path: Path, fps: str, rate: float) -> None:
    out = tmp_path / "x.safetensors"
    assert run("animate", DEMO_VOICE, "-o", out, "--fps", fps) == 0
    clip = read_clip(out)
    assert clip.info.fps == pytest.approx(rate, abs=1e-5)
    assert 7.1 <= clip.duration < 7.1 + 1 / rate + 1e-6


def bad_sound(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.wav"
    tone = np.full(RATE, 0.1, np.float32)
    match kind:
        case "empty":
            path.touch()
        case "text":
            path.write_text("hello\n" * 300)
        case "truncated":
            soundfile.write(path, tone, RATE)
            path.write_bytes(path.read_bytes()[:5000])
        case "nan":
            tone[50] = np.nan
            soundfile.write(path, tone, RATE, subtype="FLOAT")
    return path


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated", "nan"])
def test_bad_sounds(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    sound = bad_sound(tmp_path, kind)
    before = sorted(tmp_path.iterdir())
    assert run("animate", sound, "-o", tmp_path / "out.safetensors") == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert str(sound) in printed.err
    assert "Traceback" not in printed.err
    assert sorted(tmp_path.iterdir()) == before


def test_bad_outputs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sound = tmp_path / "voice.flac"
    sound.write_bytes(DEMO_VOICE.read_bytes())
    assert run("animate", sound, "-o", tmp_path / "no" / "x.safetensors") == 1
    (tmp_path / "folder.safetensors").mkdir()
    assert run("animate", sound, "-o", tmp_path / "folder.safetensors") == 1
    same = tmp_path / "same.safetensors"
    same.write_bytes(sound.read_bytes())
    assert run("animate", same, "-o", same) == 1
    assert same.read_bytes() == DEMO_VOICE.read_bytes()
    assert len(capfd.readouterr().err.splitlines()) == 3


def test_bad_clips(tmp_path: Path, voice_clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = read_tensors(voice_clip)
    other_shapes = tmp_path / "shapes.safetensors"
    write_tensors(other_shapes, {**content.tensors, "weights": np.zeros((9, 51), "f4")}, content.metadata)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(voice_clip.read_bytes()[:-100])
    for clip in (other_shapes, cut, tmp_path / "none.safetensors", DEMO_VOICE):
        for ending in ("csv", "mp4"):
            assert run("export", clip, tmp_path / f"out.{ending}") == 1
            err = capfd.readouterr().err
            assert len(err.splitlines()) == 1
            assert str(clip) in err
    assert not list(tmp_path.glob("out*"))


def test_export_needs_the_sound(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clip = expression_clip(ClipInfo(fps=25, audio_path="gone.wav"), np.zeros((3, 52)), np.zeros((3, 2)))
    write_clip(tmp_path / "c.safetensors", clip)
    assert run("export", tmp_path / "c.safetensors", tmp_path / "c.mp4") == 1
    assert "--audio" in capfd.readouterr().err
    assert run("export", tmp_path / "c.safetensors", tmp_path / "c.mp4", "--silent") == 0
    assert (tmp_path / "c.mp4").stat().st_size > 1000


def test_an_export_never_replaces_its_own_source(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clip, video = tmp_path / "talk.safetensors", tmp_path / "talk.mp4"
    write_clip(
        clip, expression_clip(ClipInfo(fps=25, audio_path="talk.mp4"), np.zeros((3, 52)), np.zeros((3, 2)))
    )
    video.write_bytes(b"the only copy of an interview")
    for arguments in ((clip, video), (clip, video, "--audio", video)):
        assert run("export", *arguments) == 1
        assert "is the input itself" in capfd.readouterr().err
    assert video.read_bytes() == b"the only copy of an interview"


def test_wrong_usage_is_exit_2() -> None:
    assert run("animate") == 2
    assert run("animate", DEMO_VOICE, "-o", "x.safetensors", "--fps", "fast") == 2
    assert run("animate", DEMO_VOICE, "-o", "x.safetensors", "--fps", "0") == 2
    assert run("animate", DEMO_VOICE, "-o", "notes.txt") == 2
    assert run("export", "a.safetensors", "b.docx") == 2
    assert run("sing") == 2
    assert run("--help") == 0


def test_strange_devices_and_short_sounds(
    tmp_path: Path, voice_clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("animate", DEMO_VOICE, "-o", tmp_path / "x.safetensors", "--device", "abacus") == 1
    soundfile.write(tmp_path / "short.wav", np.zeros(RATE * 2, np.float32), RATE)
    assert run("export", voice_clip, tmp_path / "x.mp4", "--audio", tmp_path / "short.wav") == 1
    assert len(capfd.readouterr().err.splitlines()) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["short.wav"]


def test_doctor_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "--json") == 0
    report = json.loads(capfd.readouterr().out)
    assert report["ok"] is True
    assert all(set(check) == {"name", "ok", "detail", "hint"} for check in report["checks"])
    assert all(check["hint"] for check in report["checks"] if not check["ok"])


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits and signals")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from backend.cli import main;"
        f"raise SystemExit(main(['animate', {str(DEMO_VOICE)!r}, '-o', {str(out)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot write" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits and signals")
def test_ctrl_c_stops_at_once_and_leaves_nothing(tmp_path: Path, voice_clip: Path) -> None:
    clip = tmp_path / "long.safetensors"
    frames = 20_000
    write_clip(clip, expression_clip(ClipInfo(fps=25), np.zeros((frames, 52)), np.zeros((frames, 2))))
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-m", "backend.cli", "export", str(clip), str(out / "x.mp4"), "--silent"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(out.glob(".x-*.mp4")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2.0)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        assert process.wait(10) == 130
        assert time.monotonic() - asked < 1.5
    assert list(out.iterdir()) == []
