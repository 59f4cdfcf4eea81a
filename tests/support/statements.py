"""Recording the SQL statements of an application in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def record_statements(thread: str = "") -> Iterator[list[str]]:
    """The statements that run during the block, without BEGIN.

    Where ``thread`` is given, only those of threads whose names begin so.
    """
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN") and current_thread().name.startswith(thread):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)
