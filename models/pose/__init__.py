"""Speech in, head pose out: a codebook of head motion and a transformer that chooses from it."""

from .model import PoseChunk, PoseModel, PoseStream

__all__ = ["PoseChunk", "PoseModel", "PoseStream"]
