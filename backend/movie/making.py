"""`vividtalk video`: from a portrait or a video, and a sound or a clip, to a movie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backend.media.audio import AudioSpan, probe_audio
from backend.media.clip_sound import find_audio
from backend.media.picture import FORMATS
from backend.media.video import Sound
from blender_addon.protocol.clip import MotionClip, read_clip
from blender_addon.protocol.controls import ExpressionControls
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.render import CACHE_BYTES, LONGEST, FrameNotice
from blender_addon.protocol.tensorfile import input_error
from models.portrait.fit import PortraitFit
from models.video.motion import FrameMotion

from .cache import FrameCache
from .driving import motions_of
from .movie import Take, make_take, render_movie, stream_movie
from .portrait import Portrait, PortraitOrder, open_portrait
from .sound import sound_of_file
from .voice import Voice, spoken

CLIP_SUFFIX = ".safetensors"
DEFAULT_FPS = 25.0


@dataclass(frozen=True)
class Settings:
    """How a movie is to be made; see the options of `vividtalk video`. `fps` None: the clip's, or 25."""

    size: int = 512
    longest: int = LONGEST
    renderer: str = "warp"
    fps: float | None = None
    seed: int = 0
    relative: bool = True
    fit: Path | None = None
    choose: int = 0
    audio: Path | None = None
    silent: bool = False
    cache: Path | None = None
    cache_bytes: int = CACHE_BYTES
    device: str = "auto"
    head: bool = True
    controls: ExpressionControls = field(default_factory=ExpressionControls)


@dataclass(frozen=True)
class MovieReport:
    """What was made. `notes` are lines for the user."""

    frames: int
    rendered: int
    fps: float
    width: int
    height: int
    notes: tuple[str, ...]


OnFrame = Callable[[FrameNotice], None]


def make_movie(source: Path, motion: Path, out: Path, settings: Settings, on_frame: OnFrame) -> MovieReport:
    """Make the picture `source` talk, or give the video `source` another voice.

    Raises:
        VividTalkError: see its children for what can fail.
    """
    if not is_picture(source):
        from .relip import relip

        return relip(source, motion, out, settings, on_frame)
    order = PortraitOrder(
        source, settings.fit, settings.size, settings.longest, settings.renderer, settings.choose
    )
    speech = read_speech(motion, settings)
    portrait = open_portrait(order)
    clip = speech.clip(portrait.fit.face)
    motions = motions_of(portrait.fit, clip, range(clip.frames), settings.relative, portrait.lips)
    take = make_take(portrait.scene, motions, clip.info.fps)
    rendered = write_take(take, out, speech.heard(clip), settings, on_frame)
    return _report(portrait, take, rendered)


def is_picture(path: Path) -> bool:
    """True when the file is a picture; everything else may be a video.

    Raises:
        InputError: it cannot be opened.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=FORMATS):
            return True
    except UnidentifiedImageError:
        return False
    except OSError as error:
        raise input_error(path, error) from error


@dataclass(frozen=True)
class Speech:
    """What a portrait is to say: a clip, or a voice that gives one; and the sound file of the movie."""

    source: MotionClip | Voice
    sound: Path | None

    def clip(self, face: FaceFile) -> MotionClip:
        """The motion, of a voice as a person with the features of `face` speaks."""
        return spoken(self.source, face) if isinstance(self.source, Voice) else self.source

    def heard(self, clip: MotionClip) -> Sound | None:
        """The movie's sound."""
        info = clip.info
        span = AudioSpan(info.audio_offset, clip.duration * info.audio_speed, info.audio_speed)
        return None if self.sound is None else sound_of_file(self.sound, span)


def read_speech(motion: Path, settings: Settings) -> Speech:
    """Open a sound or clip file.

    Raises:
        InputError, MediaError: a file cannot be used.
    """
    if motion.suffix.lower() != CLIP_SUFFIX:
        probe_audio(motion)
        fps = DEFAULT_FPS if settings.fps is None else settings.fps
        voice = Voice(motion, fps, settings.seed, settings.controls, settings.device, settings.head)
        return Speech(voice, None if settings.silent else motion)
    clip = read_clip(motion)
    if settings.fps not in (None, clip.info.fps):
        raise InputError(f"{motion} has {clip.info.fps:g} frames per second", "Leave --fps out")
    if settings.silent:
        return Speech(clip, None)
    return Speech(clip, settings.audio or find_audio(clip.info, motion))


def driver(speech: Speech, frames: int) -> Callable[[PortraitFit], list[FrameMotion]]:
    """The first `frames` frames of `speech` as motion of a portrait."""

    def drive(fit: PortraitFit) -> list[FrameMotion]:
        clip = speech.clip(fit.face)
        return list(motions_of(fit, clip, range(min(frames, clip.frames)), relative=True))

    return drive


def write_take(take: Take, out: Path, sound: Sound | None, settings: Settings, on_frame: OnFrame) -> int:
    """Write the movie; how many frames had to be rendered.

    Raises:
        OutputError: it cannot be written.
    """
    if settings.cache is None:
        stream_movie(take, out, sound, on_frame)
        return len(take.keys)
    cache = FrameCache(settings.cache, settings.cache_bytes)
    rendered = render_movie(take, cache, out, sound, on_frame)
    cache.trim()
    return rendered


def _report(portrait: Portrait, take: Take, rendered: int) -> MovieReport:
    scene = portrait.scene
    notes = (*scene.notes, *scene.source.notes)
    return MovieReport(len(take.keys), rendered, take.fps, scene.width, scene.height, notes)
