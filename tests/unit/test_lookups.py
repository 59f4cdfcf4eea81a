"""Lookups that are done together: each has its own result, and its own error."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import pytest
from graphql import OperationDefinitionNode, parse
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from lamia_gql.domain.errors import ErrorCode, Unavailable, UserError
from lamia_gql.domain.settings import load
from lamia_gql.graph.plans.plan import Plans
from lamia_gql.graph.schema import make_schema
from lamia_gql.storage import lookups as module
from lamia_gql.storage.database import Database
from lamia_gql.storage.lookups import MOST_TOGETHER, Lookups, Work

T = TypeVar("T")
SOON_S = 20.0


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with three reader connections, of which one address may have two."""
    database = Database(load(database_url=database_url, database_connections=3))
    yield database
    database.close()


def number(connection: Connection, value: int) -> int:
    """A number, from the database."""
    return int(connection.scalar(text(f"SELECT {value}")) or 0)


def alone(find: Callable[[Connection], T]) -> Work[None, T]:
    """A work that is equal to no other one."""
    return lambda connection, asked: [find(connection) for _ in asked]


def lookup(value: int) -> Work[None, int]:
    """A lookup of a number."""
    return alone(partial(number, value=value))


def numbers(connection: Connection, asked: Sequence[int]) -> list[int]:
    """Numbers, from the database in one statement; it must not find any below zero."""
    if min(asked) < 0:
        raise UserError(ErrorCode.TASK_NOT_FOUND, "There is none.", "name")
    shown = " UNION ALL ".join(f"SELECT {value}" for value in asked)
    return list(connection.scalars(text(shown)))


async def look(
    lookups: Lookups, work: Work[Any, T], asked: object = None, limit_s: float = SOON_S
) -> T:
    """What is found within a time limit."""
    return await lookups.run(work, asked, asyncio.get_running_loop().time() + limit_s)


async def test_those_that_wait_are_done_together(database: Database) -> None:
    """Each gets its own result, from a few transactions."""
    transactions = 0

    def count(*_: object) -> None:
        nonlocal transactions
        transactions += 1

    event.listen(database.readers._engine, "checkout", count)
    found = await asyncio.gather(
        *(look(database.lookups, lookup(n)) for n in range(4 * MOST_TOGETHER))
    )
    assert found == list(range(4 * MOST_TOGETHER))
    assert transactions == 4


@pytest.mark.parametrize("gathering_s", [SOON_S, 0])
async def test_more_are_waited_for_as_long_as_they_come(
    database: Database, gathering_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that each round of the event loop brings are done in one transaction, up to a time."""
    monkeypatch.setattr(module, "GATHERING_S", gathering_s)
    transactions = 0

    def count(*_: object) -> None:
        nonlocal transactions
        transactions += 1

    async def look_later(rounds: int) -> int:
        for _ in range(rounds):
            await asyncio.sleep(0)
        return await look(lookups, lookup(rounds))

    event.listen(database.readers._engine, "checkout", count)
    lookups = Lookups(database.readers, 2)
    found = await asyncio.gather(*map(look_later, range(8)))
    assert found == list(range(8))
    assert (transactions == 1) is (gathering_s > 0)


async def test_the_same_work_is_called_once_for_all(database: Database) -> None:
    """Others between them are called on their own; an error is that of one."""
    statements = []
    event.listen(
        database.readers._engine,
        "before_cursor_execute",
        lambda *arguments: statements.append(arguments[2]),
    )
    asked = [1, 2, 3, 4]
    found = await asyncio.gather(
        look(database.lookups, lookup(7)),
        *(look(database.lookups, numbers, one) for one in asked),
        look(database.lookups, lookup(8)),
    )
    assert found == [7, *asked, 8]
    assert sum("SELECT" in one for one in statements) == 3
    failed = await asyncio.gather(
        *(look(database.lookups, numbers, one) for one in (1, -1, 3)), return_exceptions=True
    )
    assert failed[::2] == [1, 3]
    assert isinstance(failed[1], UserError)


async def test_an_error_is_that_of_one(database: Database) -> None:
    """Of the work, or of a statement, which ends the transaction of all on PostgreSQL."""

    def wrong(connection: Connection) -> int:
        # PostgreSQL refuses to divide by zero, SQLite does not.
        connection.scalar(text("SELECT 1 / 0"))
        raise DBAPIError("SELECT 1 / 0", None, Exception("division by zero"))

    def refused(_: Connection) -> int:
        raise UserError(ErrorCode.TASK_NOT_FOUND, "There is none.", "name")

    works = [lookup(1), alone(wrong), lookup(2), alone(refused), lookup(3)]
    found = await asyncio.gather(
        *(look(database.lookups, work) for work in works), return_exceptions=True
    )
    assert [found[place] for place in (0, 2, 4)] == [1, 2, 3]
    assert isinstance(found[1], DBAPIError)
    assert isinstance(found[3], UserError)


async def test_who_is_cancelled_disturbs_nobody(database: Database) -> None:
    """Before the lookup begins, and while it runs."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(connection: Connection) -> int:
        loop.call_soon_threadsafe(begun.set)
        return sum(number(connection, 0) for _ in range(200))

    running = asyncio.create_task(look(database.lookups, alone(slow)))
    await begun.wait()
    waiting = [asyncio.create_task(look(database.lookups, lookup(n))) for n in range(4)]
    await asyncio.sleep(0)
    running.cancel()
    waiting[1].cancel()
    async with asyncio.timeout(SOON_S):
        assert [await waiting[n] for n in (0, 2, 3)] == [0, 2, 3]
    for cancelled in (running, waiting[1]):
        with pytest.raises(asyncio.CancelledError):
            await cancelled


async def test_a_database_that_fails_fails_all(database: Database) -> None:
    """And the next ones are done as soon as it is back."""

    def lost(connection: Connection) -> int:
        raise DBAPIError("SELECT", None, Exception("gone"), connection_invalidated=True)

    found = await asyncio.gather(
        *(look(database.lookups, work) for work in (alone(lost), lookup(1))),
        return_exceptions=True,
    )
    assert all(isinstance(error, Unavailable) for error in found)
    assert await look(database.lookups, lookup(2)) == 2


async def test_nobody_waits_for_lookups_that_were_given_up(database: Database) -> None:
    """Neither those that run nor those behind them, where the application ends meanwhile."""
    begun, may_end = threading.Event(), threading.Event()

    def slow(connection: Connection) -> int:
        begun.set()
        may_end.wait(2 * SOON_S)
        return number(connection, 0)

    lookups = Lookups(database.readers, 1)
    running = asyncio.create_task(look(lookups, alone(slow)))
    await asyncio.to_thread(begun.wait)
    waiting = asyncio.create_task(look(lookups, lookup(1)))
    await asyncio.sleep(0)
    [worker] = [task for task in asyncio.all_tasks() if task.get_name() == "lookups"]
    worker.cancel()
    async with asyncio.timeout(SOON_S):
        found = await asyncio.gather(running, waiting, return_exceptions=True)
    assert all(isinstance(error, asyncio.CancelledError) for error in found)
    may_end.set()


async def test_one_that_takes_long_keeps_nobody_waiting(database: Database) -> None:
    """Where two transactions may run at once, others go on in the second one."""
    lookups = Lookups(database.readers, 2)
    begun, may_end = threading.Event(), threading.Event()

    def slow(_: Connection) -> bool:
        begun.set()
        return may_end.wait(SOON_S)

    running = asyncio.create_task(look(lookups, alone(slow)))
    await asyncio.to_thread(begun.wait)
    async with asyncio.timeout(SOON_S / 2):
        found = await asyncio.gather(*(look(lookups, lookup(n)) for n in range(8)))
    assert found == list(range(8))
    may_end.set()
    assert await running


async def test_each_has_a_time_limit(database: Database) -> None:
    """Of one that runs, and of one that waits behind it; nobody else's, whoever came before."""
    lookups = Lookups(database.readers, 1)
    begun, may_end = threading.Event(), threading.Event()

    def slow(_: Connection) -> bool:
        begun.set()
        return may_end.wait(SOON_S)

    running = asyncio.create_task(look(lookups, alone(slow), limit_s=0.1))
    patient = asyncio.create_task(look(lookups, lookup(1)))
    waiting = asyncio.create_task(look(lookups, lookup(2), limit_s=0.05))
    await asyncio.to_thread(begun.wait)
    for overdue in (waiting, running):
        with pytest.raises(TimeoutError):
            await overdue
    hasty = asyncio.create_task(look(lookups, lookup(3), limit_s=0.05))
    with pytest.raises(TimeoutError):
        await hasty
    assert not patient.done()
    may_end.set()
    assert await patient == 1


async def test_a_worker_that_never_begins_keeps_nobody_waiting(database: Database) -> None:
    """It is cancelled in the moment in which it was made."""
    waiting = asyncio.create_task(look(database.lookups, lookup(1)))
    await asyncio.sleep(0)
    [worker] = [task for task in asyncio.all_tasks() if task.get_name() == "lookups"]
    worker.cancel()
    async with asyncio.timeout(SOON_S):
        found = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert await look(database.lookups, lookup(2)) == 2


PROCESS = 'process(task: "t", name: "p")'
TASK = 'task(name: "t")'


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            f"{TASK} {{ name state progress {{ ratio }} tags processes {{ nodes {{ name }} }} }}",
            True,
        ),
        (f'{TASK} {{ outlook process(name: "p") {{ name startedAt }} }}', True),
        (f"{PROCESS} {{ name counts {{ done }} task {{ name }} }}", True),
        (f"{PROCESS} {{ ... on JobArray {{ job(index: 1) {{ state }} }} }}", True),
        ('job(task: "t", process: "p") { state }', True),
        ('node(id: "x") { id }', True),
        ("tasks { nodes { name } }", False),
        (f"{TASK} {{ config }}", False),
        (f"{TASK} {{ timeline {{ at }} }}", False),
        (f"{TASK} {{ events(first: 1) {{ nodes {{ receivedAt }} }} }}", False),
        (f"{PROCESS} {{ ... on JobArray {{ jobs(first: 1) {{ nodes {{ state }} }} }} }}", False),
        (f"{PROCESS} {{ ... on JobArray {{ indices }} }}", False),
        (f"{PROCESS} {{ ... on JobArray {{ stateRanges {{ first }} }} }}", False),
    ],
)
def test_what_is_a_lookup(query: str, expected: bool) -> None:
    """What finds a few rows by their keys; nothing whose time depends on the size of an array."""
    schema, document = make_schema(load()), parse(f"{{ {query} }}")
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    plans = Plans(schema, document, operation)
    prepared = plans.prepare({})
    assert prepared is not None
    assert prepared[0].is_lookup == expected
