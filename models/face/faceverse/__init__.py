"""FaceVerse model files as face files, and their authors' coefficients as motion."""

from .coefficients import Coefficients, Convention, HeadMotion, convention
from .head import Imported, import_faceverse
from .names import read_names

__all__ = [
    "Coefficients",
    "Convention",
    "HeadMotion",
    "Imported",
    "convention",
    "import_faceverse",
    "read_names",
]
