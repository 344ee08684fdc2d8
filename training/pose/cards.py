"""Model cards of codebook and mapper, as their training runs write them."""

from __future__ import annotations

from ..loop.task import RunFacts
from .data import PoseBank


def codebook_card(facts: RunFacts, model_id: str, licence: str, bank: PoseBank, clips: bool) -> str:
    """Markdown."""
    return f"# {model_id}\n"


def mapper_card(facts: RunFacts, model_id: str, licence: str, bank: PoseBank, clips: bool) -> str:
    """Markdown."""
    return f"# {model_id}\n"
