"""Which servers may use a database of PostgreSQL, besides those of its revision.

While servers are upgraded one after the other, those of the earlier version work with a database
that was migrated already. Its revision says nothing to them. So the comment of the table
``alembic_version`` lists the earlier revisions whose servers may go on.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from lamia_gql.storage.engine import is_sqlite

SEPARATOR = ", "


def accepts(connection: Connection, revision: str) -> bool:
    """Whether servers of an earlier revision than that of the database may use it."""
    if is_sqlite(connection.engine):
        return False
    found = connection.scalar(
        text("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')")
    )
    return found is not None and revision in found.split(SEPARATOR)


def note_accepted(connection: Connection, revisions: Sequence[str]) -> None:
    """Note the earlier revisions whose servers may use the database; on SQLite there are none."""
    if not is_sqlite(connection.engine):
        listed = SEPARATOR.join(revisions)
        # It takes no parameters, and the names are those of files of ours.
        connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS '{listed}'")
