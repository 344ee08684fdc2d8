"""What head motion is learned from: a bank on disk of scenes, each a sound that is heard and heads that move.

A bank is made once, from the synthetic prior on corpus speech or from tracked clips with their sounds, and
then only read: windows of it are the batches of codebook, mapper and baselines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.clip import POSE_CODE_STRIDE, read_clip
from blender_addon.protocol.controls import POSE_STYLE_NAMES, PoseStyle
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.tensorfile import Array, atomic_path, output_error
from models.audio.mel import SAMPLE_RATE
from models.pose.hearing import HEARD, SILENT, heard
from models.pose.network import POSE_RATE, POSE_SIZE
from models.pose.sampling import resampled

from ..channel import transmit
from ..corpus.store import Utterance, is_written, read_source
from ..dataset import ClipSound, clip_paths, sound_of
from ..scenes import Pool
from .prior import sample_motion, sample_style, speech_events
from .speech import long_recording

TRAINED, HELD = "trained", "held"
# How often each source's voices move heads, whatever its minutes; our choice.
SPEECH_SHARES = {
    "flite": 0.18,
    "festival": 0.14,
    "pico": 0.18,
    "espeak": 0.12,
    "rhvoice": 0.12,
    "russian": 0.14,
    "recorded": 0.12,
}
_HELD_OUT = 4  # every so many voices of a source are held out, of those that have that many
_HELD_CLIP = 8  # and every so many clips
_READY = "bank.json"
_QUIET_DB = (-95.0, -60.0)  # of full scale: rooms of scenes without speech; our choice
_ROOM_SHARE = 0.5  # of those scenes; the others are digital silence; our choice
_SHORTEST = 4.0  # seconds of a clip
Generator = np.random.Generator


@dataclass(frozen=True)
class BankConfig:
    """How much motion is made, and from what. All values are our choice.

    Attributes:
        scenes, held: scenes to train on, and of voices held out.
        seconds: of a scene.
        motions: heads that move to each sound, each a random speaker of a random style.
        silent: share of scenes in which nobody speaks.
        transmitted: share of scenes that are heard through rooms, codecs and noise.
    """

    scenes: int = 100
    held: int = 16
    seconds: float = 60.0
    motions: int = 4
    silent: float = 0.2
    transmitted: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.scenes, self.held, self.motions) < 1 or self.seconds < _SHORTEST:
            raise ValueError(f"a bank needs scenes of {_SHORTEST:g} s or more, got {self}")


@dataclass(frozen=True)
class Scene:
    """F frames at 25 per second, F a multiple of the codes' stride.

    Attributes:
        heard: [F, HEARD] f32, what `models.pose.hearing` says of the sound.
        poses: [K, F, 6] f32, radians and metres relative to rest: motions of K heads to the same sound.
        styles: [K, S] f32, `PoseStyle.vector` of each; 0 where nobody knows it.
    """

    heard: Array
    poses: Array
    styles: Array


@dataclass(frozen=True)
class Windows:
    """B windows of F frames, each of one head.

    Attributes:
        heard: [B, before + F + after, HEARD] f32, silence where the scene has not begun.
        poses: [B, F, 6] f32; styles: [B, S] f32.
        start: [B, 6] f32 pose before the first frame; at a scene's begin its first.
        place: [B, 3] i64 scene, head and first frame.
    """

    heard: Array
    poses: Array
    styles: Array
    start: Array
    place: Array


@dataclass(frozen=True)
class PoseBank:
    """Scenes, their arrays on disk until they are used."""

    scenes: Sequence[Scene]

    @property
    def minutes(self) -> float:
        """Of motion, all heads counted."""
        return sum(scene.poses.shape[0] * scene.poses.shape[1] for scene in self.scenes) / POSE_RATE / 60.0

    @property
    def scale(self) -> Array:
        """[6] f32 standard deviations of the axes about rest."""
        total = sum(np.square(scene.poses, dtype=np.float64).sum((0, 1)) for scene in self.scenes)
        count = sum(scene.poses.shape[0] * scene.poses.shape[1] for scene in self.scenes)
        return np.asarray(np.sqrt(total / count) + 1e-7, np.float32)

    @property
    def bend(self) -> Array:
        """[6] f32 99.9th percentile of the second differences' size, per frame squared."""
        bends = [np.abs(np.diff(scene.poses, 2, axis=1)).reshape(-1, POSE_SIZE) for scene in self.scenes]
        return np.asarray(np.percentile(np.concatenate(bends), 99.9, axis=0), np.float32)

    def draw(self, count: int, frames: int, rng: Generator, before: int = 0, after: int = 0) -> Windows:
        """Random windows of `frames`, starting at multiples of the codes' stride."""
        rows = []
        for _ in range(count):
            number = int(rng.integers(len(self.scenes)))
            poses = self.scenes[number].poses
            last = max(0, poses.shape[1] - frames - after) // POSE_CODE_STRIDE
            first = POSE_CODE_STRIDE * int(rng.integers(last + 1))
            rows.append((number, int(rng.integers(len(poses))), first))
        return self.windows(np.array(rows, np.int64), frames, before, after)

    def windows(self, place: Array, frames: int, before: int = 0, after: int = 0) -> Windows:
        """The windows at `place` [B, 3]: scene, head, first frame."""
        sounds, poses, styles, starts = [], [], [], []
        for number, head, first in place:
            scene = self.scenes[number]
            sounds.append(_span(scene.heard, first - before, first + frames + after))
            poses.append(_held(scene.poses[head], first, first + frames))
            styles.append(scene.styles[head])
            starts.append(scene.poses[head, max(0, first - 1)])
        return Windows(np.stack(sounds), np.stack(poses), np.stack(styles), np.stack(starts), place)


def _span(heard: Array, begin: int, end: int) -> Array:
    """Rows `begin` to `end`, silence outside."""
    inside = np.asarray(heard[max(0, begin) : end])
    front = np.tile(SILENT, (max(0, -begin), 1))
    back = np.tile(SILENT, (end - begin - len(front) - len(inside), 1))
    return np.asarray(np.concatenate([front, inside, back]), np.float32)


def _held(poses: Array, begin: int, end: int) -> Array:
    """Rows `begin` to `end`; past the last one it stays."""
    return np.asarray(poses[np.minimum(np.arange(begin, end), len(poses) - 1)])


def pose_bank(folder: Path, corpus: Path, config: BankConfig, clips: Path | None = None) -> None:
    """Make the bank in `folder` unless it is there.

    Args:
        corpus: of `build_corpus`; its speech moves heads by the synthetic prior.
        clips: tracked motion clips with their sounds, instead of the prior.

    Raises:
        InputError: there is no speech, or no clip has head motion; or the bank there is another one.
    """
    about = {"clips": clips is not None, **asdict(config)}
    if (folder / _READY).exists():
        if json.loads((folder / _READY).read_text()) != about:
            raise InputError(
                f"{folder} holds a bank of other settings", "Choose another folder, or delete it"
            )
        return
    if clips is None:
        trained, held = voices_apart(corpus)
        parts = {
            TRAINED: prior_scenes(trained, config, config.scenes, np.random.default_rng([config.seed, 0])),
            HELD: prior_scenes(held, config, config.held, np.random.default_rng([config.seed, 1])),
        }
    else:
        scenes = list(clip_scenes(clips))
        held_clips = scenes[_HELD_CLIP - 1 :: _HELD_CLIP] or scenes[-1:]
        parts = {TRAINED: iter(scenes), HELD: iter(held_clips)}
        if len(scenes) > 1:
            kept = {id(scene) for scene in held_clips}
            parts[TRAINED] = iter([scene for scene in scenes if id(scene) not in kept])
    for name, part in parts.items():
        _write(folder / name, part)
    with atomic_path(folder / _READY) as path:
        path.write_text(json.dumps(about))


def _write(folder: Path, scenes: Iterable[Scene]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, scene in enumerate(scenes):
            for name in ("heard", "poses", "styles"):
                np.save(folder / f"{number:05d}.{name}.npy", np.asarray(getattr(scene, name), np.float32))
    except OSError as error:
        raise output_error(folder, error) from error


def read_bank(folder: Path, part: str) -> PoseBank:
    """The scenes of `part`, `TRAINED` or `HELD`. Raises `InputError` or `FileFormatError`."""
    paths = sorted((folder / part).glob("*.heard.npy"))
    if not paths:
        raise InputError(f"{folder} is no pose bank", "Give a folder that a pose training has made")
    try:
        return PoseBank([_read(path) for path in paths])
    except (OSError, ValueError) as error:
        raise FileFormatError(f"the pose bank {folder} is damaged: {error}", "Delete it") from error


def _read(path: Path) -> Scene:
    arrays = {
        name: np.load(path.with_name(path.name.replace("heard", name)), mmap_mode="r", allow_pickle=False)
        for name in ("heard", "poses", "styles")
    }
    heads, frames = arrays["poses"].shape[:2]
    shapes = {"heard": (frames, HEARD), "poses": (heads, frames, POSE_SIZE)}
    shapes["styles"] = (heads, len(POSE_STYLE_NAMES))
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{path.name}: {name} has shape {arrays[name].shape}, expected {shape}")
    return Scene(**arrays)


def voices_apart(corpus: Path) -> tuple[Pool, Pool]:
    """The corpus's speech to train on, and that of voices held out: every fourth one of a source."""
    trained: list[tuple[list[Utterance], float]] = []
    held: list[tuple[list[Utterance], float]] = []
    for name in (one for one in SPEECH_SHARES if is_written(corpus, one)):
        utterances = read_source(corpus, name)
        apart = set(sorted({one.voice for one in utterances})[_HELD_OUT - 1 :: _HELD_OUT])
        for part, inside in ((trained, False), (held, True)):
            some = [one for one in utterances if (one.voice in apart) == inside]
            if some:
                part.append((some, SPEECH_SHARES[name]))
    if not trained or not held:
        raise InputError(f"{corpus} has too few voices", "Render a corpus with: vividtalk train corpus")
    return _pool(trained), _pool(held)


def _pool(parts: list[tuple[list[Utterance], float]]) -> Pool:
    total = sum(share for _, share in parts)
    return Pool(tuple(some for some, _ in parts), tuple(share / total for _, share in parts))


def prior_scenes(pool: Pool, config: BankConfig, count: int, rng: Generator) -> Iterator[Scene]:
    """`count` scenes of random voices, whose heads move as the synthetic prior says."""
    for _ in range(count):
        silent = rng.random() < config.silent
        if silent:
            level = 10.0 ** (rng.uniform(*_QUIET_DB) / 20.0) * float(rng.random() < _ROOM_SHARE)
            sound = np.asarray(level * rng.standard_normal(int(config.seconds * SAMPLE_RATE)), np.float32)
            events = speech_events(np.zeros_like(sound))
        else:
            recording = long_recording(pool, config.seconds, rng)
            sound, events = recording.samples, speech_events(recording.samples, recording.phones)
        if rng.random() < config.transmitted:
            sound = transmit(sound, rng)
        frames = events.frames // POSE_CODE_STRIDE * POSE_CODE_STRIDE
        styles = [sample_style(rng) for _ in range(config.motions)]
        poses = np.stack([sample_motion(events, style, rng)[:frames] for style in styles])
        yield Scene(heard(sound, frames), poses, np.stack([style.vector() for style in styles]))


def clip_scenes(folder: Path) -> Iterator[Scene]:
    """One scene of each motion clip in `folder` that has a head's motion and names its sound.

    A tracker's rest is arbitrary, so that each clip is taken relative to its median pose; its style is taken
    for average.

    Raises:
        InputError: there is none, or a sound cannot be read.
        FileFormatError: a clip is damaged.
    """
    found = 0
    for path in clip_paths(folder):
        clip = read_clip(path)
        if len(clip.pose) and clip.info.audio_path and clip.duration >= _SHORTEST:
            found += 1
            info = clip.info
            place = path.parent / info.audio_path
            sound = sound_of(ClipSound(place, info.audio_offset, info.audio_duration, info.audio_speed))
            yield _clip_scene(clip.pose - np.median(clip.pose, axis=0), info.fps, sound)
    if not found:
        what = f"{folder} has no motion clips of {_SHORTEST:g} s or more with head motion and a sound"
        raise InputError(what, "Give a folder of tracked clips beside their sounds")


def _clip_scene(pose: Array, fps: float, sound: Array) -> Scene:
    frames = int(len(pose) / fps * POSE_RATE) // POSE_CODE_STRIDE * POSE_CODE_STRIDE
    moved = resampled(pose, fps, POSE_RATE)[:frames]
    return Scene(heard(sound, len(moved)), moved[None], PoseStyle().vector()[None])
