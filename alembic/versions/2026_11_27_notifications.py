"""Notifications: an outbox, and what is known of each task."""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "2026_11_27_notifications"
down_revision: str | None = "2026_11_27_access"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("task", sa.Column("notify", sa.Integer(), nullable=True))
    op.add_column(
        "task", sa.Column("notifications", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("task", sa.Column("silent_seq", sa.BigInteger(), nullable=True))
    op.create_table(
        "notification",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("occasion", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("task", sa.String(length=255), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "occasion IN ('SUCCEEDED', 'FAILED', 'CANNOT_SUCCEED', 'SILENT')",
            name=op.f("ck_notification_occasion"),
        ),
        sa.CheckConstraint(
            "channel IN ('EMAIL', 'WEBHOOK', 'APPRISE')", name=op.f("ck_notification_channel")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
    )
    op.create_index(
        "ix_notification_due", "notification", ["channel", "receiver", "due_at"], unique=False
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("notification")
    for name in ("silent_seq", "notifications", "notify"):
        op.drop_column("task", name)
