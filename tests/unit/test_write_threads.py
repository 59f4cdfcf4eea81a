"""Threads that run writes: where the system starts no more, and what ends none of them."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from lamia_gql.domain.errors import ErrorCode, Unavailable
from lamia_gql.domain.settings import load
from lamia_gql.storage.database import WRITE_THREADS, Database
from lamia_gql.storage.transaction import WriteTransaction

TIMEOUT_S = 30.0
THREAD = "lamia_gql.storage.write_threads.Thread"


class RefusedThread(threading.Thread):
    """A thread for which the system has no room."""

    def start(self) -> None:
        """Fail, as Python does then."""
        raise RuntimeError("can't start new thread")


async def test_a_write_without_a_thread_is_refused(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not run later, when its caller was told that it failed.

    Where there are fewer threads than wanted, the others do all the work.
    """
    database = Database(load(database_url=postgres_url))
    run: list[int] = []

    def add(number: int, _transaction: WriteTransaction) -> None:
        run.append(number)

    with monkeypatch.context() as patched:
        patched.setattr(THREAD, RefusedThread)
        with pytest.raises(Unavailable, match="no more threads") as refused:
            await database.write_events(partial(add, 1), TIMEOUT_S)
        assert refused.value.code is ErrorCode.BUSY
    await database.write_events(partial(add, 2), TIMEOUT_S)
    assert run == [2]
    monkeypatch.setattr(THREAD, RefusedThread)
    works = [partial(add, number) for number in range(3, 6)]
    await asyncio.gather(*(database.write_events(work, TIMEOUT_S) for work in works))
    assert run == [2, 3, 4, 5]
    database.close()


class Odd(BaseException):
    """What is raised is no ``Exception``."""


async def test_whatever_a_write_raises_is_its_callers(sqlite_url: str) -> None:
    """The thread lives on, for the writes of others."""
    database = Database(load(database_url=sqlite_url))

    def fail(_transaction: WriteTransaction) -> None:
        raise Odd

    for _ in range(WRITE_THREADS + 1):
        with pytest.raises(Odd):
            await database.write(fail)
    assert await database.write(lambda _: "done") == "done"
    database.close()
