"""Model cards of codebook and mapper, as their training runs write them."""

from __future__ import annotations

from ..loop.task import RunFacts
from .data import PoseBank

_MINUTE = 60.0
FROM_OTHERS = "\nIt did not start anew but from other weights of its kind (--from).\n"
_PRIOR = (
    "**Synthetic motion only.** Nobody's head was recorded: poses are those of the synthetic prior of"
    " conversation in docs/head-motion.md, made from figures in the literature and our choices, moved by the"
    " corpus' speech. It says nothing about how real the motion is. Voices held out choose the weights."
)
_TRACKED = (
    "The user's own tracked motion clips with their sounds, not the synthetic prior; what they show is"
    " theirs. Some clips are held out and choose the weights."
)


def codebook_card(facts: RunFacts, title: tuple[str, str], bank: PoseBank, tracked: bool) -> str:
    """Markdown: what the weights are, from what, and how they were chosen. `title`: id and licence."""
    what = (
        "Head poses relative to rest (rotation vector, translation; 25 per second) as codes and back: a step"
        " of four frames is one code of 256, and one of 256 for what that leaves over. The decoder is causal"
        " but for two steps and ends in a fixed low-pass."
    )
    command = "vividtalk train pose-codebook --corpus corpus --bank pose-bank -o runs/pose-codebook"
    return _card(facts, title, (what, command), bank, tracked)


def mapper_card(facts: RunFacts, title: tuple[str, str], bank: PoseBank, tracked: bool) -> str:
    """Markdown, as `codebook_card`."""
    what = (
        "Which code of the pose codebook comes next, 6.25 times a second: a causal transformer over the codes"
        " so far, eight numbers of prosody 25 times a second, the manner of moving (`PoseStyle`) and the pose"
        " at the start. Seeded sampling; sound left out of some windows, for guidance."
    )
    command = (
        "vividtalk train pose-mapper --corpus corpus --bank pose-bank --codebook WEIGHTS -o runs/pose-mapper"
    )
    return _card(facts, title, (what, command), bank, tracked)


def _card(
    facts: RunFacts, title: tuple[str, str], about: tuple[str, str], bank: PoseBank, tracked: bool
) -> str:
    (model_id, licence), (what, command) = title, about
    parts = [
        f"# {model_id}",
        f"{what} {facts.parameters / 1e6:.2f} million parameters, 16-bit floats. Licence: {licence}.",
        "## Made from",
        f"{_TRACKED if tracked else _PRIOR} {bank.minutes:.0f} minutes of motion to"
        f" {len(bank.scenes)} sounds.",
        "## Training",
        f"    {command}",
        f"Seed {facts.seed}, {facts.steps} steps in {facts.seconds / _MINUTE:.0f} minutes on {facts.device}"
        f" ({facts.precision}); the averaged weights of step {facts.step} did best on what was held out.",
        _checks(facts),
        f"```yaml\n{facts.config.rstrip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _checks(facts: RunFacts) -> str:
    names = list(facts.scores)
    rows = ["| step | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for check in facts.history:
        rows.append(f"| {check.step} | " + " | ".join(f"{check.scores[name]:.4f}" for name in names) + " |")
    return "\n".join(rows)
