"""The wire's bounds and times. All are our own choices; a peer may rely on them (docs/protocol.md)."""

from __future__ import annotations

PROTOCOL_MIN = 1
PROTOCOL_MAX = 1

MAX_HELLO_BYTES = 4 << 10  # any header from a peer that has not been welcomed
MAX_HEADER_BYTES = 4 << 20
MAX_ARRAYS = 64
MAX_DIMENSIONS = 4
MAX_FRAME_BYTES = 16 << 20
MAX_MESSAGE_BYTES = 32 << 20
MAX_UPLOAD_BYTES = 512 << 20  # all arrays of all jobs that have not ended: 2.3 h of 16 kHz float32
UPLOAD_PART_BYTES = 1 << 20
MAX_NAME_CHARS = 80

MAX_CLIENTS = 32
MAX_QUEUED_JOBS = 16
HIGH_WATER_MESSAGES = 8  # per peer and direction, inside ZeroMQ

HEARTBEAT_SECONDS = 1.0
LEASE_SECONDS = 7.0  # the backend forgets a client that was silent for so long
SILENCE_SECONDS = 5.0  # a client gives up a backend that was silent for so long
WARMING_SILENCE_SECONDS = 30.0  # the same while it loads PyTorch, which can hold all its threads up
HELLO_SECONDS = 10.0
STALL_SECONDS = 60.0  # the backend drops a client that takes no results for so long
