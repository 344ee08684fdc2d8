"""The one error tree of VividTalk. Every message says what failed, where, and what to do next."""

from __future__ import annotations


class VividTalkError(Exception):
    """Base of all expected failures.

    Args:
        what: one line that names the failure and where it happened (a path, a field, a frame).
        hint: one line that says what the user can do about it; empty when `what` says it.

    `code` is the stable name that travels over the wire in an error reply.
    """

    code = "error"

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what}. {hint}" if hint else what)
        self.what = what
        self.hint = hint


class InputError(VividTalkError):
    """A file or value from the user cannot be used."""

    code = "input"


class MediaError(InputError):
    """A sound or video file cannot be read."""

    code = "media"


class FileFormatError(InputError):
    """A VividTalk file (clip, face, model) is damaged or of another kind."""

    code = "format"


class OutputError(VividTalkError):
    """A result cannot be written: permissions, a missing folder, a full disk."""

    code = "output"


class MissingExtraError(VividTalkError):
    """A command needs an optional package that is not installed."""

    code = "missing_extra"


class ModelError(VividTalkError):
    """Model weights are missing, damaged, or do not fit the network."""

    code = "model"


class ProtocolError(VividTalkError):
    """A peer sent something that the wire protocol does not allow."""

    code = "protocol"


class VersionError(ProtocolError):
    """The peer speaks no protocol version that this side speaks."""

    code = "version"


class AuthError(ProtocolError):
    """The peer's launch token is missing or wrong."""

    code = "auth"


class BackendError(VividTalkError):
    """The backend process cannot be started, or stopped answering."""

    code = "backend"


class CancelledError(VividTalkError):
    """The job was cancelled by its owner."""

    code = "cancelled"


ERRORS_BY_CODE: dict[str, type[VividTalkError]] = {
    cls.code: cls
    for cls in (
        VividTalkError,
        InputError,
        MediaError,
        FileFormatError,
        OutputError,
        MissingExtraError,
        ModelError,
        ProtocolError,
        VersionError,
        AuthError,
        BackendError,
        CancelledError,
    )
}
