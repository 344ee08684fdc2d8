"""Building the expression corpus from the installed engines and voices."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from blender_addon.protocol.errors import OutputError
from blender_addon.protocol.tensorfile import output_error

from . import espeak, festival, flite, russian
from .store import Recording, write_source

_log = logging.getLogger(__name__)

DEVELOPMENT_SOURCES: tuple[str, ...] = ("dev_czech", "dev_russian")


@dataclass(frozen=True)
class CorpusConfig:
    """How much of each engine to render. Minutes; festvox-ru is taken whole."""

    out: Path
    espeak_minutes: float = 120.0
    flite_minutes: float = 130.0
    festival_minutes: float = 100.0
    development_minutes: float = 6.0
    seed: int = 0

    def __post_init__(self) -> None:
        minutes = (self.espeak_minutes, self.flite_minutes, self.festival_minutes, self.development_minutes)
        if min(minutes) <= 0.0:
            raise ValueError(f"every source needs more than 0 minutes, got {minutes}")


def build_corpus(config: CorpusConfig) -> dict[str, float]:
    """Render every source into the new folder `config.out`; returns minutes of speech by source.

    The folder appears when it is complete.

    Raises:
        InputError: an engine, a voice or a text package is not installed.
        OutputError: the folder is there already or cannot be written.
    """
    if config.out.exists():
        raise OutputError(f"the corpus {config.out} is there already", "Choose a new folder")
    try:
        config.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".corpus-", dir=config.out.parent) as name:
            folder = Path(name) / "corpus"
            folder.mkdir()
            minutes = _render(config, folder)
            folder.rename(config.out)
    except OSError as error:
        raise output_error(config.out, error) from error
    return minutes


def _render(config: CorpusConfig, folder: Path) -> dict[str, float]:
    sources: dict[str, Iterable[Recording]] = {
        "espeak": espeak.recordings(config.espeak_minutes, config.seed),
        "flite": flite.recordings(config.flite_minutes, config.seed),
        "festival": festival.recordings(festival.TRAINING_VOICES, config.festival_minutes, config.seed),
        "russian": russian.training_recordings(),
        "dev_czech": festival.recordings(
            festival.DEVELOPMENT_VOICES, config.development_minutes, config.seed
        ),
        "dev_russian": russian.development_recordings(),
    }
    minutes = {}
    for name, recordings in sources.items():
        minutes[name] = write_source(folder, name, recordings)
        _log.info("corpus source %s: %.1f minutes", name, minutes[name])
    return minutes
