"""Symbols of the phone sets in use (ARPAbet, SAMPA-like, Russian, IPA) -> our phone classes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from .phones import PHONE_CLASSES, SILENCE

Segment = tuple[float, float, str]  # start and end in seconds, class name
_FIRST_OF_TWO = 0.55  # share of a diphthong or affricate


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """ "aw=a+U b" -> {"aw": ("a", "U"), "b": ("b",)}; a bare symbol is its own class."""
    entries = (item.partition("=") for item in text.split())
    return {symbol: tuple((classes or symbol).split("+")) for symbol, _, classes in entries}


_ARPABET = _table("""
    aa=A ae ah=V ao=O aw=a+U ax=@ ay=a+I b ch=t+sh d dh dx=rt eh=E er=3 axr=3 ey=e+I f g hh=h hv=h ih=I ix=1
    iy=i jh=d+zh k l el=l m em=m n en=n nx=n ng ow=o+U oy=O+I p r s sh t th uh=U uw=u v w y=j z zh
    sil pau=sil #=sil ##=sil +spn+=sil +nsn+=sil h#=sil brth=sil ssil=sil""")
_SAMPA = _table("""
    a A e E i I o O u U y 2 9=2 {=ae @ ax=@ uh=@ 3 6=V 1 ae oe=2 p b t d k g f v T=th D=d B=b G=g s z S=sh
    Z=zh C=sj x h m n nf=n N=ng ng J=n l L=l r=rt R=rt rr=rt j w ts=t+s dz=d+z tS=t+sh dZ=d+zh c=t+s c~=t+sh
    s~=sh z~=zh r~=rt+zh ch=x h#=sil t~=t d~=d n~=n dz~=d+zh N~=ng M=m aU=a+U pau=sil #=sil ##=sil _=sil
    ?=q d'=d l'=l n'=n t'=t""")
# festvox-ru: a doubled letter is a palatalised consonant or a stressed vowel.
_RUSSIAN = _table("""
    a=V aa=a ae=@ ur=@ ay=@ e=E ee=E ei=I i=I ii=i o=O oo=O u=U uu=u y=1 yy=1 j b bb=b v vv=v g gg=g d dd=d
    zh z zz=z k kk=k l ll=l m mm=m n nn=n p pp=p r=rt rr=rt s ss=s t tt=t f ff=f h=x hh=x c=t+s ch=t+sj sh
    sch=sj pau=sil #=sil""")
_IPA = _table("""
    a ɑ=A ɒ=O æ=ae ɐ=V ʌ=V ə=@ ɘ=@ ɚ=3 ɝ=3 ɜ=3 e ɛ=E i ɪ=I ɨ=1 ɯ=1 ɤ=V o ɔ=O u ʊ=U ʉ=u y ʏ=y ø=2 œ=2 ɵ=2
    ɞ=3 p b ɓ=b m β=b ɸ=w f v ʋ=v ɱ=m θ=th ð=dh t d ʈ=t ɖ=d ɗ=d n ɳ=n ɲ=n l ɭ=l ɫ=l ʎ=l ɬ=l s z ʂ=sh ʐ=zh
    ʃ=sh ʒ=zh ɕ=sj ʑ=sj ç=sj ʝ=j c=t ɟ=d k g ɡ=g q=k ɢ=g ŋ=ng x χ=x ɣ=x ʁ=x ħ=x ʕ=x h ɦ=h r=rt ɾ=rt ʀ=x
    ɽ=rt ɹ=r ɻ=r j w ɥ=y ʍ=w ᵻ=I ɺ=rt ʙ=b ɴ=ng ɧ=sh ʔ=q""")  # noqa: RUF001
_CLASSES = _table(" ".join(PHONE_CLASSES))
_SAMPA_MARKS = ("", "1", ":", "1:", "1:_'`")
_C_WITH_CEDILLA = "c\u0327"  # a letter of its own in the IPA
_SILENT_SYMBOLS = frozenset({"", "_", "_:"})


def classes_of(symbol: str, system: str) -> tuple[str, ...]:
    """Phone classes of `symbol` in `system` (arpa, sampa, ru, ipa, classes); () when it is not known."""
    if symbol in _SILENT_SYMBOLS:
        return (SILENCE,)
    if system == "ipa":
        letters = unicodedata.normalize("NFD", symbol).replace(_C_WITH_CEDILLA, "\u00e7")
        return tuple(name for letter in letters for name in _IPA.get(letter, ()))
    if system == "sampa":
        bare = symbol.replace("~", "").rstrip("1:")
        candidates = [symbol.rstrip(marks) if marks else symbol for marks in _SAMPA_MARKS] + [bare]
        return next((_SAMPA[c] for c in candidates if c in _SAMPA), ())
    if system == "arpa":
        return _ARPABET.get(symbol.lower().rstrip("012"), ())
    return _SYSTEMS[system].get(symbol, ())


_SYSTEMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {"ru": _RUSSIAN, "classes": _CLASSES}


def to_classes(segments: Iterable[tuple[float, float, str]], system: str) -> list[Segment]:
    """Map (start, end, symbol) rows to classes.

    Diphthongs and affricates are split in time; unknown marks lengthen the phone before; neighbouring
    silences become one.
    """
    result: list[Segment] = []
    for start, end, symbol in segments:
        if end <= start:
            continue
        names = classes_of(symbol, system)
        if not names and result:
            result[-1] = (result[-1][0], end, result[-1][2])
        edges = [start + (end - start) * share for share in _edges(len(names))]
        for name, begin, stop in zip(names, edges[:-1], edges[1:], strict=True):
            _append(result, begin, stop, name)
    return result


def _edges(count: int) -> list[float]:
    """Where `count` parts of a phone begin and end, 0 to 1."""
    if count == 2:
        return [0.0, _FIRST_OF_TWO, 1.0]
    return [i / count for i in range(count + 1)] if count else [0.0]


def _append(result: list[Segment], start: float, end: float, name: str) -> None:
    if result and name == SILENCE == result[-1][2]:
        result[-1] = (result[-1][0], end, name)
    else:
        result.append((start, end, name))
