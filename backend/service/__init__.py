"""The backend's service: clients connect over ZeroMQ, a worker runs their jobs."""

from .config import ServeConfig, ServerKeys
from .curve import read_server_keys
from .jobs import JobContext, JobHandler
from .server import serve

__all__ = ["JobContext", "JobHandler", "ServeConfig", "ServerKeys", "read_server_keys", "serve"]
