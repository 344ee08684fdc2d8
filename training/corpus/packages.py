"""Which packages of the distribution each source of speech needs, and which of them are missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from ctypes.util import find_library
from functools import partial
from pathlib import Path
from types import MappingProxyType

from . import festival, pico, rhvoice, russian
from .texts import is_installed

_FESTIVAL = Path("/usr/share/festival/voices")
_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "en": "fortunes",
        "de": "fortunes-de",
        "es": "fortunes-es",
        "it": "fortunes-it",
        "ru": "fortunes-ru",
        "cs": "fortunes-cs",
        "pl": "fortunes-pl",
        "pt": "fortunes-br",
        "fr": "wfrench",
        "nl": "wdutch",
        "ca": "wcatalan",
        "uk": "wukrainian",
    }
)
_VOICES: Mapping[str, str] = MappingProxyType(
    {
        "kal_diphone": "festvox-kallpc16k",
        "ked_diphone": "festvox-kdlpc16k",
        "cmu_us_slt_arctic_hts": "festvox-us-slt-hts",
        "czech_dita": "festvox-czech-dita",
        "czech_krb": "festvox-czech-krb",
        "czech_machac": "festvox-czech-machac",
        "czech_ph": "festvox-czech-ph",
    }
)
Present = Callable[[], bool]


def missing_packages(sources: Iterable[str]) -> list[str]:
    """Packages that the named sources need and that are not installed, each once."""
    needed = (item for name in sources for item in _NEEDED.get(name, lambda: ())())
    return list(dict.fromkeys(package for package, present in needed if not present()))


def _program(package: str, name: str) -> tuple[str, Present]:
    return package, lambda: shutil.which(name) is not None


def _texts(languages: Iterable[str]) -> list[tuple[str, Present]]:
    wanted = [language for language in dict.fromkeys(languages) if language in _TEXTS]
    return [(_TEXTS[language], partial(is_installed, language)) for language in wanted]


def _espeak_library() -> tuple[str, Present]:
    return "libespeak-ng1", lambda: find_library("espeak-ng") is not None


def _espeak() -> list[tuple[str, Present]]:
    from .espeak import VOICES

    return [_espeak_library(), *_texts(language for _, language, _ in VOICES)]


def _festival(voices: tuple[festival.Voice, ...]) -> list[tuple[str, Present]]:
    installed = [(_VOICES[v.name], partial(_has_festival_voice, v.name)) for v in voices]
    return [_program("festival", "festival"), *installed, *_texts(v.language for v in voices)]


def _has_festival_voice(name: str) -> bool:
    return any(_FESTIVAL.glob(f"*/{name}"))


def _pico() -> list[tuple[str, Present]]:
    engine = _program("libttspico-utils", "pico2wave")
    return [engine, _espeak_library(), *_texts(v.language for v in pico.VOICES)]


def _rhvoice() -> list[tuple[str, Present]]:
    voices = [(v.package, partial(rhvoice.is_installed, v)) for v in rhvoice.VOICES]
    engine = _program("rhvoice", "RHVoice-test")
    return [engine, *voices, _espeak_library(), *_texts(v.language for v in rhvoice.VOICES)]


def _russian() -> list[tuple[str, Present]]:
    return [("festvox-ru", russian.FOLDER.exists)]


_NEEDED: Mapping[str, Callable[[], Iterable[tuple[str, Present]]]] = MappingProxyType(
    {
        "espeak": _espeak,
        "flite": lambda: [_program("flite", "flite"), *_texts(["en"])],
        "festival": lambda: _festival(festival.TRAINING_VOICES),
        "russian": _russian,
        "pico": _pico,
        "rhvoice": _rhvoice,
        "dev_czech": lambda: _festival(festival.DEVELOPMENT_VOICES),
        "dev_russian": _russian,
    }
)
