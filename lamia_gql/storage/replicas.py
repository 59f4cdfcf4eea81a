"""The replicas of a PostgreSQL, as their primary sees them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import text

from lamia_gql.storage.transaction import ReadConnection

MAX_REPLICAS = 100
READ_REPLICAS = text(
    f"""
    SELECT application_name,
      max(coalesce(extract(epoch FROM replay_lag), 0)),
      max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))
    FROM pg_stat_replication
    WHERE replay_lsn IS NOT NULL
    GROUP BY application_name ORDER BY application_name LIMIT {MAX_REPLICAS}
    """  # noqa: S608  (a number of ours)
)
"""Who may not see replicas (role ``pg_monitor``) gets NULL in place of what they have replayed."""


class Replica(NamedTuple):
    """How far a replica is behind; of several of one name, the furthest."""

    name: str
    """Its ``application_name``."""
    lag_s: float
    """How long PostgreSQL waited lately for it to have replayed a commit, in seconds. It is 0 when
    nothing is to be replayed, and stays as it was while the replica says nothing."""
    lag_bytes: float
    """How much it has not yet replayed, in bytes."""


def read_replicas(connection: ReadConnection) -> list[Replica]:
    """The replicas of the database, of at most :data:`MAX_REPLICAS` names, by name.

    None are known on SQLite, and for users of PostgreSQL who may not see them.
    """
    if connection.dialect.name != "postgresql":
        return []
    rows = connection.execute(READ_REPLICAS)
    return [Replica(name, float(lag_s), float(lag_bytes)) for name, lag_s, lag_bytes in rows]
