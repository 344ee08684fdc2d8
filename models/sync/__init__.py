"""Do these lips belong to this sound, and how far apart are they?"""

from .measures import MEASURES, MouthMeter
from .model import DEFAULT_WEIGHTS, SyncModel, SyncScore

__all__ = ["DEFAULT_WEIGHTS", "MEASURES", "MouthMeter", "SyncModel", "SyncScore"]
