"""Positions in the WAL of a PostgreSQL: what is committed, and what a replica has replayed."""

from __future__ import annotations

from typing import TypeAlias

Position: TypeAlias = int
"""A place in the WAL, in bytes from its beginning."""
COMMITTED = """
    pg_wal_lsn_diff(CASE WHEN current_setting('synchronous_commit') = 'off'
      THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END, '0/0')::bigint
"""
"""Behind every commit that was answered. What is flushed reaches replicas at once; with
``synchronous_commit = off``, commits are answered before that."""
READ_COMMITTED_POSITION = f"SELECT {COMMITTED}"
READ_PRIMARY = f"SELECT CASE WHEN NOT pg_is_in_recovery() THEN {COMMITTED} END"
"""What is committed; NULL on what is not a primary."""
READ_REPLICA = """
    SELECT CASE WHEN pg_is_in_recovery()
      THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END
"""
"""What was replayed; NULL on what is not a replica."""
