"""What PostgreSQL has prepared for a reader's connection outlives the transaction.

To parse and plan a statement takes the database longer than to find a few rows by their keys. The
driver lets it prepare those that are run again and again, but forgets them all with a ROLLBACK, as
that may undo what they depend on. So transactions that have only read end with a COMMIT.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState

IN_TRANSACTION = 2
"""libpq's status of a transaction in which nothing has failed."""


def keep_prepared(engine: Engine) -> None:
    """Let the transactions of an engine that only reads end with COMMIT, unless they have failed.

    Its pool must not reset connections itself.
    """
    event.listen(engine, "reset", _end_transaction)


def _end_transaction(connection: Any, _record: ConnectionPoolEntry, state: PoolResetState) -> None:
    if state.transaction_was_reset:
        return
    if connection.pgconn.transaction_status == IN_TRANSACTION:
        connection.commit()
    else:
        connection.rollback()
