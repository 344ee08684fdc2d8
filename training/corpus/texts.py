"""What the engines say: sentences from the distribution's fortunes and words from its dictionaries.

The texts are only read aloud; none of them is stored in a corpus or in weights.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from blender_addon.protocol.errors import InputError

_FORTUNES = Path("/usr/share/games/fortunes")
_DICTIONARIES = Path("/usr/share/dict")
_ENGLISH = (
    "wisdom people literature science work politics computers definitions men-women songs-poems cookie art "
    "food sports law"
)
_PATTERNS: dict[str, tuple[str, ...]] = {
    "en": tuple(_ENGLISH.split()),
    "de": ("de/zitate",),
    "es": ("es/*.fortunes",),
    "it": ("it/*",),
    "ru": ("ru/*",),
    "cs": ("cs/*",),
    "pl": ("pl/*",),
    "pt": ("brasil",),
}
_WORD_LISTS = {"fr": "french", "nl": "dutch", "ca": "catalan", "uk": "ukrainian"}
_SYLLABLES = {
    "fi": ("p m v k t n s l r h j p m", "a e i o u ä ö y"),
    "eo": ("p b m f v t d n s z l r k g ŝ ĵ ĉ ĝ h j p b m f v", "a e i o u"),
}
_LATIN_2 = ("cs", "pl")
_WORD_SENTENCES, _SYLLABLE_SENTENCES = 4000, 2000


def sentences(language: str) -> list[str]:
    """Sentences to say in `language`, always the same and in the same order.

    Raises:
        InputError: no text of that language is installed.
    """
    rng = random.Random(f"texts {language}")
    if language in _WORD_LISTS:
        found = _from_words(_DICTIONARIES / _WORD_LISTS[language], rng)
    elif language in _SYLLABLES:
        found = _from_syllables(*_SYLLABLES[language], rng)
    else:
        found = [s for path in _files(language) for s in _split(_read(path, language))]
    if not found:
        raise InputError(
            f"no text in language {language!r} to read aloud",
            "Install the packages listed in docs/training.md",
        )
    rng.shuffle(found)
    return found


def is_installed(language: str) -> bool:
    """Whether there is something to read aloud in `language`."""
    if language in _WORD_LISTS:
        return (_DICTIONARIES / _WORD_LISTS[language]).exists()
    return language in _SYLLABLES or any(True for _ in _files(language))


def _files(language: str) -> Iterator[Path]:
    for pattern in _PATTERNS[language]:
        for path in sorted(_FORTUNES.glob(pattern)):
            if path.suffix not in (".dat", ".u8") and path.is_file():
                yield path


def _read(path: Path, language: str) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("iso-8859-2" if language in _LATIN_2 else "iso-8859-1")


def _split(text: str) -> Iterator[str]:
    text = re.sub(r"\s+", " ", text.replace("\n%\n", " . ").replace("%", " "))
    for sentence in re.split(r"(?<=[.!?;:])\s+", text):
        plain = re.sub(r"[^\w\s,.!?'\u2019-]|[\d_]", " ", sentence)
        plain = re.sub(r"\s+", " ", plain).strip(" -")
        if 12 <= len(plain) <= 110 and len(plain.split()) >= 3:
            yield plain


def _from_words(path: Path, rng: random.Random) -> list[str]:
    if not path.exists():
        return []
    lines = (line.strip() for line in path.read_text("utf-8", errors="replace").splitlines())
    words = [word for word in lines if 2 <= len(word) <= 10 and word.isalpha() and word.islower()]
    return [" ".join(rng.choices(words, k=rng.randint(3, 10))) + "." for _ in range(_WORD_SENTENCES)]


def _from_syllables(consonants: str, vowels: str, rng: random.Random) -> list[str]:
    """Pseudo-words in an orthography that spells what it says."""

    def word() -> str:
        count = rng.randint(1, 4)
        return "".join(rng.choice(consonants.split()) + rng.choice(vowels.split()) for _ in range(count))

    return [" ".join(word() for _ in range(rng.randint(3, 9))) + "." for _ in range(_SYLLABLE_SENTENCES)]
