"""The prior's motion with its sound as motion clips, the format that tracked videos come in as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.clip import ClipInfo, MotionClip, expression_clip, write_clip
from blender_addon.protocol.controls import ExpressionControls, HeadControls, PoseStyle, controls_to_json
from blender_addon.protocol.tensorfile import Array, output_error
from models.audio.mel import SAMPLE_RATE

from ..corpus.store import Utterance
from ..dataset import KNOWN_LAYER
from ..phones import Phones
from ..scenes import Pool
from .events import POSE_RATE, speech_events
from .prior import sample_motion
from .speaker import sample_style
from .speech import long_recording

Generator = np.random.Generator
CLIP_SECONDS = 60.0
_FULL_SCALE = 32767.0


def render_clips(
    folder: Path, speech: Pool | Sequence[Utterance], minutes: float, rng: Generator
) -> list[Path]:
    """Write clips of up to a minute, each `folder/000000.safetensors` beside `folder/000000.wav`.

    Of a clip the pose is known and, through its phones, what is said; its weights and contacts are not known.
    The style is in the header's controls.

    Raises:
        OutputError: something cannot be written.
    """
    paths: list[Path] = []
    left = minutes * 60.0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while left > 0.5:
            paths.append(_write(folder / f"{len(paths):06d}", speech, min(left, CLIP_SECONDS), rng))
            left -= CLIP_SECONDS
    except OSError as error:
        raise output_error(folder, error) from error
    return paths


def _write(stem: Path, speech: Pool | Sequence[Utterance], seconds: float, rng: Generator) -> Path:
    recording, style = long_recording(speech, seconds, rng), sample_style(rng)
    pose = sample_motion(speech_events(recording.samples, recording.phones), style, rng)
    sound, path = stem.with_suffix(".wav"), stem.with_suffix(".safetensors")
    samples = np.clip(recording.samples, -1.0, 1.0)
    wavfile.write(sound, SAMPLE_RATE, np.rint(samples * _FULL_SCALE).astype(np.int16))
    write_clip(path, pose_clip(pose, sound.name, recording.phones, style))
    return path


def pose_clip(pose: Array, sound: str, phones: Phones, style: PoseStyle) -> MotionClip:
    """A clip at 25 per second of which `pose` [T, 6] is known, beside the file `sound`."""
    frames, controls = len(pose), ExpressionControls(head=HeadControls(style=style))
    info = ClipInfo(
        fps=float(POSE_RATE),
        audio_path=sound,
        controls=controls_to_json(controls),
        phonemes=tuple(zip(phones.start.tolist(), phones.end.tolist(), phones.names, strict=True)),
    )
    weights = np.zeros((frames, len(ARKIT_NAMES)), np.float32)
    clip = expression_clip(info, weights, np.zeros((frames, 2)))
    known = {"weights": weights, "contact": clip.contact}
    return replace(clip, pose=np.asarray(pose, np.float32), layers={KNOWN_LAYER: known})
