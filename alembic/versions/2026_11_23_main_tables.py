"""The main tables: tasks, tags, processes, jobs, events and samples."""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "2026_11_23_main_tables"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "task",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hostname", sa.Text(), nullable=True),
        sa.Column("client_address", sa.Text(), nullable=True),
        sa.Column("config", sa.Text(), nullable=True),
        sa.Column("dependencies", sa.Text(), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('PENDING', 'SUBMITTED', 'RUNNING', 'SUCCEEDED', 'FAILED')",
            name=op.f("ck_task_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("name", name=op.f("uq_task_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_task_deleted",
        "task",
        ["id"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index("ix_task_finished_at_id", "task", ["finished_at", "id"], unique=False)
    op.create_index("ix_task_last_event_at_id", "task", ["last_event_at", "id"], unique=False)
    op.create_index("ix_task_received_at_id", "task", ["received_at", "id"], unique=False)
    op.create_index("ix_task_state_id", "task", ["state", "id"], unique=False)
    op.create_index("ix_task_submitted_at_id", "task", ["submitted_at", "id"], unique=False)
    op.create_index("ix_task_username_id", "task", ["username", "id"], unique=False)
    op.create_table(
        "process",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("job_count", sa.Integer(), nullable=False),
        sa.Column("first_index", sa.Integer(), nullable=False),
        sa.Column("failure_tolerance", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("beat_interval", sa.Double(), nullable=True),
        sa.Column("submitted", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("terminated", sa.Integer(), nullable=False),
        sa.Column("reporting", sa.Integer(), nullable=False),
        sa.Column("progress_sum", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("event_classes", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_event_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("last_event_class", sa.String(length=16), nullable=True),
        sa.Column("sample_step", sa.Integer(), nullable=False),
        sa.Column("sampled_since", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind = 'ARRAY' OR (job_count = 1 AND first_index = 0)",
            name=op.f("ck_process_solitary"),
        ),
        sa.CheckConstraint("kind IN ('ARRAY', 'SOLITARY')", name=op.f("ck_process_kind")),
        sa.CheckConstraint(
            "state IN ('PENDING', 'SUBMITTED', 'RUNNING', 'SUCCEEDED', 'FAILED')",
            name=op.f("ck_process_state"),
        ),
        sa.CheckConstraint("beat_interval > 0", name=op.f("ck_process_beat_interval")),
        sa.CheckConstraint(
            "failure_tolerance >= 0 AND failure_tolerance <= job_count",
            name=op.f("ck_process_failure_tolerance"),
        ),
        sa.CheckConstraint("first_index >= 0", name=op.f("ck_process_first_index")),
        sa.CheckConstraint("job_count >= 1", name=op.f("ck_process_job_count")),
        sa.CheckConstraint(
            "submitted >= 0 AND running >= 0 AND done >= 0 AND failed >= 0 AND terminated >= 0 AND submitted + running + done + failed + terminated <= job_count",
            name=op.f("ck_process_counters"),
        ),
        sa.CheckConstraint("threshold > 0", name=op.f("ck_process_threshold")),
        sa.ForeignKeyConstraint(
            ["task_id"], ["task.id"], name=op.f("fk_process_task"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "number", name=op.f("pk_process")),
        sa.UniqueConstraint("task_id", "name", name=op.f("uq_process_task_id_name")),
    )
    op.create_table(
        "tag",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["task.id"], name=op.f("fk_tag_task"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "name", name=op.f("pk_tag")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tag_name_task_id", "tag", ["name", "task_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("process_number", sa.Integer(), nullable=False),
        sa.Column("job_index", sa.Integer(), nullable=False),
        sa.Column("event_class", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("progress", sa.Double(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("hostname", sa.Text(), nullable=True),
        sa.Column("client_address", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "event_class IN ('SUBMITTED', 'STARTED', 'READY', 'BEAT', 'PROGRESS', 'DONE', 'FAILED', 'TERMINATED')",
            name=op.f("ck_event_event_class"),
        ),
        sa.CheckConstraint("attempt >= 0", name=op.f("ck_event_attempt")),
        sa.CheckConstraint("progress >= 0", name=op.f("ck_event_progress")),
        sa.ForeignKeyConstraint(
            ["task_id", "process_number"],
            ["process.task_id", "process.number"],
            name=op.f("fk_event_process"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("task_id", "seq", name=op.f("pk_event")),
        sa.UniqueConstraint("task_id", "id", name=op.f("uq_event_task_id_id")),
    )
    op.create_index(
        "ix_event_job", "event", ["task_id", "process_number", "job_index", "seq"], unique=False
    )
    op.create_index("ix_event_process", "event", ["task_id", "process_number", "seq"], unique=False)
    op.create_table(
        "job",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("process_number", sa.Integer(), nullable=False),
        sa.Column("job_index", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("progress", sa.Double(), nullable=True),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.Column("opened_attempt", sa.Integer(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_attempt", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_attempt", sa.Integer(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("closed_class", sa.String(length=16), nullable=True),
        sa.Column("reading_attempt", sa.Integer(), nullable=True),
        sa.Column("reading_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reading_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("reading_value", sa.Double(), nullable=True),
        sa.Column("alive_attempt", sa.Integer(), nullable=True),
        sa.Column("alive_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_attempt", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seen_class", sa.String(length=16), nullable=False),
        sa.Column("seen_hostname", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('SUBMITTED', 'RUNNING', 'DONE', 'FAILED', 'TERMINATED')",
            name=op.f("ck_job_state"),
        ),
        sa.ForeignKeyConstraint(
            ["task_id", "process_number"],
            ["process.task_id", "process.number"],
            name=op.f("fk_job_process"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("task_id", "process_number", "job_index", name=op.f("pk_job")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_job_alive_at",
        "job",
        ["task_id", "process_number", "alive_at"],
        unique=False,
        sqlite_where=sa.text("state = 'RUNNING'"),
        postgresql_where=sa.text("state = 'RUNNING'"),
    )
    op.create_index(
        "ix_job_state", "job", ["task_id", "process_number", "state", "job_index"], unique=False
    )
    op.create_table(
        "sample",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("process_number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("submitted", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("terminated", sa.Integer(), nullable=False),
        sa.Column("reporting", sa.Integer(), nullable=False),
        sa.Column("progress_sum", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id", "process_number"],
            ["process.task_id", "process.number"],
            name=op.f("fk_sample_process"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("task_id", "process_number", "at", name=op.f("pk_sample")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("sample")
    op.drop_index("ix_job_state", table_name="job")
    op.drop_index("ix_job_alive_at", table_name="job")
    op.drop_table("job")
    op.drop_index("ix_event_process", table_name="event")
    op.drop_index("ix_event_job", table_name="event")
    op.drop_table("event")
    op.drop_index("ix_tag_name_task_id", table_name="tag")
    op.drop_table("tag")
    op.drop_table("process")
    op.drop_index("ix_task_username_id", table_name="task")
    op.drop_index("ix_task_submitted_at_id", table_name="task")
    op.drop_index("ix_task_state_id", table_name="task")
    op.drop_index("ix_task_received_at_id", table_name="task")
    op.drop_index("ix_task_last_event_at_id", table_name="task")
    op.drop_index("ix_task_finished_at_id", table_name="task")
    op.drop_index("ix_task_deleted", table_name="task")
    op.drop_table("task")
