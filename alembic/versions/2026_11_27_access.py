"""Tasks have an owner and tokens of their own; people and services have access tokens."""

from collections.abc import Sequence

import sqlalchemy as sa

from alembic import op

revision: str = "2026_11_27_access"
down_revision: str | None = "2026_11_24_exact_sums"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the columns and the table. Tasks of before have no owner."""
    op.add_column("task", sa.Column("owner", sa.String(255)))
    op.add_column(
        "task", sa.Column("token_generation", sa.Integer(), nullable=False, server_default="0")
    )
    op.create_table(
        "access_token",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("prefix", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("name", name="uq_access_token_name"),
        sa.UniqueConstraint("digest", name="uq_access_token_digest"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Remove the access tokens, and the owners of tasks."""
    op.drop_table("access_token")
    op.drop_column("task", "token_generation")
    op.drop_column("task", "owner")
