"""A log in which a line that is repeated hides no other."""

from __future__ import annotations

import logging
import threading
from copy import copy
from dataclasses import dataclass
from types import TracebackType

from lamia_gql.api.audit import AUDIT_LOG

INTERVAL_S = 10.0
"""How often repetitions are summed up."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What lines have in common that repeat each other."""

    logger: str
    level: int
    template: str
    database: str
    """The attribute ``database`` of the record: lines about one hide none about another."""
    error: str
    """The error's class and, if it comes from the database, what that says."""
    line: int
    """Where the error was raised."""


@dataclass(slots=True)
class Repetitions:
    """How often a line was repeated since it was last written, and its first text."""

    text: str
    number: int = 0


class CondensingHandler(logging.StreamHandler):  # type: ignore[type-arg] # not at run time
    """Writes a line when it is new; then, for as long as it is repeated, its number at intervals.

    Repetitions may have other arguments, but the same error and, where the record has this
    attribute, the same ``database``. Each record with an attribute ``incident`` is written, because
    clients were told its id, but only the first with a traceback. Each line of :data:`AUDIT_LOG`,
    and each for debugging, is written.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._repeated: dict[Kind, Repetitions] = {}
        self._end = threading.Event()
        threading.Thread(target=self._sum_up_at_intervals, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it."""
        if record.name == AUDIT_LOG or record.levelno <= logging.DEBUG:
            super().emit(record)
            return
        kind = _kind(record)
        found = self._repeated.get(kind)
        if found is None:
            self._repeated[kind] = Repetitions(record.getMessage())
            super().emit(record)
        elif hasattr(record, "incident"):
            shorter = copy(record)
            shorter.exc_info = shorter.exc_text = None
            super().emit(shorter)
        else:
            found.number += 1

    def close(self) -> None:
        """Write what was counted, and end."""
        self._end.set()
        self.sum_up()
        super().close()

    def _sum_up_at_intervals(self) -> None:
        while not self._end.wait(self._interval_s):
            self.sum_up()

    def sum_up(self) -> None:
        """Write what was counted, and forget the lines that were not repeated."""
        self.acquire()
        try:
            for kind, found in list(self._repeated.items()):
                if found.number:
                    super().emit(self._summary(kind, found))
                    found.number = 0
                else:
                    del self._repeated[kind]
        finally:
            self.release()

    def _summary(self, kind: Kind, found: Repetitions) -> logging.LogRecord:
        error = f" ({kind.error})" if kind.error else ""
        text = f"{found.text}{error}: {found.number} more within {self._interval_s:g} s"
        return logging.LogRecord(kind.logger, kind.level, "", 0, text, None, None)


def sum_up_log() -> None:
    """Write what was counted, as the process is about to end."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, CondensingHandler):
            handler.sum_up()


def _kind(record: logging.LogRecord) -> Kind:
    error, line = "", 0
    if record.exc_info and record.exc_info[1] is not None:
        _, raised, trace = record.exc_info
        said = str(getattr(raised, "orig", None) or "").partition("\n")[0]
        error = f"{type(raised).__name__}{': ' if said else ''}{said}"
        line = _last_line(trace)
    database = str(getattr(record, "database", ""))
    return Kind(record.name, record.levelno, str(record.msg), database, error, line)


def _last_line(trace: TracebackType | None) -> int:
    line = 0
    while trace is not None:
        line, trace = trace.tb_lineno, trace.tb_next
    return line
