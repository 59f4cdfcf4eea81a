"""How large the database is, and how much it has written."""

from __future__ import annotations

from typing import NamedTuple

import psycopg

SIZES = """
WITH found AS (
  SELECT c.oid, 'event'::regclass = coalesce(i.inhparent, c.oid) AS of_events
  FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
  WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
)
SELECT coalesce(sum(pg_table_size(oid)) FILTER (WHERE of_events), 0)::bigint,
  coalesce(sum(pg_indexes_size(oid)) FILTER (WHERE of_events), 0)::bigint,
  coalesce(sum(pg_total_relation_size(oid)) FILTER (WHERE NOT of_events), 0)::bigint,
  pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
  (SELECT count(*) FROM job)
FROM found"""


class Sizes(NamedTuple):
    """Sizes in bytes, and a number."""

    events: int
    """The table of events, with its partitions."""
    indexes: int
    """Its indexes."""
    others: int
    """All other tables, with their indexes."""
    wal: int
    """The position in the write-ahead log."""
    jobs: int
    """How many jobs have events."""

    @classmethod
    def read(cls, database: str) -> Sizes:
        """Those of a PostgreSQL, of which this is the address."""
        with psycopg.connect(database) as connection:
            found = connection.execute(SIZES).fetchone()
        assert found is not None
        return cls(*found)

    def growth(self, before: Sizes, events: int) -> str:
        """By how much it has grown since, for each of so many events."""
        grown = [(now - then) / events for now, then in zip(self, before, strict=True)]
        return (
            f"table {grown[0]:.0f}, indexes {grown[1]:.0f}, other tables {grown[2]:.0f},"
            f" write-ahead log {grown[3]:.0f}"
        )

    def growth_by_job(self, before: Sizes) -> str:
        """By how much the other tables have grown since, for each new job."""
        return f"{(self.others - before.others) / max(self.jobs - before.jobs, 1):.0f}"
