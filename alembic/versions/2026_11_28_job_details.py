"""Jobs can be held, and events tell why a job ended, its batch id and what it used."""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "2026_11_28_job_details"
down_revision: str | None = "2026_11_27_thinning"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

JOB_STATES = ["SUBMITTED", "RUNNING", "DONE", "FAILED", "TERMINATED"]
EVENT_CLASSES = ["SUBMITTED", "STARTED", "READY", "BEAT", "PROGRESS", *JOB_STATES[2:]]
HELD = "HELD"
FAILED = sa.text("state IN ('FAILED', 'TERMINATED')")
JOB_COLUMNS = (
    ("held_attempt", sa.Integer()),
    ("held_at", sa.DateTime(timezone=True)),
    ("details", sa.Text()),
    ("exit_code", sa.Integer()),
    ("signal", sa.Text()),
    ("message", sa.Text()),
    ("message_key", sa.BigInteger()),
    ("batch_id", sa.Text()),
    ("usage", sa.Text()),
)


def upgrade() -> None:
    """Go forward."""
    allow_values("job", "state", JOB_STATES, [*JOB_STATES, HELD])
    allow_values("event", "event_class", EVENT_CLASSES, [*EVENT_CLASSES, HELD])
    op.add_column("sample", sa.Column("held", sa.Integer(), server_default="0", nullable=False))
    add_checked_held()
    op.add_column("event", sa.Column("details", sa.Text(), nullable=True))
    for name, kind in JOB_COLUMNS:
        op.add_column("job", sa.Column(name, kind, nullable=True))
    op.create_index(
        "ix_job_failure",
        "job",
        [
            "task_id",
            "process_number",
            "exit_code",
            "signal",
            "message_key",
            "seen_hostname",
            "closed_at",
            "state",
            "job_index",
        ],
        sqlite_where=FAILED,
        postgresql_where=FAILED,
    )


def downgrade() -> None:
    """Go back. Jobs that are held become SUBMITTED: they wait."""
    op.drop_index("ix_job_failure", "job")
    op.execute("UPDATE event SET event_class = 'SUBMITTED' WHERE event_class = 'HELD'")
    op.execute("UPDATE job SET state = 'SUBMITTED' WHERE state = 'HELD'")
    op.execute("UPDATE job SET seen_class = 'SUBMITTED' WHERE seen_class = 'HELD'")
    # The bits of SUBMITTED and HELD are 1 and 256.
    op.execute(
        "UPDATE process SET submitted = submitted + held, event_classes = (event_classes & 255) | 1"
        " WHERE event_classes & 256 <> 0"
    )
    op.execute("UPDATE process SET last_event_class = 'SUBMITTED' WHERE last_event_class = 'HELD'")
    op.execute("UPDATE sample SET submitted = submitted + held")
    for name, _ in reversed(JOB_COLUMNS):
        op.drop_column("job", name)
    op.drop_column("event", "details")
    drop_checked_held()
    op.drop_column("sample", "held")
    allow_values("event", "event_class", [*EVENT_CLASSES, HELD], EVENT_CLASSES)
    allow_values("job", "state", [*JOB_STATES, HELD], JOB_STATES)


def add_checked_held() -> None:
    """Add the counter of a process."""
    rule = "CONSTRAINT ck_process_held CHECK (held >= 0 AND held <= job_count)"
    op.execute(f"ALTER TABLE process ADD COLUMN held INTEGER DEFAULT '0' NOT NULL {rule}")


def drop_checked_held() -> None:
    """Remove it, with its rule."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_process_held"), "process", type_="check")
    op.drop_column("process", "held")


def allow_values(table: str, column: str, old: Sequence[str], new: Sequence[str]) -> None:
    """Replace the rule that a column has one of these values.

    SQLite can't change it. To copy the table would take minutes for millions of events, so its
    definition is edited, as https://www.sqlite.org/lang_altertable.html describes.
    """
    name = f"ck_{table}_{column}"
    before, after = (rule(column, values) for values in (old, new))
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, after)
        return
    version = connection.scalar(sa.text("PRAGMA schema_version"))
    op.execute("PRAGMA writable_schema = ON")
    changed = connection.execute(
        sa.text(
            "UPDATE sqlite_schema SET sql = replace(sql, :before, :after)"
            " WHERE type = 'table' AND name = :name AND instr(sql, :before) > 0"
        ),
        {"before": before, "after": after, "name": table},
    )
    if changed.rowcount != 1:
        raise RuntimeError(f"the rule {name} was not found in the database")
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")


def rule(column: str, values: Sequence[str]) -> str:
    """The rule, as the first migration has written it."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"
