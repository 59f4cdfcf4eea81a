"""Positions in the WAL of a PostgreSQL: what is committed, and what a replica has replayed."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Position: TypeAlias = int
"""A place in the WAL, in bytes from its beginning."""
Timeline: TypeAlias = str
"""In which history of a PostgreSQL a position is: each promotion begins another one."""
COMMITTED = """
    pg_wal_lsn_diff(CASE WHEN current_setting('synchronous_commit') = 'off'
      THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END, '0/0')::bigint
"""
"""Behind every commit that was answered. What is flushed reaches replicas at once; with
``synchronous_commit = off``, commits are answered before that."""
READ_COMMITTED_POSITION = f"SELECT {COMMITTED}"
READ_PRIMARY = f"""
    SELECT {COMMITTED}, left(pg_walfile_name(pg_current_wal_lsn()), 8)
    WHERE NOT pg_is_in_recovery()
"""
"""What is committed, and the timeline; nothing on what is not a primary."""
READ_REPLICA = """
    SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint,
      extract(epoch FROM pg_postmaster_start_time())::float8
    WHERE pg_is_in_recovery()
"""
"""The columns of a :class:`Replayed`; nothing on what is not a replica."""


class Replayed(NamedTuple):
    """What a replica says of itself."""

    position: Position
    """What it has replayed."""
    started_at: float
    """When it was started, in seconds since 1970."""
