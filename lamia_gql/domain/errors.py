"""The errors that clients see.

There are five kinds, each turned into an answer in one place::

    UserError      invalid input of a mutation: data in ``userErrors``, with a code and a field
    RequestError   invalid arguments of a query: a GraphQL error with ``extensions.code``
    LimitExceeded  an operation beyond a limit of the server: likewise, with HTTP 400
    AccessDenied   the credential is missing, invalid or does not allow it: likewise, with HTTP 401
                   or 403
    Unavailable    the server is temporarily unable, nothing was changed: likewise, with HTTP 503,
                   or 429 as RateExceeded;
                   or, as OutcomeUnknown, the database did not say whether it stored the request

Every other exception is unexpected. It is logged with an id, and the client gets only that id.
"""

from __future__ import annotations

import math
from enum import StrEnum


class ErrorCode(StrEnum):
    """The stable code of an error, for programs; people read the message."""

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
    EXIT_CODE_INVALID = "EXIT_CODE_INVALID"
    USAGE_INVALID = "USAGE_INVALID"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    BUSY = "BUSY"
    RATE_LIMITED = "RATE_LIMITED"
    STORAGE_FAILED = "STORAGE_FAILED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"

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
    RESPONSE_TOO_LARGE = "RESPONSE_TOO_LARGE"

    TOO_SLOW = "TOO_SLOW"
    STOPPING = "STOPPING"
    TOO_MANY_SUBSCRIPTIONS = "TOO_MANY_SUBSCRIPTIONS"
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    DOCUMENT_NOT_ALLOWED = "DOCUMENT_NOT_ALLOWED"
    NO_SECRET_KEY = "NO_SECRET_KEY"
    ROLES_INVALID = "ROLES_INVALID"
    TOKEN_NOT_FOUND = "TOKEN_NOT_FOUND"

    HOST_NOT_ALLOWED = "HOST_NOT_ALLOWED"
    ORIGIN_NOT_ALLOWED = "ORIGIN_NOT_ALLOWED"


MEANINGS: dict[ErrorCode, str] = {
    ErrorCode.TASK_NOT_FOUND: "No task has this name.",
    ErrorCode.PROCESS_NOT_FOUND: "The task has no process of this name.",
    ErrorCode.INDEX_REQUIRED: "The process is an array: give the index of the job.",
    ErrorCode.INDEX_FORBIDDEN: "The process is solitary: its one job has no index.",
    ErrorCode.INDEX_OUT_OF_RANGE: "The array has no job of this index.",
    ErrorCode.NAME_TAKEN: "Another task, or another process of the task, already has this name.",
    ErrorCode.NAME_INVALID: (
        "The name is empty, too long, or contains characters that are not allowed."
    ),
    ErrorCode.TEXT_INVALID: "The text is too long, or contains characters that can't be stored.",
    ErrorCode.JSON_INVALID: (
        "The JSON value can't be stored: it is too large, too deep, or not valid Unicode."
    ),
    ErrorCode.NO_PROCESSES: "A task needs at least one process.",
    ErrorCode.TOO_MANY: "More items than the server accepts in one request, or in one task.",
    ErrorCode.JOB_COUNT_INVALID: (
        "An array has at least one job, and at most as many as the server allows."
    ),
    ErrorCode.FIRST_INDEX_INVALID: (
        "The first index is negative, too large, or given without jobCount."
    ),
    ErrorCode.FAILURE_TOLERANCE_INVALID: (
        "The failure tolerance is negative, beyond jobCount, or given without jobCount."
    ),
    ErrorCode.THRESHOLD_INVALID: "A threshold is a finite number of at least 0.000000001.",
    ErrorCode.BEAT_INTERVAL_INVALID: (
        "A beat interval is a finite number of seconds greater than 0."
    ),
    ErrorCode.EVENT_ID_TAKEN: "An event of another job of this task already has this id.",
    ErrorCode.PROGRESS_INVALID: "Progress is a finite number from 0 to 1e18.",
    ErrorCode.ATTEMPT_INVALID: "An attempt is an integer from 0 to 2147483647.",
    ErrorCode.TIME_INVALID: "The time is too far ahead of the server's clock, or before 1970.",
    ErrorCode.EXIT_CODE_INVALID: "The exit code is not an integer of 32 bits.",
    ErrorCode.USAGE_INVALID: "A part of the usage is negative, too large or not finite.",
    ErrorCode.PAYLOAD_TOO_LARGE: "The payload is larger than the server accepts.",
    ErrorCode.BUSY: (
        "Too many events are waiting to be stored, too many operations for a connection to the"
        " database or for their turn, too many large answers are being sent, the server is"
        " receiving too much at once, another transaction keeps a task locked, or the system starts"
        " no more threads. Nothing was stored; try again later."
    ),
    ErrorCode.RATE_LIMITED: (
        "This client asks for more events, operations or values a second than it may. Nothing was"
        " changed; try again after the time in the header `Retry-After`."
    ),
    ErrorCode.STORAGE_FAILED: "The database failed. Nothing was stored; try again later.",
    ErrorCode.OUTCOME_UNKNOWN: (
        "The request, or a part of it, may or may not have been stored. Events can be sent again"
        " with the same ids: they are counted once."
    ),
    ErrorCode.PAGE_SIZE_REQUIRED: "The list may be long: `first` or `last` is required.",
    ErrorCode.PAGE_SIZE_INVALID: (
        "`first` or `last` is negative or greater than the server allows, or both are given."
    ),
    ErrorCode.CURSOR_INVALID: "The cursor is not valid for this list.",
    ErrorCode.ID_INVALID: "The id is not a valid id of this server.",
    ErrorCode.ARGUMENT_INVALID: "An argument has an invalid value.",
    ErrorCode.DOCUMENT_TOO_LONG: "The document has more characters than the server accepts.",
    ErrorCode.TOO_MANY_TOKENS: "The document has more tokens than the server accepts.",
    ErrorCode.TOO_MANY_DEFINITIONS: "The document has too many operations and fragments.",
    ErrorCode.TOO_DEEP: "The document's fields or values are nested too deeply.",
    ErrorCode.TOO_MANY_ALIASES: "The document has too many aliases.",
    ErrorCode.TOO_MANY_DUPLICATES: "The document selects too many fields more than once.",
    ErrorCode.TOO_MANY_DIRECTIVES: "The document has too many directives.",
    ErrorCode.TOO_COSTLY: "The answer may have too many values: request less at once.",
    ErrorCode.TIMED_OUT: "The operation took too long and was stopped: request less at once.",
    ErrorCode.RESPONSE_TOO_LARGE: (
        "The answer would have more bytes than the server sends at once: request less at once. The"
        " changes of a mutation were made."
    ),
    ErrorCode.TOO_SLOW: (
        "The client read too slowly, and the subscription was ended; resume it from the last cursor"
        " received."
    ),
    ErrorCode.STOPPING: (
        "The server is shutting down, and the subscription was ended; resume it later."
    ),
    ErrorCode.TOO_MANY_SUBSCRIPTIONS: (
        "More operations at once than the server allows on one connection, by number or in bytes,"
        " for one address, or in bytes for all."
    ),
    ErrorCode.TOO_MANY_CONNECTIONS: (
        "More connections than the server allows, live ones from one client address or all"
        " together."
    ),
    ErrorCode.UNAUTHENTICATED: (
        "The server needs a credential, and there is none, or it is not valid, has expired, or was"
        " revoked."
    ),
    ErrorCode.FORBIDDEN: "The credential is valid, but does not allow this.",
    ErrorCode.DOCUMENT_NOT_ALLOWED: (
        "The server executes only documents that its operator has named, and this is none of them:"
        " see the setting `persisted_documents`."
    ),
    ErrorCode.NO_SECRET_KEY: (
        "The server can't sign tokens and sessions: see the settings `secret_keys` and"
        " `secret_file`."
    ),
    ErrorCode.ROLES_INVALID: "A token needs at least one role.",
    ErrorCode.TOKEN_NOT_FOUND: "No access token has this name.",
    ErrorCode.HOST_NOT_ALLOWED: (
        "The request names a host that is none of the server's: see the setting `allowed_hosts`."
    ),
    ErrorCode.ORIGIN_NOT_ALLOWED: (
        "The request comes from a web page that may not use the server: see the setting"
        " `allowed_origins`."
    ),
}
"""The meaning of each code, for the schema's descriptions and the documentation."""


class LamiaError(Exception):
    """The base of all errors that clients see."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class UserError(LamiaError):
    """Invalid input of a mutation; ``field`` is a path into it, like ``processes.2.name``."""

    def __init__(self, code: ErrorCode, message: str, field: str | None = None) -> None:
        super().__init__(code, message)
        self.field = field


class RequestError(LamiaError):
    """Invalid arguments of a query."""


class LimitExceeded(LamiaError):  # noqa: N818  (the name says that it is an error)
    """An operation beyond ``limit``, which is in the unit that the code implies."""

    def __init__(self, code: ErrorCode, message: str, limit: float) -> None:
        super().__init__(code, message)
        self.limit = limit


class AccessDenied(LamiaError):  # noqa: N818  (an answer to the client)
    """A request that its credential does not allow, or that has no valid one.

    The code is UNAUTHENTICATED where another credential is needed, and DOCUMENT_NOT_ALLOWED where
    none would help, else FORBIDDEN.
    """


class Unavailable(LamiaError):  # noqa: N818  (a state of the server rather than an error)
    """The server is temporarily unable; the same request may succeed later."""


class RateExceeded(Unavailable):
    """A client asks for more in a second than it may; ``retry_after`` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(ErrorCode.RATE_LIMITED, message)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """The header of HTTP that says when to come back."""
        return {"retry-after": str(math.ceil(self.retry_after))}


class OutcomeUnknown(Unavailable):
    """The request, or a part of it, may or may not have been stored."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.OUTCOME_UNKNOWN,
            "The database has not confirmed the whole request: it may or may not have been stored."
            " Events can safely be sent again with the same ids; before you repeat another change,"
            " look whether it was made.",
        )
