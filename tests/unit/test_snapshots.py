"""Operations see one state of the database each, and share its connections fairly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from threading import current_thread
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError

from lamia_gql.api.answer_budget import AnswerBudget, AnswerMemory
from lamia_gql.api.turns import Turns
from lamia_gql.domain.access import ANYONE
from lamia_gql.domain.errors import ErrorCode, LamiaError, Unavailable
from lamia_gql.domain.settings import load
from lamia_gql.graph.reading_fields import reading_fields
from lamia_gql.graph.reads import Reads
from lamia_gql.graph.types.job import Job
from lamia_gql.graph.types.process import JobArray, Process, SolitaryProcess
from lamia_gql.graph.types.task import Task
from lamia_gql.storage.database import Database
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.operation_reads import OperationReads
from lamia_gql.storage.transaction import WriteTransaction
from tests.support.in_process_server import serve_in_process
from tests.support.live_clients import CHANGES, EVENTS, WebSocketClient
from tests.support.statements import record_statements
from tests.support.waiting import until_async

SOON = 10.0
"""Seconds by which on any machine all has long happened."""
FOREVER = """WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)
  SELECT count(*) FROM forever"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with one reader and a table of one number, which is 0."""
    database = Database(load(database_url=database_url, database_connections=1, database_timeout=1))
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE number (n INTEGER)"))
        connection.execute(text("INSERT INTO number VALUES (0)"))
    yield database
    database.close()


def number(connection: Connection) -> int:
    """The number."""
    return int(connection.scalar(text("SELECT n FROM number")))


def forever(connection: Connection) -> None:
    """Never end."""
    connection.execute(text(FOREVER))


async def increase(database: Database) -> None:
    """Write, and commit."""

    def work(transaction: WriteTransaction) -> None:
        transaction.connection.execute(text("UPDATE number SET n = n + 1"))

    await database.write(work)


@contextmanager
def checkouts(thread: str = "") -> Iterator[list[Any]]:
    """A list that grows with each connection that is taken from a pool."""
    taken: list[Any] = []

    def note(connection: Any, *_rest: Any) -> None:
        if current_thread().name.startswith(thread):
            taken.append(connection)

    event.listen(Engine, "engine_connect", note)
    try:
        yield taken
    finally:
        event.remove(Engine, "engine_connect", note)


async def test_a_read_that_begins_again_forgets_what_it_had_read(postgres_url: str) -> None:
    """Its connection breaks, and the next one sees a later state. What it takes counts once."""
    database = Database(load(database_url=postgres_url))
    budget = AnswerBudget(10**9, 10**9, AnswerMemory(10**9), Turns())
    reads = Reads(datetime.now(UTC), load(), budget, ANYONE)
    states: list[int] = []

    def state(connection: Connection) -> int:
        return int(connection.scalar(text("SELECT txid_snapshot_xmax(txid_current_snapshot())")))

    def work(connection: Connection) -> list[int]:
        states.append(state(connection))
        reads.on(connection).charge(100, 1)
        budget.hold(1000)
        found = [reads.on(connection).once("state", [0], lambda _: [states[-1]])[0]]
        if len(states) == 1:
            with database.engine.begin() as other:
                other.execute(text("SELECT txid_current()"))
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return [*found, state(connection)]

    found, last = await database.read(work)
    assert found == last > states[0]
    assert (budget.size, budget.values, budget.held) == (100, 1, 1000)
    database.close()


def die(connection: Connection) -> None:
    """Lose the connection."""
    connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


async def test_each_operation_is_told_why_it_was_late(postgres_url: str) -> None:
    """One searches for the database, others take too long: only who waits for the first shares it.

    The wait for a connection and that for a database that is gone are one.
    """
    settings = load(database_url=postgres_url, database_connections=2, database_timeout=4)
    with closing(Database(settings)) as database:
        searching = asyncio.create_task(OperationReads(database, 30, "a").read_in_time(die))
        await until_async(lambda: database.readers.searching, "it searches")
        slow = OperationReads(database, 0.3, "b")
        results = await asyncio.gather(
            OperationReads(database, 0.3, "a").read_in_time(number),
            slow.read_in_time(lambda c: c.execute(text("SELECT pg_sleep(30)"))),
            return_exceptions=True,
        )
        assert [error_code(result) for result in results] == ["STORAGE_FAILED", "TIMED_OUT"]

        begun = monotonic()
        snapshot = OperationReads(database, 30, "a")
        second = asyncio.create_task(snapshot.read(die))
        failed = await asyncio.gather(searching, second, return_exceptions=True)
        assert [error_code(result) for result in failed] == ["STORAGE_FAILED"] * 2
        assert monotonic() - begun < 7.5  # two waits are 8 s
        snapshot.end()


def error_code(result: object) -> str:
    """The code of an error."""
    assert isinstance(result, LamiaError)
    return result.code


async def test_all_reads_of_an_operation_see_one_state(database: Database) -> None:
    """Until it begins anew; then it sees all that was committed before."""
    reads = OperationReads(database, 30)
    with checkouts() as taken:
        for expected in (0, 2, 4):
            snapshot = reads.renew()
            assert await snapshot.read(number) == expected
            await increase(database)
            found = await asyncio.gather(*(snapshot.read(number) for _ in range(5)))
            assert found == [expected] * 5
            await increase(database)
            assert await snapshot.read(number) == expected
        reads.end()
    # One for each snapshot, and one for each write; SQLite's writers keep theirs.
    assert len(taken) == 3 + (6 if database.has_other_servers else 1)


async def test_one_read_sees_one_state(database: Database) -> None:
    """Also with several statements, as REST reads."""
    loop = asyncio.get_running_loop()

    def twice(connection: Connection) -> tuple[int, int]:
        first = number(connection)
        asyncio.run_coroutine_threadsafe(increase(database), loop).result(SOON)
        return first, number(connection)

    assert await database.read(twice) == (0, 0)
    assert await database.read(number) == 1


async def test_connections_are_shared_in_order(database: Database) -> None:
    """Who came first is served first; who left the queue is skipped; who is done makes place."""
    operations = [OperationReads(database, 30) for _ in range(5)]
    assert await operations[0].read(number) == 0
    served: list[int] = []

    async def run(place: int) -> None:
        await operations[place].read(number)
        served.append(place)
        operations[place].end()

    async with asyncio.timeout(SOON):
        running = []
        for place in range(1, 5):
            running.append(asyncio.create_task(run(place)))
            await asyncio.sleep(0.01)
        assert served == []
        operations[2].stop()
        operations[0].end()
        results = await asyncio.gather(*running, return_exceptions=True)
    assert isinstance(results[1], Unavailable)
    assert served == [1, 3, 4]
    assert await database.read(number) == 0


async def test_who_waits_too_long_is_told(database: Database) -> None:
    """After `database_timeout`, by a code with which one may try again; then all goes on."""
    first, second = OperationReads(database, 30), OperationReads(database, 30)
    assert await first.read(number) == 0
    for waiting in (second.read(number), second.read(number), database.read(number)):
        with pytest.raises(Unavailable) as refused:
            await asyncio.wait_for(waiting, SOON)
        assert refused.value.code == ErrorCode.BUSY
    assert await first.read(number) == 0
    first.end()
    second.renew()
    assert await second.read(number) == 0
    second.end()


@pytest.mark.parametrize("way", ["end", "stop", "cancel"])
async def test_the_connection_is_free_however_it_ends(database: Database, way: str) -> None:
    """In the middle of a statement, while others of the operation wait."""
    for _ in range(3):
        reads = OperationReads(database, 30)
        assert await reads.read(number) == 0
        with record_statements() as statements:
            running = [asyncio.create_task(reads.read(forever)) for _ in range(3)]
            await until_async(lambda: FOREVER in statements, "the first of them")
        if way == "cancel":
            for task in running:
                task.cancel()
        getattr(reads, "stop" if way == "stop" else "end")()
        async with asyncio.timeout(SOON):
            results = await asyncio.gather(*running, return_exceptions=True)
            assert all(isinstance(result, BaseException) for result in results)
            assert await database.read(number) == 0


async def test_a_caller_that_leaves_does_not_disturb_the_others(database: Database) -> None:
    """The operation goes on, in the same state."""
    reads = OperationReads(database, 30)
    assert await reads.read(number) == 0
    await increase(database)
    entered = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(connection: Connection) -> int:
        loop.call_soon_threadsafe(entered.set)
        return number(connection)

    leaving = asyncio.create_task(reads.read(slow))
    waiting = asyncio.create_task(reads.read(slow))
    staying = asyncio.create_task(reads.read(number))
    await entered.wait()
    leaving.cancel()
    waiting.cancel()
    assert await asyncio.wait_for(staying, SOON) == 0
    with suppress(asyncio.CancelledError):
        await asyncio.gather(leaving, waiting)
    reads.end()
    assert await database.read(number) == 1


async def test_after_an_error_of_the_database_all_reads_fail(database: Database) -> None:
    """A transaction that is broken shows nothing more; the next one does."""

    def wrong(connection: Connection) -> None:
        connection.execute(text("SELECT 1 FROM nowhere"))

    reads = OperationReads(database, 30)
    assert await reads.read(number) == 0
    for work in (wrong, number):
        # SQLite reports errors of statements as its own.
        with pytest.raises((DBAPIError, Unavailable)):
            await reads.read(work)
    assert await reads.renew().read(number) == 0
    reads.end()


async def test_an_operation_holds_no_connection_while_its_client_reads(database_url: str) -> None:
    """With one connection, subscribers, writers and readers of all kinds get on."""
    query = '{ task(name: "t") { counts { done total } processes { nodes { state } } } }'
    settings = {"database_connections": 1, "database_timeout": 5}
    engine = create_engine(load(database_url=database_url))
    migrate(engine)
    engine.dispose()
    async with serve_in_process(database_url, **settings) as inside:
        async with WebSocketClient(inside.url) as wire, WebSocketClient(inside.url) as other:
            create = """mutation { createTask(input: { name: "t", processes: [
              { name: "p", jobCount: 9 }] }) { task { counts { total } } userErrors { code } } }"""
            await other.subscribe("1", create)
            assert (await other.receive())["payload"]["data"]["createTask"]["task"]
            assert (await other.receive())["type"] == "complete"
            await wire.subscribe("1", CHANGES, names=["t"])
            await wire.subscribe("2", EVENTS, task="t")
            for index in range(9):
                submit = f"""mutation {{ a: submitEvent(input: {{ task: "t", process: "p",
                  index: {index}, eventClass: STARTED }}) {{ process {{ outlook }} }}
                  b: submitEvent(input: {{ task: "t", process: "p", index: {index},
                  eventClass: DONE }}) {{ process {{ outlook counts {{ done }}
                  ... on JobArray {{
                    jobs(first: 9, filter: {{ states: [DONE] }}) {{ totalCount }}
                  }} }} }} }}"""
                await other.subscribe("1", submit)
                answer = (await other.receive())["payload"]
                assert answer["data"]["b"]["process"]["counts"] == {"done": index + 1}
                assert answer["data"]["b"]["process"]["jobs"] == {"totalCount": index + 1}
                assert (await other.receive())["type"] == "complete"
                await other.subscribe("1", query)
                counts = (await other.receive())["payload"]["data"]["task"]["counts"]
                assert counts == {"done": index + 1, "total": 9}
                assert (await other.receive())["type"] == "complete"
            seen = 0
            while seen < 9:
                message = await wire.receive()
                assert message["type"] == "next", message
                if message["id"] == "1":
                    seen = message["payload"]["data"]["taskChanged"]["counts"]["done"]


async def test_a_trivial_query_takes_no_connection(sqlite_url: str) -> None:
    """What is known without the database is answered without it."""
    async with serve_in_process(sqlite_url) as inside, WebSocketClient(inside.url) as wire:
        with checkouts("lamia-read") as taken, record_statements("lamia-read") as statements:
            for query in ("{ server { version } }", "{ __typename }", "{ nothing }"):
                await wire.subscribe("1", query)
                assert (await wire.receive())["id"] == "1"
                if query != "{ nothing }":
                    assert (await wire.receive())["type"] == "complete"
        # The purger looks for deleted tasks at the start, in a writer's thread.
        assert (taken, statements) == ([], [])


def test_fields_that_read_are_known() -> None:
    """By their resolvers: a field that waits is one that reads, or values of it do."""
    of_process = (
        "events failureGroups job jobs indices outlook stateRanges task timeline usage"
        " rate stalledSince estimatedFinishAt late lost"
    )
    assert reading_fields(Process, JobArray, SolitaryProcess, Job) == set(of_process.split())
    of_task = (
        "tags config dependencies progress counts outlook processes process"
        " events failureGroups timeline rate stalledSince estimatedFinishAt late lost"
    )
    assert reading_fields(Task) == set(of_task.split())
