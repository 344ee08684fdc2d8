"""Recordings of known text that Debian packages install, one speaker per language and package.

asterisk: telephone prompts (asterisk-core-sounds-XX, -XX-g722), words and sentences.
tuxpaint: names of pictures (tuxpaint-stamps-default), one or a few words each.
klettres: letters and syllables (klettres-data).
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from blender_addon.protocol.errors import InputError

SHARE = Path("/usr/share")
# Language of a recording -> voice of espeak-ng that pronounces its text.
_SAME = "bg ca cs da de el fr hu it lt nl ro ru uk"
VOICES: Mapping[str, str] = {name: name for name in _SAME.split()} | {"es": "es-419", "pt": "pt-br"}
LANGUAGES: tuple[str, ...] = tuple(sorted(VOICES))
_ASTERISK = {"es": "es_MX_f_Allison", "fr": "fr_CA_f_June", "it": "it_IT_m_Carlo", "ru": "ru_RU_f_IvrvoiceRU"}
_KLETTRES = {language: language for language in VOICES} | {"pt": "pt_BR"}
_TAUGHT = ("klettres-data", "tuxpaint-stamps-default")
_NOT_TAUGHT = ("ro", "bg")  # judges, since no other package has a voice in it; is spoilt by noise suppression
_PROMPT = re.compile(r"^([\w/-]+):\s*(\S.*)$")
_NOT_SPOKEN = re.compile(r"[\[\]()<>*#@&+=]|\.\.\.")  # stage directions and signs


@dataclass(frozen=True)
class Spoken:
    """A recording and what is said in it."""

    id: str
    path: Path
    text: str
    language: str
    speaker: str
    source: str

    @property
    def taught(self) -> bool:
        """Whether the voice is for training."""
        return self.source in _TAUGHT and self.language not in _NOT_TAUGHT


def spoken(language: str, share: Path = SHARE) -> list[Spoken]:
    """All recordings in `language` under `share`, in the order of their ids.

    Raises:
        InputError: there are none.
    """
    found = [item for source in _SOURCES for item in source(language, share)]
    if not found:
        raise InputError(
            f"no recordings in language {language!r} under {share}",
            "Install the packages listed in docs/training.md, or name the folder they were unpacked to",
        )
    return sorted(found, key=lambda item: item.id)


def _asterisk(language: str, share: Path) -> Iterator[Spoken]:
    if language not in _ASTERISK:
        return
    package = f"asterisk-core-sounds-{language}"
    folder = share / "asterisk/sounds" / _ASTERISK[language]
    texts = share / "doc" / package / f"core-sounds-{language}.txt.gz"
    lines = gzip.decompress(texts.read_bytes()).decode("utf-8-sig").splitlines() if texts.exists() else []
    for line in lines:
        prompt = _PROMPT.match(line)
        if prompt is None or _NOT_SPOKEN.search(prompt[2]):
            continue
        path = folder / f"{prompt[1]}.g722"
        if path.exists():
            name = f"{language}-asterisk-{prompt[1].replace('/', '-')}"
            yield Spoken(name, path, prompt[2].strip(), language, _ASTERISK[language], package)


def _tuxpaint(language: str, share: Path) -> Iterator[Spoken]:
    stamps = share / "tuxpaint/stamps"
    for path in stamps.rglob(f"*_desc_{language}.ogg"):
        stem = path.name.removesuffix(f"_desc_{language}.ogg")
        texts = path.with_name(f"{stem}.txt")
        text = _translation(texts, language) if texts.exists() else ""
        if text and not _NOT_SPOKEN.search(text):
            place = "-".join((*path.parent.relative_to(stamps).parts, stem))
            name = f"{language}-tuxpaint-{place}"
            yield Spoken(name, path, text, language, f"tuxpaint-{language}", "tuxpaint-stamps-default")


def _translation(path: Path, language: str) -> str:
    mark = f"{language}.utf8="
    lines = path.read_text("utf-8", errors="replace").splitlines()
    return next((line.removeprefix(mark).strip() for line in lines if line.startswith(mark)), "")


def _klettres(language: str, share: Path) -> Iterator[Spoken]:
    folder = share / "klettres"
    listing = folder / _KLETTRES[language] / "sounds.xml"
    if not listing.exists():
        return
    for entry in ElementTree.parse(listing).getroot().iterfind(".//syllables/sound"):
        path, text = folder / entry.get("file", ""), entry.get("name", "").lower()
        if path.is_file() and text:
            name = f"{language}-klettres-{path.stem}"
            yield Spoken(name, path, text, language, f"klettres-{language}", "klettres-data")


_SOURCES: tuple[Callable[[str, Path], Iterator[Spoken]], ...] = (_asterisk, _tuxpaint, _klettres)
