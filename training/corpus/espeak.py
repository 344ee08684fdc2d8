"""espeak-ng: formant synthesis in many languages and timbres, with a time for every phoneme."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from ..symbols import Segment, to_classes
from .resample import to_corpus_rate
from .store import Recording
from .texts import sentences

_SYNCHRONOUS_RETRIEVAL = 2
_PHONEME_EVENTS, _PHONEME_IPA = 1, 2
_EVENT_LIST_END, _EVENT_PHONEME = 0, 7
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_SEPARATOR = "_"
_SPELLING = _PHONEME_IPA | ord(_SEPARATOR) << 8  # IPA, symbols apart

# (voice, language of the text, share); Latin-script pseudo-words stand in where no text is installed.
VOICES: tuple[tuple[str, str, float], ...] = (
    ("en-us", "en", 6.0),
    ("en", "en", 4.0),
    ("es", "es", 3.0),
    ("es-419", "es", 1.0),
    ("fr", "fr", 3.0),
    ("it", "it", 2.0),
    ("de", "de", 3.0),
    ("ru", "ru", 2.0),
    ("pt-br", "pt", 2.0),
    ("pl", "pl", 1.5),
    ("cs", "cs", 1.0),
    ("nl", "nl", 1.0),
    ("ja", "fi", 0.8),
    ("fi", "fi", 0.8),
    ("tr", "fi", 0.8),
    ("ca", "ca", 0.6),
    ("sw", "fi", 0.5),
)
_TIMBRE_NAMES = (
    "f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 m8 Alex Alicia Andrea Andy Annie adam antonio belinda benjamin"
    " boris caleb david Diogo ed edward Gene Hugo Henrique iven iven2 john linda Lee marcelo Marco Mario max"
    " Michael michel miguel Mike pablo paul pedro quincy rob robert steph steph2 travis victor zac anika"
    " klatt klatt2 klatt3 klatt4 aunty grandma grandpa Nguyen norbert sandro shelby"
)
TIMBRES: tuple[str, ...] = tuple(_TIMBRE_NAMES.split())
_PLAIN_SHARE = 0.1
_UNROUNDED_Y = ("ru", "pl")  # espeak-ng prints the unrounded high vowel of these as "y"


class _Identity(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass
class _Heard:
    """What the engine's callback has delivered of the sentence in progress."""

    blocks: list[Array] = field(default_factory=list)
    phonemes: list[tuple[int, str]] = field(default_factory=list)  # sample, IPA


@dataclass(frozen=True)
class Manner:
    """Speaking rate in words per minute, pitch and pitch range 0-100."""

    rate: int
    pitch: int
    range: int


class Espeak:
    """The espeak-ng library, speaking into memory."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libespeak-ng.so.1")
        except OSError as error:
            raise InputError("espeak-ng is not installed", "Install libespeak-ng1 and espeak-ng") from error
        flags = _PHONEME_EVENTS | _PHONEME_IPA
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS_RETRIEVAL, 0, None, flags))
        self._heard = _Heard()
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._callback = _Callback(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(
        self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]
    ) -> int:
        if count > 0 and samples:
            self._heard.blocks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        index = 0
        while events[index].type != _EVENT_LIST_END:
            event = events[index]
            if event.type == _EVENT_PHONEME:
                symbol = bytes(event.id.string).split(b"\0")[0].decode("utf-8", "replace")
                self._heard.phonemes.append((event.sample, symbol))
            index += 1
        return 0

    def say(self, text: str, voice: str, manner: Manner) -> tuple[Array, list[Segment]] | None:
        """[n] f32 samples at `self.rate` and (start, end, IPA) rows; None when `voice` is refused."""
        self._heard = _Heard()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            return None
        for parameter, value in ((_RATE, manner.rate), (_PITCH, manner.pitch), (_RANGE, manner.range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        if not self._heard.blocks:
            return None
        samples = np.concatenate(self._heard.blocks).astype(np.float32) / 32768.0
        times = [max(0, at) / self.rate for at, _ in self._heard.phonemes] + [len(samples) / self.rate]
        symbols = [symbol for _, symbol in self._heard.phonemes]
        return samples, list(zip(times[:-1], times[1:], symbols, strict=True))

    def spell(self, text: str, voice: str) -> list[list[str]]:
        """The IPA symbols of each word that `voice` would say.

        Raises:
            InputError: the voice is not installed.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise InputError(f"espeak-ng has no voice {voice!r}", "Install espeak-ng-data")
        pointer = ctypes.c_char_p(text.encode())
        clauses = []
        while pointer:
            clause = self._library.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, _SPELLING)
            clauses.append(clause.decode("utf-8", "replace"))
        words = " ".join(clauses).split()
        return [[symbol for symbol in word.split(_SEPARATOR) if symbol] for word in words]


def recordings(minutes: float, seed: int) -> Iterator[Recording]:
    """About `minutes` of speech in random languages, timbres and manners."""
    engine, rng = Espeak(), random.Random(seed)
    texts = {language: sentences(language) for _, language, _ in VOICES}
    left = minutes * 60.0
    while left > 0:
        voice, language, _ = rng.choices(VOICES, [share for *_, share in VOICES])[0]
        timbre = "" if rng.random() < _PLAIN_SHARE else "+" + rng.choice(TIMBRES)
        manner = Manner(rng.randint(120, 215), rng.randint(20, 80), rng.randint(20, 80))
        said = engine.say(rng.choice(texts[language]), voice + timbre, manner)
        if said is None:
            continue
        samples = to_corpus_rate(said[0], engine.rate)
        segments = to_classes(_spelled(said[1], language), "ipa")
        left -= len(samples) / SAMPLE_RATE
        segments = with_stop_closures(samples, segments)
        yield Recording(f"espeak {voice}{timbre}", samples, segments, voice.partition("-")[0])


def _spelled(segments: list[Segment], language: str) -> list[Segment]:
    """Without language-switch marks such as "(en)", and with y written as it sounds."""
    kept = [row for row in segments if not row[2].startswith("(")]
    if language in _UNROUNDED_Y:
        kept = [(start, end, symbol.replace("y", "ɨ")) for start, end, symbol in kept]
    return kept


_VOICELESS_STOPS = frozenset({"p", "t", "k"})
_LONGEST_CLOSURE = 0.12  # seconds
_AFTER_PAUSE_CLOSURE = 0.07  # seconds
_QUIET = 0.02  # of the sentence's loud frames
_STEP = 0.004  # seconds


def with_stop_closures(samples: Array, segments: list[Segment]) -> list[Segment]:
    """Give voiceless stops the quiet gap before them: espeak-ng fires their event at the release."""
    step = int(_STEP * SAMPLE_RATE)
    power = np.convolve(samples.astype(np.float64) ** 2, np.full(step, 1.0 / step), "same")[::step]
    quiet = np.sqrt(power) < _QUIET * (np.percentile(np.sqrt(power), 95) + 1e-6)
    result = list(segments)
    for i in range(1, len(result)):
        start, end, name = result[i]
        if name not in _VOICELESS_STOPS:
            continue
        before = result[i - 1]
        earliest = _earliest_closure(before, start)
        frame = min(int(start / _STEP), len(quiet)) - 1
        while frame > earliest / _STEP and quiet[frame]:
            frame -= 1
        closure = (frame + 1) * _STEP
        if closure < start:
            result[i - 1] = (before[0], closure, before[2])
            result[i] = (closure, end, name)
    return [row for row in result if row[1] > row[0]]


def _earliest_closure(before: Segment, release: float) -> float:
    if before[2] == "sil":
        return max(before[0], release - _AFTER_PAUSE_CLOSURE)
    return max(before[0] + 0.25 * (before[1] - before[0]), release - _LONGEST_CLOSURE)
