"""Building the expression corpus from the installed engines and voices."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from blender_addon.protocol.errors import InputError, OutputError
from blender_addon.protocol.tensorfile import output_error
from models.audio.mel import SAMPLE_RATE
from models.expression.model import DEFAULT_WEIGHTS

from ..loop.yaml_config import aside, differences, read_config, write_config
from . import effects, espeak, festival, flite, pico, rhvoice, russian
from .align import Listener, phone_listener
from .packages import missing_packages
from .store import Recording, is_written, read_source, write_source

_log = logging.getLogger(__name__)

DEVELOPMENT_SOURCES: tuple[str, ...] = ("dev_czech", "dev_russian")
# Share of the minutes, our choice; festvox-ru ends when it has been read to the end (91 minutes).
SHARES: Mapping[str, float] = MappingProxyType(
    {
        "espeak": 0.17,
        "flite": 0.19,
        "festival": 0.145,
        "russian": 0.135,
        "pico": 0.15,
        "rhvoice": 0.06,
        "sung": 0.045,
        "whispered": 0.03,
        "revoiced": 0.05,
        "dev_czech": 0.01,
        "dev_russian": 0.015,
    }
)
_CHANGED = ("flite", "festival", "russian", "pico", "rhvoice")  # what the effects are made of
_SETTINGS = "corpus.yaml"
SMALLEST = 4.0  # minutes: a corpus that shows in a minute whether everything works


@dataclass(frozen=True)
class CorpusConfig:
    """What to render.

    Attributes:
        out: the folder.
        minutes: of speech in all.
        seed: of texts, voices and effects.
        without: sources to leave out.
        aligner: expression weights that find the phones in the speech of engines that give no times.
    """

    out: Path = aside()
    minutes: float = 700.0
    seed: int = 0
    without: tuple[str, ...] = ()
    aligner: Path = aside(DEFAULT_WEIGHTS)

    def __post_init__(self) -> None:
        if self.minutes <= 0.0:
            raise ValueError(f"a corpus needs more than 0 minutes, got {self.minutes}")
        unknown = set(self.without) - set(SHARES)
        if unknown:
            raise ValueError(f"there is no source {', '.join(sorted(unknown))}; known: {', '.join(SHARES)}")

    @property
    def sources(self) -> tuple[str, ...]:
        """Names in the order of rendering."""
        return tuple(name for name in SHARES if name not in self.without)


@dataclass(frozen=True)
class SourceSummary:
    """Minutes of speech in one source, by language, and its number of voices."""

    name: str
    minutes: Mapping[str, float]
    voices: int


def needs_building(folder: Path) -> bool:
    """Whether the corpus is not there, or was begun and not finished."""
    if not folder.exists():
        return True
    begun = (folder / _SETTINGS).exists()
    return begun and not all(is_written(folder, name) for name in settings_of(folder).sources)


def settings_of(folder: Path) -> CorpusConfig:
    """What a folder was begun with; the defaults when it is new."""
    begun = folder / _SETTINGS
    return replace(read_config(CorpusConfig, begun), out=folder) if begun.exists() else CorpusConfig(folder)


def build_corpus(config: CorpusConfig, report: Callable[[int], None] = lambda _: None) -> None:
    """Render every source into `config.out`, those aside that an interrupted run has finished.

    Args:
        config: what to render.
        report: told the seconds of speech as they are made.

    Raises:
        InputError: an engine, a voice or a text package is not installed.
        OutputError: the folder holds something else, or cannot be written.
    """
    left = _prepare(config)
    missing = missing_packages(left)
    if missing:
        raise InputError(
            f"packages are missing that the corpus needs: {', '.join(missing)}",
            f"apt-get install {' '.join(missing)}, or leave sources out (without)",
        )
    for name in left:
        minutes = write_source(config.out, name, _reported(_recordings(config, name), report))
        _log.info("corpus source %s: %.1f minutes", name, minutes)


def _prepare(config: CorpusConfig) -> list[str]:
    """The sources that are left to render; begins the folder when it is new."""
    settings = config.out / _SETTINGS
    try:
        if not config.out.exists():
            config.out.mkdir(parents=True)
            write_config(settings, config)
        elif not settings.exists():
            raise OutputError(f"the folder {config.out} is there already", "Choose a new folder")
        elif changed := differences(settings, config):
            raise OutputError(
                f"the corpus {config.out} was begun with other settings: {', '.join(changed)}",
                "Use those, or choose a new folder",
            )
    except OSError as error:
        raise output_error(config.out, error) from error
    return [name for name in config.sources if not is_written(config.out, name)]


def _reported(recordings: Iterable[Recording], report: Callable[[int], None]) -> Iterator[Recording]:
    for recording in recordings:
        report(round(len(recording.samples) / SAMPLE_RATE))
        yield recording


def _recordings(config: CorpusConfig, name: str) -> Iterable[Recording]:
    minutes, seed = config.minutes * SHARES[name], config.seed
    if name in effects.EFFECTS:
        made_of = [read_source(config.out, one) for one in _CHANGED if one in config.sources]
        return effects.recordings(effects.EFFECTS[name], made_of, minutes, seed)
    if name in _ALIGNED:
        return _ALIGNED[name](minutes, seed, phone_listener(config.aligner))
    return _ENGINES[name](minutes, seed)


_ENGINES: Mapping[str, Callable[[float, int], Iterable[Recording]]] = MappingProxyType(
    {
        "espeak": espeak.recordings,
        "flite": flite.recordings,
        "festival": lambda minutes, seed: festival.recordings(festival.TRAINING_VOICES, minutes, seed),
        "russian": lambda minutes, seed: _at_most(minutes, russian.training_recordings()),
        "dev_czech": lambda minutes, seed: festival.recordings(festival.DEVELOPMENT_VOICES, minutes, seed),
        "dev_russian": lambda minutes, seed: _at_most(minutes, russian.development_recordings()),
    }
)
_ALIGNED: Mapping[str, Callable[[float, int, Listener], Iterable[Recording]]] = MappingProxyType(
    {"pico": pico.recordings, "rhvoice": rhvoice.recordings}
)


def _at_most(minutes: float, recordings: Iterable[Recording]) -> Iterator[Recording]:
    left = minutes * 60.0
    for recording in recordings:
        yield recording
        left -= len(recording.samples) / SAMPLE_RATE
        if left <= 0:
            return


def summary(folder: Path) -> list[SourceSummary]:
    """What a corpus holds, source by source."""
    result = []
    for name in SHARES:
        if not is_written(folder, name):
            continue
        minutes: dict[str, float] = defaultdict(float)
        utterances = read_source(folder, name)
        for utterance in utterances:
            minutes[utterance.language or "?"] += utterance.duration / 60.0
        result.append(SourceSummary(name, dict(sorted(minutes.items())), len({u.voice for u in utterances})))
    return result
