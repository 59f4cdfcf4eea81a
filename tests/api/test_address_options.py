"""Run-time parameters of PostgreSQL in the address of the database."""

from __future__ import annotations

from sqlalchemy import text

from lamia_gql.domain.settings import load
from lamia_gql.storage.database import Database

OPTIONS = (
    "-c%20plan_cache_mode%3Dauto%20-c%20timezone%3DEurope/Paris%20-c%20lock_timeout%3D0"
    "%20-c%20default_transaction_isolation%3Dserializable"
)
SHOWN = ("plan_cache_mode", "enable_seqscan", "timezone", "lock_timeout", "transaction_isolation")


def test_the_address_says_how_statements_are_planned(postgres_url: str) -> None:
    """What the program depends on, it can't change."""
    settings = load(database_url=f"{postgres_url}&options={OPTIONS}", database_timeout=7)
    database = Database(settings)
    # The driver begins the first transaction of a connection.
    for _ in range(2):
        found = database.write_blocking(
            lambda t: [t.connection.scalar(text(f"SHOW {name}")) for name in SHOWN]
        )
        assert found == ["auto", "off", "UTC", "7s", "read committed"]
    database.close()
