"""Recording the SQL statements of an application in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread
from typing import Any

from sqlalchemy import Engine, event

from lamia_gql.storage.driver import Driver

OWN = ("FROM access_token", "alembic_version", "pg_catalog.pg_class")
"""What is in statements that a server runs on its own: for access tokens, and the revision of the
database."""
GROUP = "), (?"
"""What is in a statement that inserts several rows."""


@contextmanager
def record_statements(thread: str = "") -> Iterator[list[str]]:
    """The statements that run during the block, without BEGIN.

    Those of :data:`OWN`, and those by which a server gives memory back, do not count. The rows that
    SQLite gets in groups are one statement. Where ``thread`` is given, only those of threads whose
    names begin so.
    """
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("BEGIN", "PRAGMA")) or any(own in statement for own in OWN):
            return
        if not current_thread().name.startswith(thread):
            return
        if statements and GROUP in statements[-1]:
            head = statement.partition(" VALUES ")[0]
            if head == statements[-1].partition(" VALUES ")[0]:
                return
        statements.append(statement)

    original: Any = Driver._run

    def run(driver: Driver, statement: str, *rest: Any) -> Any:
        note(None, None, statement)
        return original(driver, statement, *rest)

    event.listen(Engine, "before_cursor_execute", note)
    Driver._run = run  # type: ignore[method-assign, assignment]
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        Driver._run = original  # type: ignore[method-assign]
