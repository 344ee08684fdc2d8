"""The add-on's link to the backend process; imports nothing of bpy."""

from .client import BackendClient
from .endpoint import Backend, ClientKeys, Endpoint, RemoteBackend
from .events import Cancelled, Chunk, Connected, Done, Event, Failed, Lost, Progress
from .supervisor import Supervisor

__all__ = [
    "Backend",
    "BackendClient",
    "Cancelled",
    "Chunk",
    "ClientKeys",
    "Connected",
    "Done",
    "Endpoint",
    "Event",
    "Failed",
    "Lost",
    "Progress",
    "RemoteBackend",
    "Supervisor",
]
