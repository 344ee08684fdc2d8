"""The model card of the voice-to-expression network, as its training run writes it."""

from __future__ import annotations

from .loop.task import RunFacts
from .scenes import Pool

_MINUTE = 60.0


def expression_card(facts: RunFacts, model_id: str, licence: str, pool: Pool) -> str:
    """Markdown: what the weights are, what they were made from and how good they are."""
    minutes = [sum(one.duration for one in source) / _MINUTE for source in pool.sources]
    voices = [sorted({one.voice.split()[0] for one in source}) for source in pool.sources]
    data = [
        f"| {', '.join(names)} | {length:.0f} | {share:.0%} |"
        for names, length, share in zip(voices, minutes, pool.shares, strict=True)
    ]
    checks = [
        f"| {check.step} | " + " | ".join(f"{value:.4f}" for value in check.scores.values()) + " |"
        for check in facts.history
    ]
    names = list(facts.scores)
    versions = ", ".join(f"{name} {number}" for name, number in facts.versions.items())
    return "\n".join(
        [
            f"# {model_id}",
            "",
            "Speech (16 kHz, mono) to ARKit weights, lip offsets and contacts at 50 frames per second."
            f" {facts.parameters / 1e6:.2f} million parameters, 16-bit floats.",
            "",
            f"Licence of the weights: {licence}.",
            "",
            "Targets are rules on known phone times, not recordings of faces.",
            "",
            "| source | minutes | heard |",
            "|---|---|---|",
            *data,
            "",
            f"Seed {facts.seed}, {facts.steps} steps in {facts.seconds / _MINUTE:.0f} minutes on"
            f" {facts.device} ({facts.precision}); kept: step {facts.step}. {versions}.",
            "",
            "| step | " + " | ".join(names) + " |",
            "|---" * (len(names) + 1) + "|",
            *checks,
            "",
            "```yaml",
            facts.config.rstrip(),
            "```",
            "",
        ]
    )
