"""Batches of scenes: features as the product hears them, and the motion that goes with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from blender_addon.protocol.arkit import LIP_SHAPES, OTHER_SHAPES
from blender_addon.protocol.controls import STYLE_NAMES, MotionStyle
from blender_addon.protocol.tensorfile import Array
from models.audio.features import FeatureSource, LogMel
from models.audio.level import normalise, running_level
from models.audio.mel import HOP, WINDOW, log_mel, power_spectrum
from models.expression.network import FRAME_RATE
from models.expression.noise import NOISE_CHANNELS, noise_track

from .articulation import AVERAGE_STYLE, class_at, contacts, spoken_weights
from .augment import WARPS, augment, mask_bands
from .bank import SceneBank
from .motion import with_known
from .mouths import Mouth, contact_offsets, training_mouths
from .other import other_targets
from .phones import CLASS_INDEX, SILENCE
from .scenes import Pool, Scene, SceneMix, make_scene

Generator = np.random.Generator
_AVERAGE_SHARE, _STYLE_SPREAD = 0.3, 0.5  # scenes in the average style; deviation of the others' styles
_LARGEST_SEED = 2**31
LOG_MEL = LogMel()
_SILENT = CLASS_INDEX[SILENCE]
UNKNOWN_PHONE = -100  # the class that cross entropy leaves out


@dataclass(frozen=True)
class BatchConfig:
    """Scenes per batch, their length in frames at 50 per second, what they are made of, and for how many
    frames of each the contact is solved."""

    scenes: int = 6
    frames: int = 256
    solved: int = 6
    mix: SceneMix = field(default_factory=SceneMix)


@dataclass(frozen=True)
class Targets:
    """One scene's motion: see `Batch`, without its first axis."""

    style: Array
    noise: Array
    weights: Array
    contacts: Array
    phones: Array
    knows_weights: Array
    knows_contacts: Array
    solved: Array
    offsets: Array
    motion: Array


@dataclass(frozen=True)
class Batch:
    """Attributes:
    features: [B, per_frame * F, width] of the source.
    style: [B, STYLE_SIZE]; noise: [B, F, NOISE_CHANNELS].
    weights: [B, F, 52] 0-1; contacts: [B, F, 2] 0-1; `knows_weights`, `knows_contacts`: bool, where they
        have a meaning.
    phones: [B, F] i64 class, UNKNOWN_PHONE where not known.
    solved: [B, n] i64 frames whose contact is solved; offsets: [B, n, CANONICAL_OFFSETS] what it gives.
    motion: [B, 29, CANONICAL_OFFSETS] how the lip shapes move the scene's mouth.
    """

    features: Tensor
    style: Tensor
    noise: Tensor
    weights: Tensor
    contacts: Tensor
    phones: Tensor
    knows_weights: Tensor
    knows_contacts: Tensor
    solved: Tensor
    offsets: Tensor
    motion: Tensor

    @property
    def lip(self) -> Tensor:
        """[B, F, 29] weights of the lip branch."""
        return self.weights[..., LIP_SHAPES]

    @property
    def other(self) -> Tensor:
        """[B, F, 23] weights of the other branch."""
        return self.weights[..., OTHER_SHAPES]


@dataclass(frozen=True)
class PhoneBatch:
    """Only what the encoder learns from: features [B, per_frame * F, width] and phones [B, F] i64."""

    features: Tensor
    phones: Tensor


def hearing_scene(
    pool: Pool, config: BatchConfig, source: FeatureSource, rng: Generator
) -> tuple[Array, Array]:
    """A random scene as in `make_batch`, not masked yet: [per_frame * F, width] features, [F] phones."""
    scene = make_scene(pool, config.frames / FRAME_RATE, config.mix, rng)
    times = np.arange(config.frames) / FRAME_RATE
    return _heard([scene], config, rng, source)[0], known_phones(scene, class_at(scene.phones, times))


def make_phone_batch(
    bank: SceneBank, config: BatchConfig, rng: Generator, source: FeatureSource = LOG_MEL
) -> PhoneBatch:
    """Random scenes of `bank`, without the mouths that say them."""
    heard = [bank[number] for number in rng.choice(len(bank), config.scenes, replace=False).tolist()]
    features = torch.from_numpy(np.stack([features for features, _ in heard]))
    phones = torch.from_numpy(np.stack([phones for _, phones in heard]))
    return PhoneBatch(masked(features, rng, source), phones)


def make_batch(pool: Pool, config: BatchConfig, rng: Generator, source: FeatureSource = LOG_MEL) -> Batch:
    """Random scenes, each recorded by a random microphone in a random room, spoken by a random person."""
    scenes, features = _heard_scenes(pool, config, rng, source)
    targets = [make_targets(scene, config, rng) for scene in scenes]
    columns = {
        name: torch.from_numpy(np.stack([getattr(one, name) for one in targets]))
        for name in Targets.__dataclass_fields__
    }
    return Batch(features=features, **columns)


def _heard_scenes(
    pool: Pool, config: BatchConfig, rng: Generator, source: FeatureSource
) -> tuple[list[Scene], Tensor]:
    """Scenes and [B, per_frame * F, width] what is heard of them."""
    scenes = [make_scene(pool, config.frames / FRAME_RATE, config.mix, rng) for _ in range(config.scenes)]
    return scenes, masked(torch.from_numpy(_heard(scenes, config, rng, source)), rng, source)


def _heard(scenes: list[Scene], config: BatchConfig, rng: Generator, source: FeatureSource) -> Array:
    """Microphones and rooms work on log-mel power; other sources hear the scenes as they are."""
    sounds = [torch.from_numpy(scene.samples) for scene in scenes]
    if not isinstance(source, LogMel):
        whole: Array = source.whole(torch.stack(sounds))[:, : source.per_frame * config.frames].numpy()
        return whole
    return with_level(torch.stack([hear(sound, rng) for sound in sounds]))


def masked(features: Tensor, rng: Generator, source: FeatureSource) -> Tensor:
    """[B, T, width] features of which, where they are mel bands, some bands and moments are hidden."""
    if not isinstance(source, LogMel):
        return features
    return torch.stack([mask_bands(one, rng) for one in features])


def make_targets(scene: Scene, config: BatchConfig, rng: Generator) -> Targets:
    """What a random person does who says `scene`."""
    times = np.arange(config.frames) / FRAME_RATE
    recorded, spoken = scene.motion, scene.spoken[:, None]
    style, mouth = sample_style(rng), _person(rng)
    if recorded.knows_weights.any():
        style = AVERAGE_STYLE
    noise = noise_track(int(rng.integers(_LARGEST_SEED)), 0, config.frames, NOISE_CHANNELS)
    kind = class_at(scene.phones, times)
    derived = spoken_weights(scene.phones, times, style)
    derived[:, OTHER_SHAPES] = other_targets(scene.voice, noise, (kind != _SILENT).astype(np.float32))
    weights = with_known(derived, recorded.weights, recorded.knows_weights)
    contact = with_known(contacts(scene.phones, times), recorded.contact, recorded.knows_contact)
    solved = _frames_to_solve(contact, config.solved, rng)
    return Targets(
        style=np.concatenate([style.vector(), mouth.geometry]).astype(np.float32),
        noise=noise,
        weights=weights,
        contacts=contact,
        phones=known_phones(scene, kind),
        knows_weights=spoken | recorded.knows_weights,
        knows_contacts=spoken | recorded.knows_contact,
        solved=solved,
        offsets=contact_offsets(mouth, weights, contact, solved),
        motion=mouth.motion,
    )


def known_phones(scene: Scene, kind: Array) -> Array:
    """[F] i64 phone classes `kind`, UNKNOWN_PHONE where nobody says what is spoken."""
    return np.where(scene.spoken, kind, UNKNOWN_PHONE)


def sample_style(rng: Generator) -> MotionStyle:
    """A random manner of speaking, often the average one."""
    if rng.random() < _AVERAGE_SHARE:
        return MotionStyle()
    drawn = np.clip(rng.normal(0.0, _STYLE_SPREAD, len(STYLE_NAMES)), -1.0, 1.0)
    return MotionStyle(*drawn.tolist())


def _person(rng: Generator) -> Mouth:
    mouths = training_mouths()
    return mouths[int(rng.integers(len(mouths)))]


def _frames_to_solve(contact: Array, count: int, rng: Generator) -> Array:
    """[count] frames in order, contacts more often than others."""
    share = 0.3 + contact.max(1)
    return np.sort(rng.choice(len(contact), count, replace=False, p=share / share.sum()))


def hear(samples: Tensor, rng: Generator) -> Tensor:
    """[n] samples -> [T, MELS] log-mel bands of the augmented sound."""
    padded = torch.nn.functional.pad(samples, (WINDOW // 2, WINDOW // 2 - HOP))
    power = augment(power_spectrum(padded), rng)
    return log_mel(power.float(), WARPS[int(rng.integers(len(WARPS)))])


def with_level(bands: Tensor) -> Array:
    """[B, T, MELS] log-mel bands -> [B, T, MELS] features, as a stream would make them."""
    values = bands.numpy()
    return normalise(values, running_level(values.mean(-1).astype(np.float64)))
