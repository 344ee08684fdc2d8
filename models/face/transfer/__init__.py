"""Shape transfer: the 52 shapes onto another head mesh from a few landmarks."""

from .head import Transfer, transfer_face
from .obj import TargetMesh, read_obj
from .placement import NEEDED, read_landmarks

__all__ = ["NEEDED", "TargetMesh", "Transfer", "read_landmarks", "read_obj", "transfer_face"]
