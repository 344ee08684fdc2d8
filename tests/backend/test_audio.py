"""Decoding: every usual format gives the same sound, every damage one clear line."""

from __future__ import annotations

import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from backend.media.audio import AudioSpan, convert_samples, decode_audio, probe_audio, read_audio
from backend.media.extract import extract_sound, has_pictures
from blender_addon.protocol.clip import frame_count
from blender_addon.protocol.errors import InputError, MediaError

RATE = 16_000


def chirp(rate: int, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 * t + 900 * t * t))).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_rates_and_sample_formats(tmp_path: Path, rate: int, subtype: str) -> None:
    soundfile.write(tmp_path / "x.wav", chirp(rate), rate, subtype=subtype)
    decoded = read_audio(tmp_path / "x.wav")
    assert abs(len(decoded) - RATE) <= 2
    middle = slice(2000, 14_000)
    ratio = Fraction(RATE, rate)
    expected = resample_poly(chirp(rate).astype(float), ratio.numerator, ratio.denominator)
    error = decoded[middle] - expected[middle]
    assert np.sqrt(np.mean(error**2)) < (0.02 if subtype == "PCM_U8" or rate == 8_000 else 0.01)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_mixed_to_mono(tmp_path: Path, channels: int) -> None:
    same = np.repeat(chirp(48_000)[:, None], channels, axis=1)
    soundfile.write(tmp_path / "x.wav", same, 48_000)
    decoded = read_audio(tmp_path / "x.wav")
    reference = resample_poly(chirp(48_000), 1, 3)
    assert np.corrcoef(decoded[:15_000], reference[:15_000])[0, 1] > 0.999
    # Six equal channels are the worst case: FFmpeg adds centre and surrounds to the front pair.
    assert 0.9 < decoded.std() / reference.std() < 3.5


def write_movie(path: Path, sound: np.ndarray, delay: float = 0.0) -> None:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 32
        audio = container.add_stream(
            "pcm_s16le" if path.suffix == ".mkv" else "aac", rate=RATE, layout="mono"
        )
        for _ in range(25):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        frame = av.AudioFrame.from_ndarray((sound * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, round(delay * RATE), Fraction(1, RATE)
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
        container.mux(video.encode(None))


def test_a_video_gives_its_sound(tmp_path: Path) -> None:
    write_movie(tmp_path / "x.mp4", chirp(RATE))
    decoded = read_audio(tmp_path / "x.mp4")
    assert np.corrcoef(decoded[2000:14_000], chirp(RATE)[2000:14_000])[0, 1] > 0.99


def test_the_sound_of_a_video_can_be_taken_out(tmp_path: Path) -> None:
    write_movie(tmp_path / "x.mkv", chirp(RATE))
    assert has_pictures(tmp_path / "x.mkv")
    extract_sound(tmp_path / "x.mkv", tmp_path / "x.flac")
    assert not has_pictures(tmp_path / "x.flac")
    np.testing.assert_allclose(read_audio(tmp_path / "x.flac"), read_audio(tmp_path / "x.mkv"), atol=1e-4)


def test_a_late_track_begins_with_silence(tmp_path: Path) -> None:
    write_movie(tmp_path / "x.mkv", chirp(RATE), delay=0.5)
    decoded = read_audio(tmp_path / "x.mkv")
    assert not decoded[: RATE // 2 - 100].any()
    np.testing.assert_allclose(decoded[RATE // 2 + 1000 :][:5000], chirp(RATE)[1000:6000], atol=2e-3)


def test_spans_cut_and_speed_as_a_strip_does(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", chirp(RATE, 3), RATE, subtype="FLOAT")
    whole = read_audio(tmp_path / "x.wav")
    part = read_audio(tmp_path / "x.wav", AudioSpan(start=1.0, duration=0.5))
    np.testing.assert_array_equal(part, whole[RATE : RATE + RATE // 2])
    fast = read_audio(tmp_path / "x.wav", AudioSpan(start=0.2, duration=1.0, speed=2.0))
    assert len(fast) == RATE // 2
    expected = resample_poly(whole.astype(float), 1, 2)[RATE // 10 :][: RATE // 2]
    assert np.abs(fast - expected)[100:-100].max() < 0.02


def test_samples_and_files_give_the_same(tmp_path: Path) -> None:
    stereo = np.stack([chirp(44_100, 2.5), chirp(44_100, 2.5)], axis=1)
    soundfile.write(tmp_path / "x.wav", stereo, 44_100, subtype="FLOAT")
    sent = np.concatenate(list(convert_samples(stereo, 44_100)))
    np.testing.assert_allclose(sent, read_audio(tmp_path / "x.wav"), atol=1e-5)


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 24 / 1.001, 30 / 1.001, 60.0])
@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_a_strip_of_n_frames_gives_n_frames(fps: float, speed: float) -> None:
    sound = np.zeros(RATE * 12, np.float32)
    for frames in range(1, 190, 3):
        span = AudioSpan(duration=frames * speed / fps, speed=speed)
        samples = sum(map(len, convert_samples(sound, RATE, span)))
        assert frame_count(samples / RATE, fps) == frames


def test_integer_samples_have_their_own_full_scale() -> None:
    whole = np.concatenate(list(convert_samples((chirp(RATE) * 32767).astype(np.int16), RATE)))
    np.testing.assert_allclose(whole, chirp(RATE), atol=1e-3)


def test_a_change_of_channels_in_mid_stream(tmp_path: Path) -> None:
    for name, channels in (("a", 1), ("b", 2)):
        with av.open(str(tmp_path / f"{name}.ts"), "w") as container:
            stream = container.add_stream("mp2", rate=48_000, layout="mono" if channels == 1 else "stereo")
            sound = np.repeat((chirp(48_000) * 32767).astype(np.int16), channels)[None]
            frame = av.AudioFrame.from_ndarray(sound, "s16", stream.layout.name)
            frame.sample_rate = 48_000
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    path = tmp_path / "both.ts"
    path.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    assert len(read_audio(path)) == pytest.approx(2 * RATE, rel=0.08)


def test_blocks_stay_small(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.flac", np.zeros(RATE * 60, np.float32), RATE)
    sizes = [len(block) for block in decode_audio(tmp_path / "x.flac")]
    assert sum(sizes) == RATE * 60
    assert max(sizes) <= RATE * 5


def bad_file(folder: Path, kind: str) -> Path:
    path = folder / "bad.wav"
    match kind:
        case "missing":
            pass
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "text":
            path.write_text("Dear sir or madam,\nthis is not a sound.\n" * 50)
        case "truncated":
            soundfile.write(path, chirp(RATE), RATE)
            path.write_bytes(path.read_bytes()[:9000])
        case "truncated flac":
            path = folder / "bad.flac"
            soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, RATE * 4), RATE)
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "header only":
            soundfile.write(path, np.zeros(0, np.float32), RATE)
        case "nan":
            sound = chirp(RATE)
            sound[8000] = np.nan
            soundfile.write(path, sound, RATE, subtype="FLOAT")
        case "3 Hz":
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, 3, 0, "NONE", ""))
                file.writeframes(struct.pack("<30h", *range(30)))
        case "picture":
            path = folder / "bad.mkv"
            with av.open(str(path), "w") as container:
                video = container.add_stream("libx264", rate=25)
                video.width = video.height = 32
                container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
                container.mux(video.encode(None))
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "there is no file"),
        ("empty", "is empty"),
        ("folder", "is a folder"),
        ("text", "is not a sound or video file"),
        ("truncated", "cut short"),
        ("truncated flac", "cut short|damaged"),
        ("header only", "no sound"),
        ("nan", "not numbers"),
        ("3 Hz", "too low for speech"),
        ("picture", "no sound track"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, kind: str, words: str) -> None:
    path = bad_file(tmp_path, kind)
    with pytest.raises(InputError, match=words) as caught:
        list(decode_audio(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_spans_and_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", chirp(RATE), RATE)
    with pytest.raises(MediaError, match="after 5 s"):
        list(decode_audio(tmp_path / "x.wav", AudioSpan(start=5)))
    for wrong in ({"start": -1}, {"duration": 0}, {"speed": 0}, {"start": float("nan")}):
        with pytest.raises(InputError):
            AudioSpan(**wrong)
    with pytest.raises(MediaError, match="not numbers"):
        list(convert_samples(np.full(100, np.inf, np.float32), RATE))
    with pytest.raises(MediaError, match="uint8"):
        list(convert_samples(np.zeros(100, np.uint8), RATE))
    with pytest.raises(MediaError, match="no sound"):
        list(convert_samples(np.zeros(0, np.float32), RATE))


def test_probe(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", chirp(22_050), 22_050)
    info = probe_audio(tmp_path / "x.wav")
    assert (info.sample_rate, info.channels) == (22_050, 1)
    assert info.duration == pytest.approx(1.0)
