"""Voice to expression."""

from .model import DEFAULT_WEIGHTS, ExpressionChunk, ExpressionModel, ExpressionStream

__all__ = ["DEFAULT_WEIGHTS", "ExpressionChunk", "ExpressionModel", "ExpressionStream"]
