"""A write that changes nothing anybody reads, to learn whether the database can be written."""

from __future__ import annotations

from sqlalchemy import text

from lamia_gql.storage.transaction import WriteTransaction


def write_on_trial(transaction: WriteTransaction) -> None:
    """Have something small to commit durably. Neither waits for a row nor locks one.

    On SQLite, a number in the header of the file that SQLite itself does not use.
    """
    connection = transaction.connection
    if connection.dialect.name == "sqlite":
        number = connection.scalar(text("PRAGMA user_version")) or 0
        connection.exec_driver_sql(f"PRAGMA user_version = {(number + 1) % 2**31}")
        return
    # Refused if the database, or this user, may only read.
    connection.exec_driver_sql("UPDATE task SET id = id WHERE false")
    # A transaction that has a number writes a record of its commit.
    connection.exec_driver_sql("SELECT txid_current()")
