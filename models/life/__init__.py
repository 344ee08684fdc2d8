"""Signs of life: blinks, gaze and breath, each a layer of its own."""

from .stream import LifeChunk, LifeStream

__all__ = ["LifeChunk", "LifeStream"]
