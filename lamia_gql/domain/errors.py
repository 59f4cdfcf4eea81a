"""What can go wrong, as users see it.

Four kinds reach the wire, each in one place only::

    UserError      bad input of one mutation: data in its ``userErrors``, with a code and a field
    RequestError   bad arguments of a query: a GraphQL error with ``extensions.code``
    LimitExceeded  an operation beyond what the server allows: the same, and HTTP 400
    Unavailable    the server can't just now, and nothing was changed: the same, and HTTP 503

Everything else is unexpected: it is logged with an id, and the client gets that id alone.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """The stable name of a problem; programs decide by it, people read the message."""

    TASK_NOT_FOUND = "TASK_NOT_FOUND"
    PROCESS_NOT_FOUND = "PROCESS_NOT_FOUND"
    INDEX_REQUIRED = "INDEX_REQUIRED"
    INDEX_FORBIDDEN = "INDEX_FORBIDDEN"
    INDEX_OUT_OF_RANGE = "INDEX_OUT_OF_RANGE"
    NAME_TAKEN = "NAME_TAKEN"
    NAME_INVALID = "NAME_INVALID"
    TEXT_INVALID = "TEXT_INVALID"
    JSON_INVALID = "JSON_INVALID"
    NO_PROCESSES = "NO_PROCESSES"
    TOO_MANY = "TOO_MANY"
    JOB_COUNT_INVALID = "JOB_COUNT_INVALID"
    FIRST_INDEX_INVALID = "FIRST_INDEX_INVALID"
    FAILURE_TOLERANCE_INVALID = "FAILURE_TOLERANCE_INVALID"
    THRESHOLD_INVALID = "THRESHOLD_INVALID"
    BEAT_INTERVAL_INVALID = "BEAT_INTERVAL_INVALID"
    EVENT_ID_TAKEN = "EVENT_ID_TAKEN"
    PROGRESS_INVALID = "PROGRESS_INVALID"
    ATTEMPT_INVALID = "ATTEMPT_INVALID"
    TIME_INVALID = "TIME_INVALID"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    BUSY = "BUSY"
    STORAGE_FAILED = "STORAGE_FAILED"

    PAGE_SIZE_REQUIRED = "PAGE_SIZE_REQUIRED"
    PAGE_SIZE_INVALID = "PAGE_SIZE_INVALID"
    CURSOR_INVALID = "CURSOR_INVALID"
    ID_INVALID = "ID_INVALID"
    ARGUMENT_INVALID = "ARGUMENT_INVALID"

    DOCUMENT_TOO_LONG = "DOCUMENT_TOO_LONG"
    TOO_MANY_TOKENS = "TOO_MANY_TOKENS"
    TOO_MANY_DEFINITIONS = "TOO_MANY_DEFINITIONS"
    TOO_DEEP = "TOO_DEEP"
    TOO_MANY_ALIASES = "TOO_MANY_ALIASES"
    TOO_MANY_DUPLICATES = "TOO_MANY_DUPLICATES"
    TOO_MANY_DIRECTIVES = "TOO_MANY_DIRECTIVES"
    TOO_COSTLY = "TOO_COSTLY"
    TIMED_OUT = "TIMED_OUT"

    TOO_SLOW = "TOO_SLOW"
    STOPPING = "STOPPING"
    TOO_MANY_SUBSCRIPTIONS = "TOO_MANY_SUBSCRIPTIONS"
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"


MEANINGS: dict[ErrorCode, str] = {
    ErrorCode.TASK_NOT_FOUND: "No task has this name.",
    ErrorCode.PROCESS_NOT_FOUND: "The task has no process of this name.",
    ErrorCode.INDEX_REQUIRED: "The process is an array: say which job, by its index.",
    ErrorCode.INDEX_FORBIDDEN: "The process is solitary: its one job has no index.",
    ErrorCode.INDEX_OUT_OF_RANGE: "The array has no job of this index.",
    ErrorCode.NAME_TAKEN: "Another task, or another process of the task, has this name already.",
    ErrorCode.NAME_INVALID: "The name is empty, too long, or has characters that it may not have.",
    ErrorCode.TEXT_INVALID: "The text is too long, or has characters that can't be stored.",
    ErrorCode.JSON_INVALID: "The JSON value can't be stored: too large, too deep, or not Unicode.",
    ErrorCode.NO_PROCESSES: "A task needs at least one process.",
    ErrorCode.TOO_MANY: "More than the server takes in one request, or in one task.",
    ErrorCode.JOB_COUNT_INVALID: (
        "An array has at least one job, and at most as many as the server allows."
    ),
    ErrorCode.FIRST_INDEX_INVALID: (
        "The first index is negative, too large, or given without jobCount."
    ),
    ErrorCode.FAILURE_TOLERANCE_INVALID: (
        "The failure tolerance is negative, beyond jobCount, or given without jobCount."
    ),
    ErrorCode.THRESHOLD_INVALID: "A threshold is a finite number from 0.000000001 on.",
    ErrorCode.BEAT_INTERVAL_INVALID: "A beat interval is a finite number of seconds above 0.",
    ErrorCode.EVENT_ID_TAKEN: "An event of another job of this task has this id already.",
    ErrorCode.PROGRESS_INVALID: "Progress is a finite number from 0 to 1e18.",
    ErrorCode.ATTEMPT_INVALID: "An attempt is a number from 0 to 2147483647.",
    ErrorCode.TIME_INVALID: "The time lies too far ahead of the server's clock, or before 1970.",
    ErrorCode.PAYLOAD_TOO_LARGE: "The payload is larger than the server takes.",
    ErrorCode.BUSY: "Too much is waiting to be stored. Nothing was stored; try again later.",
    ErrorCode.STORAGE_FAILED: "The database did not take it. Nothing was stored; try again later.",
    ErrorCode.PAGE_SIZE_REQUIRED: "The list may be long: say how much of it, by `first` or `last`.",
    ErrorCode.PAGE_SIZE_INVALID: (
        "`first` or `last` is negative, beyond the server's bound, or both are given."
    ),
    ErrorCode.CURSOR_INVALID: "The cursor is not one that this list has given.",
    ErrorCode.ID_INVALID: "The id is not one that this server has given.",
    ErrorCode.ARGUMENT_INVALID: "An argument has a value that makes no sense.",
    ErrorCode.DOCUMENT_TOO_LONG: "The document has more characters than the server reads.",
    ErrorCode.TOO_MANY_TOKENS: "The document has more tokens than the server reads.",
    ErrorCode.TOO_MANY_DEFINITIONS: "The document has too many operations and fragments.",
    ErrorCode.TOO_DEEP: "The document's fields or values are nested too deeply.",
    ErrorCode.TOO_MANY_ALIASES: "The document has too many aliases.",
    ErrorCode.TOO_MANY_DUPLICATES: "The document asks for too many fields more than once.",
    ErrorCode.TOO_MANY_DIRECTIVES: "The document has too many directives.",
    ErrorCode.TOO_COSTLY: "The answer may have too many values: ask for less at once.",
    ErrorCode.TIMED_OUT: "The operation took too long and was stopped: ask for less at once.",
    ErrorCode.TOO_SLOW: (
        "The subscriber did not keep up, and the subscription has ended; resume it from the last"
        " cursor that came."
    ),
    ErrorCode.STOPPING: (
        "The server stops, and the subscription has ended; resume it elsewhere, or later."
    ),
    ErrorCode.TOO_MANY_SUBSCRIPTIONS: "More subscriptions than one connection may have.",
    ErrorCode.TOO_MANY_CONNECTIONS: "More live connections than one client address may have.",
}
"""What each code means, for the schema's descriptions and for the docs."""


class LamiaError(Exception):
    """The root of all errors that a user is told of."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class UserError(LamiaError):
    """Bad input of a mutation; ``field`` is the path into the input, like ``processes.2.name``."""

    def __init__(self, code: ErrorCode, message: str, field: str | None = None) -> None:
        super().__init__(code, message)
        self.field = field


class RequestError(LamiaError):
    """Bad arguments of a query."""


class LimitExceeded(LamiaError):  # noqa: N818  (what it is, in fewer words)
    """An operation beyond what the server allows; ``limit`` is the bound, in the code's unit."""

    def __init__(self, code: ErrorCode, message: str, limit: float) -> None:
        super().__init__(code, message)
        self.limit = limit


class Unavailable(LamiaError):  # noqa: N818  (a state of the server rather than an error)
    """The server can't do it just now; the same request may succeed later."""
