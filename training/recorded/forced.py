"""The second aligner: pocketsphinx with its English model, phones written as the nearest English ones.

Its hidden Markov models of three states, trained on recorded English, share nothing with the network that is
judged, nor with the first aligner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pocketsphinx import AlignmentEntry, Decoder, get_model_path

from blender_addon.protocol.tensorfile import Array

from ..phones import SILENCE
from ..symbols import Segment

_FRAMES = 100  # per second
# Beams so wide that the right path is never dropped, of a graph that is small anyhow.
_SEARCH: Mapping[str, float | bool] = {"beam": 1e-120, "pbeam": 1e-120, "wbeam": 1e-120, "bestpath": False}
_ENGLISH = """
    p=P b=B m=M f=F v=V th=TH dh=DH t=T d=D n=N l=L s=S z=Z sh=SH zh=ZH sj=SH k=K g=G ng=NG x=HH h=HH r=R
    rt=R j=Y w=W i=IY I=IH e=EY E=EH ae=AE a=AA A=AA O=AO V=AH @=AH 3=ER o=OW u=UW U=UH y=UW 2=ER 1=IH"""
_NEAREST: Mapping[str, str] = dict(entry.split("=") for entry in _ENGLISH.split())


class ForcedAligner:
    """A loaded acoustic model; not for use by several threads."""

    def __init__(self) -> None:
        folder = f"{get_model_path()}/en-us/en-us"
        self._decoder = Decoder(hmm=folder, dict=None, lm=None, loglevel="FATAL", **_SEARCH)

    def align(self, samples: Array, names: Sequence[str]) -> list[Segment] | None:
        """Times of `names`, phone classes with silences between phrases, in [n] samples at 16 kHz.

        Silences are optional: what is not heard has no length. None where no path is found, or where the
        acoustic model lacks a phone (English has no glottal stop).
        """
        if not set(names) <= _NEAREST.keys() | {SILENCE}:
            return None
        text = " ".join(self._word(phrase) for phrase in _phrases(names))
        sound = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        try:
            self._decoder.set_align_text(text)
            self._listen(sound)
            self._decoder.set_alignment()
            self._listen(sound)
            found = self._decoder.get_alignment()
        except RuntimeError:
            return None
        return None if found is None else _timed(names, found)

    def _word(self, phrase: Sequence[str]) -> str:
        phones = [_NEAREST[name] for name in phrase]
        word = "_".join(phones)
        if self._decoder.lookup_word(word) is None:
            self._decoder.add_word(word, " ".join(phones), True)
        return word

    def _listen(self, sound: bytes) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(sound, no_search=False, full_utt=True)
        self._decoder.end_utt()


def _phrases(names: Sequence[str]) -> list[list[str]]:
    phrases: list[list[str]] = [[]]
    for name in names:
        if name == SILENCE:
            phrases.append([])
        else:
            phrases[-1].append(name)
    return [phrase for phrase in phrases if phrase]


def _timed(names: Sequence[str], words: AlignmentEntry) -> list[Segment] | None:
    """Give the found phones' times to `names`; silences lie between them."""
    found = [
        (phone.start / _FRAMES, (phone.start + phone.duration) / _FRAMES)
        for word in words
        if not word.name.startswith("<")
        for phone in word
    ]
    if len(found) != sum(name != SILENCE for name in names):
        return None
    times = iter(found)
    rows: list[Segment] = []
    for name in names:
        before = rows[-1][1] if rows else found[0][0]
        rows.append((before, before, SILENCE) if name == SILENCE else (*next(times), name))
    return rows
