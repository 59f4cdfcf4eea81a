"""Tasks count their events, and know up to which one their BEATs were thinned."""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "2026_11_27_thinning"
down_revision: str | None = "2026_11_27_notifications"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go forward."""
    for name in ("events", "thinned_seq"):
        op.add_column("task", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    # Until now, the number of the last event was how many there are.
    op.execute("UPDATE task SET events = last_seq")


def downgrade() -> None:
    """Go back. The earlier version counts events that were thinned as if they were there."""
    op.drop_column("task", "thinned_seq")
    op.drop_column("task", "events")
