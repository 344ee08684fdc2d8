"""The model card of the voice-to-expression network, as its training run writes it."""

from __future__ import annotations

from collections.abc import Mapping

from .loop.task import RunFacts
from .scenes import Pool

_MINUTE = 60.0
_UNIVERSITIES = "use, copy, modify, merge, publish, sell without restriction, with the notice kept"
# Source of the corpus -> what speaks there, and its licence by the packages' copyright files.
_SOURCES: Mapping[str, tuple[str, str]] = {
    "espeak": (
        "espeak-ng: 17 voices, 15 languages, 67 timbres",
        "program GPL-3.0-or-later; speech is its output",
    ),
    "flite": ("flite: kal16, awb, rms, slt", f"Carnegie Mellon University: {_UNIVERSITIES}"),
    "festival": ("Festival: kal, ked, slt (HTS)", f"as flite; HTS parts BSD-3-Clause ({_UNIVERSITIES})"),
    "russian": ("festvox-ru: a real speaker with labels, ten twelfths", "Nickolay V. Shmyrev: as flite"),
    "pico": (
        "SVOX Pico: six voices, five languages",
        "Apache-2.0; Debian notes that the voices' data claim it too, but come without their source",
    ),
    "rhvoice": ("RHVoice: ten voices, four languages", "voices LGPL-2.1-or-later; speech is their output"),
    "sung": ("vowels of flite, Festival, festvox-ru, Pico, RHVoice drawn out and sung", "as these"),
    "whispered": ("the same voices, whispered", "as these"),
    "revoiced": ("the same voices with other pitch and formants", "as these"),
    "recorded": (
        "Tux Paint's picture names and KLettres' syllables: seven and eleven speakers, phones aligned",
        "GPL-2.0-or-later",
    ),
}
_CLIPS = ("motion clips of the user's own", "the user's")
_INTRODUCTION = (
    "Speech (16 kHz, mono) to motion at 50 frames per second: 52 ARKit weights (29 of mouth, jaw, tongue and"
    " cheeks; 23 of brows, lids, cheeks and nose, which follow prosody and a seed), lip offsets in canonical"
    " coordinates, bilabial and labiodental contact, phone classes. It hears the sound, needs no text and no"
    " language setting, and takes a manner of speaking (`MotionStyle`) and the proportions of a face."
)
_ORIGIN = (
    "Speech that engines and voices of Debian produce offline, and recorded speakers that Debian ships with"
    " known text. **No face was recorded**: targets are rules on the phones' known times (a dominance"
    " model after Cohen and Massaro, 1993, our own targets per phone), on prosody, and on the contact solve."
    " The model moves the mouth of a clear, average speaker, not that of a person; its brows are plausible,"
    " not observed."
)


def expression_card(facts: RunFacts, model_id: str, licence: str, names: list[str], pool: Pool) -> str:
    """Markdown: what the weights are, what they were made from and how they were chosen.

    `names` are those of the pool's sources.
    """
    size = f"{facts.parameters / 1e6:.2f} million parameters, 16-bit floats."
    parts = [
        f"# {model_id}",
        f"{_INTRODUCTION} {size} Licence of the weights: {licence}.",
        "## Made from",
        _ORIGIN,
        _sources(names, pool),
        "## Training",
        _training(facts),
        _checks(facts),
        f"```yaml\n{facts.config.rstrip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _sources(names: list[str], pool: Pool) -> str:
    rows = ["| source | minutes | share of what is heard | licence |", "|---|---|---|---|"]
    for number, (source, share) in enumerate(zip(pool.sources, pool.shares, strict=True)):
        what, licence = _SOURCES[names[number]] if number < len(names) else _CLIPS
        minutes = sum(one.duration for one in source) / _MINUTE
        rows.append(f"| {what} | {minutes:.0f} | {share:.0%} | {licence} |")
    return "\n".join(rows)


def _training(facts: RunFacts) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in facts.versions.items())
    return (
        f"Seed {facts.seed}, {facts.steps} steps in {facts.seconds / _MINUTE:.0f} minutes on {facts.device}"
        f" ({facts.precision}); the averaged weights of step {facts.step} did best on the development voices:"
        f" four Czech Festival voices, none of them trained on, and sentences of festvox-ru. {versions}."
    )


def _checks(facts: RunFacts) -> str:
    names = list(facts.scores)
    rows = ["| step | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for check in facts.history:
        rows.append(f"| {check.step} | " + " | ".join(f"{check.scores[name]:.4f}" for name in names) + " |")
    return "\n".join(rows)
