"""The lines of the log: for people, or as JSON for programs; each with the id of its request."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from lamia_gql.api.current_request import current_request

TEXT = "%(asctime)s %(levelname)s %(name)s%(request)s: %(message)s"
OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""The attributes of every record; all others were given with ``extra``."""
LEFT_OUT = OWN_ATTRIBUTES | {"color_message"}
"""Of Uvicorn, which says the same once more, for a terminal."""
SHOWN_CHARACTERS = 100
"""How much of the name of an operation is shown."""


class TextFormatter(logging.Formatter):
    """``TIME LEVEL LOGGER [REQUEST]: MESSAGE``, and a traceback below."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """The line without a traceback."""
        request = current_request.get()
        record.request = "" if request is None else f" [{request.id}]"
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line.

    It has ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message`` and ``process``; in a
    request, ``request`` and ``operation``; ``error``, ``traceback``; and whatever ``extra`` adds.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        request = current_request.get()
        if request is not None:
            line["request"] = request.id
            if request.operation is not None:
                line["operation"] = request.operation[:SHOWN_CHARACTERS]
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["traceback"] = self.formatException(record.exc_info)
        given = {name: value for name, value in vars(record).items() if name not in LEFT_OUT}
        return json.dumps(line | given, ensure_ascii=False, default=str)


FORMATTERS: dict[str, type[logging.Formatter]] = {"text": TextFormatter, "json": JsonFormatter}
"""By the values of the setting ``log_format``."""
