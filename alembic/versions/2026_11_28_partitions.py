"""PostgreSQL keeps jobs, events and samples in partitions, by ranges of the ids of tasks.

The tables that there are become the first partitions, as they are. Servers may go on meanwhile:
they wait for a lock for 50 ms at most, and nothing is read or written under one.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from alembic import op

revision: str = "2026_11_28_partitions"
down_revision: str | None = "2026_11_28_usage"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ONLINE = True
"""Servers of the previous revision may run while this goes forward, and after it."""
TABLES = ("job", "event", "sample")
# As they were first written: by another form of the same condition, PostgreSQL would not know the
# index that there is, and make another one.
INDEXES = {
    "job": {
        "ix_job_state": "(task_id, process_number, state, job_index)",
        "ix_job_alive_at": "(task_id, process_number, alive_at) WHERE state = 'RUNNING'",
        "ix_job_failure": "(task_id, process_number, exit_code, signal, message_key,"
        " seen_hostname, closed_at, state, job_index) WHERE state IN ('FAILED', 'TERMINATED')",
    },
    "event": {
        "ix_event_job": "(task_id, process_number, job_index, seq)",
        "ix_event_process": "(task_id, process_number, seq)",
    },
    "sample": {},
}
WIDTH = 2**24
SUFFIX = "_r0"
"""What the names of a first partition and its indexes have behind those of its table."""
IN_RANGE = "first_range"
LOCK_TIMEOUT_MS = 50
PAUSE_S = 0.5
PATIENCE_S = 600.0
LOCK_NOT_AVAILABLE = "55P03"


def upgrade() -> None:
    """Go forward. Where it was interrupted, it goes on."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    if follows_others(connection.engine):
        for table in TABLES:
            check(connection, table)
            partition(connection, table)
        return
    # Each step is committed by itself: a lock of the first would be kept while the second reads.
    for table in TABLES:
        for step in (check, validate, partition):
            when_free(connection.engine, table, step)


def follows_others(engine: sa.Engine) -> bool:
    """Whether earlier migrations are done in the same transaction, so that no server runs.

    Their tables can be seen in that transaction only.
    """
    with engine.connect() as connection:
        if connection.scalar(sa.text("SELECT to_regclass('alembic_version')")) is None:
            return True
        found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return bool(found != down_revision)


def check(connection: sa.Connection, table: str) -> None:
    """Have all tasks of the table in the range of its first partition, from now on."""
    if is_partitioned(connection, table):
        return
    end = first_end(connection)
    run(connection, f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {IN_RANGE}")
    rule = f"CONSTRAINT {IN_RANGE} CHECK (task_id < {end})"
    run(connection, f"ALTER TABLE {table} ADD {rule} NOT VALID")


def first_end(connection: sa.Connection) -> int:
    """The first id behind the first partitions: the same for all tables, however many come later."""
    known = connection.scalar(
        sa.text(
            "SELECT substring(pg_get_expr(relpartbound, oid) FROM '''([0-9]+)')"
            " FROM pg_class WHERE oid = to_regclass(:first)"
        ),
        {"first": TABLES[0] + SUFFIX},
    )
    if known is not None:
        return int(known)
    last = connection.scalar(sa.text("SELECT last_value FROM task_id_seq")) or 0
    # At least half of a range is left for new tasks.
    return int((last + WIDTH // 2) // WIDTH * WIDTH + WIDTH)


def validate(connection: sa.Connection, table: str) -> None:
    """Read the whole table, beside those who use it, so that it need not be read under a lock."""
    if not is_partitioned(connection, table):
        run(connection, f"ALTER TABLE {table} VALIDATE CONSTRAINT {IN_RANGE}")


def partition(connection: sa.Connection, table: str) -> None:
    """Make the table the first partition of one of its name."""
    if is_partitioned(connection, table):
        return
    # In the order in which writers lock them.
    for locked in ("process", table):
        run(connection, f"LOCK TABLE {locked} IN ACCESS EXCLUSIVE MODE")
    first = table + SUFFIX
    end = connection.scalar(
        sa.text(
            "SELECT substring(pg_get_constraintdef(oid) FROM '[0-9]+') FROM pg_constraint"
            " WHERE conrelid = CAST(:table AS regclass) AND conname = :name"
        ),
        {"table": table, "name": IN_RANGE},
    )
    definitions = list(keys_and_indexes(connection, table))
    grants = list(privileges(connection, table))
    run(connection, f"ALTER TABLE {table} DROP CONSTRAINT fk_{table}_process")
    run(connection, f"ALTER TABLE {table} RENAME TO {first}")
    for name, _ in definitions:
        run(connection, f"ALTER INDEX {name} RENAME TO {name}{SUFFIX}")
    run(
        connection,
        f"CREATE TABLE {table} (LIKE {first} INCLUDING ALL EXCLUDING INDEXES)"
        " PARTITION BY RANGE (task_id)",
    )
    run(connection, f"ALTER TABLE {table} DROP CONSTRAINT {IN_RANGE}")
    for statement in [*(definition for _, definition in definitions), *grants]:
        run(connection, statement)
    run(
        connection,
        f"ALTER TABLE {table} ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO ({end})",
    )
    run(connection, f"ALTER TABLE {first} DROP CONSTRAINT {IN_RANGE}")


def keys_and_indexes(connection: sa.Connection, table: str) -> Iterator[tuple[str, str]]:
    """The names of the keys and indexes of a table, and the statements that make them."""
    keys = connection.execute(
        sa.text(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = CAST(:table AS regclass) AND contype IN ('p', 'u')"
        ),
        {"table": table},
    )
    for name, definition in keys:
        yield name, f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"
    for name, indexed in INDEXES[table].items():
        yield name, f"CREATE INDEX {name} ON {table} {indexed}"


def privileges(connection: sa.Connection, table: str) -> Iterator[str]:
    """The statements that grant what others than the owner may do with a table."""
    rows = connection.execute(
        sa.text(
            "SELECT given.privilege_type, given.is_grantable,"
            " CASE given.grantee WHEN 0 THEN 'PUBLIC'"
            " ELSE quote_ident(pg_get_userbyid(given.grantee)) END"
            " FROM pg_class AS c, aclexplode(c.relacl) AS given"
            " WHERE c.oid = CAST(:table AS regclass) AND given.grantee <> c.relowner"
        ),
        {"table": table},
    )
    for privilege, is_grantable, grantee in rows:
        option = " WITH GRANT OPTION" if is_grantable else ""
        yield f"GRANT {privilege} ON {table} TO {grantee}{option}"


def is_partitioned(connection: sa.Connection, table: str) -> bool:
    """Whether an earlier run has done the table."""
    kind = connection.scalar(
        sa.text("SELECT relkind FROM pg_class WHERE oid = CAST(:table AS regclass)"),
        {"table": table},
    )
    return bool(kind == "p")


def when_free(engine: sa.Engine, table: str, step: Callable[[sa.Connection, str], None]) -> None:
    """Take a step in a transaction that waits only briefly for locks; again until it has them."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with engine.begin() as connection:
                # Nobody waits behind this lock. It ends an autovacuum, which takes a second.
                for locked in ("process", table):
                    run(connection, f"LOCK TABLE {locked} IN SHARE UPDATE EXCLUSIVE MODE")
                run(connection, f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                return step(connection, table)
        except DBAPIError as error:
            is_locked = getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE
            if not is_locked or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_S)


def downgrade() -> None:
    """Go back: copy the rows of all partitions into one table."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in TABLES:
        made = [definition for _, definition in keys_and_indexes(connection, table)]
        made += privileges(connection, table)
        whole = f"{table}_whole"
        run(connection, f"CREATE TABLE {whole} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)")
        run(connection, f"INSERT INTO {whole} SELECT * FROM {table}")  # noqa: S608  (of fixed names)
        run(connection, f"DROP TABLE {table}")
        run(connection, f"ALTER TABLE {whole} RENAME TO {table}")
        for statement in made:
            run(connection, statement)
        op.create_foreign_key(
            op.f(f"fk_{table}_process"),
            table,
            "process",
            ["task_id", "process_number"],
            ["task_id", "number"],
            ondelete="CASCADE",
        )


def run(connection: sa.Connection, statement: str) -> None:
    """Run a statement."""
    connection.execute(sa.text(statement))
