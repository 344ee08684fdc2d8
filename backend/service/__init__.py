"""The backend's service: clients connect over ZeroMQ, a worker runs their jobs."""

from .config import ServeConfig, ServerKeys
from .jobs import JobContext, JobHandler

__all__ = ["JobContext", "JobHandler", "ServeConfig", "ServerKeys"]
