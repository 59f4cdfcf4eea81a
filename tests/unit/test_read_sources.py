"""Which database a query is read from, without any database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import pytest

from lamia_gql.api.read_position import wanted_position
from lamia_gql.domain.settings import load
from lamia_gql.storage.database import Database
from lamia_gql.storage.database_url import DatabaseURLError
from lamia_gql.storage.read_position import Replayed
from lamia_gql.storage.read_replica import ReadReplica, ReadSource
from lamia_gql.storage.read_sources import (
    FAILOVER_PAUSE_S,
    MAX_SAMPLES,
    Freshness,
    Outcome,
    ReadSources,
)

MAX_LAG_S = 10.0


@dataclass
class StandInReaders:
    """Readers that are as busy as a test says."""

    running: int = 0
    waiting: int = 0


class Databases:
    """A primary with replicas, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, replicas: int) -> None:
        self.now_s = 100.0
        self.started_at = 1.0
        self.timeline = "00000001"
        monkeypatch.setattr(f"{ReadSources.__module__}.monotonic", lambda: self.now_s)
        self.primary = self._source()
        self.replicas = [
            ReadReplica(str(number), cast(Any, None), self._source()) for number in range(replicas)
        ]
        self.sources = ReadSources(self.primary, self.replicas, MAX_LAG_S)

    @staticmethod
    def _source() -> ReadSource:
        return ReadSource(cast(Any, StandInReaders()), cast(Any, None))

    def is_at(self, primary: int, *replicas: int | None) -> None:
        """The databases say where they are: first the replicas, then the primary."""
        for replica, position in zip(self.replicas, replicas, strict=True):
            self.replays(replica, position)
        before = {replica: replica.position for replica in self.replicas}
        self.sources.see_primary(primary, self.timeline, before)

    def replays(self, replica: ReadReplica, position: int | None) -> None:
        """A replica says where it is, or nothing."""
        replayed = None if position is None else Replayed(position, self.started_at)
        self.sources.see_replica(replica, replayed)

    @property
    def usable(self) -> list[bool]:
        """Which replicas may be read."""
        return list(map(self.sources.is_usable, self.replicas))

    def answer(self, position: int | None) -> int:
        """Answer those who ask where the primary is; their number."""
        asking = self.sources.ask()
        for one in asking:
            one.set_result(position)
        return len(asking)


async def test_the_least_busy_replica_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers; equally busy ones in turn."""
    databases = Databases(monkeypatch, 3)
    choose, replicas = databases.sources.choose, databases.replicas
    assert await choose(0) is databases.primary
    databases.is_at(20, 20, 20, 20)
    databases.is_at(30, 30, 20, 30)
    chosen = [await choose(30) for _ in range(4)]
    assert chosen == [replicas[n].source for n in (0, 2, 0, 2)]
    cast(Any, replicas[2].source.readers).running = 1
    assert await choose(25) is replicas[0].source
    assert await choose(20) is replicas[1].source
    assert await choose(Freshness.PRIMARY) is databases.primary
    assert databases.sources.outcomes == {Outcome.UNUSABLE: 1, Outcome.REPLICA: 6}


async def test_reads_wait_for_a_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as a replica has it, they go there; else, soon, to the primary."""
    databases = Databases(monkeypatch, 2)
    sources, (first, second) = databases.sources, databases.replicas
    databases.is_at(10, 10, 10)
    waiting = [asyncio.create_task(sources.choose(wanted)) for wanted in (11, 12, 99)]
    asking = asyncio.create_task(sources.choose(Freshness.COMMITTED))
    await asyncio.sleep(0)
    assert first.asked.is_set()
    assert second.asked.is_set()
    assert sources.primary_asked.is_set()
    assert databases.answer(12) == 1
    databases.replays(first, 11)
    assert await waiting[0] is first.source
    databases.replays(second, 12)
    assert await waiting[1] is second.source
    assert await asking is second.source
    assert sources.has_waiting
    assert await waiting[2] is databases.primary
    # The primary does not tell.
    asking = asyncio.create_task(sources.choose(Freshness.COMMITTED))
    await asyncio.sleep(0)
    assert databases.answer(None) == 1
    assert await asking is databases.primary
    assert sources.outcomes == {Outcome.REPLICA: 3, Outcome.LATE: 2}


async def test_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the time since the primary had more; what began before the server, all must have."""
    databases = Databases(monkeypatch, 2)
    sources = databases.sources
    databases.is_at(10, 9, None)
    assert databases.usable == [False, False]
    databases.is_at(10, 10, None)
    assert databases.usable == [True, False]
    for _ in range(100):
        databases.now_s += 1
        databases.is_at(10, 10, 10)
    assert databases.usable == [True, True]
    for position in range(11, 22):
        databases.now_s += 1
        databases.is_at(position, 10, position)
    assert list(map(sources.lag_s, databases.replicas)) == [10.0, 0.0]
    assert databases.usable == [False, True]
    databases.is_at(21, 12, None)
    assert list(map(sources.lag_s, databases.replicas)) == [8.0, None]
    assert databases.usable == [True, False]


async def test_a_failover(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that does not follow the new primary has other things at the same positions."""
    databases = Databases(monkeypatch, 3)
    databases.is_at(20, 20, 20, 20)
    databases.is_at(20, 20, 22, 20)
    assert databases.usable == [True, False, True]
    databases.is_at(25, 25, 22, 25)
    assert databases.usable == [True, False, True]
    # It does not answer for a while.
    databases.is_at(26, 26, None, 26)
    databases.is_at(26, 26, 25, 26)
    assert databases.usable == [True, False, True]
    # It restarts, as it must to follow another one.
    databases.started_at = 2.0
    databases.is_at(26, 26, 25, 26)
    assert databases.usable == [True] * 3

    databases.timeline = "00000002"
    databases.is_at(30, 30, 29, 33)
    assert databases.usable == [False] * 3
    # The second one replays the last that it has from the former primary.
    databases.now_s += FAILOVER_PAUSE_S / 2
    databases.is_at(40, 40, 34, 33)
    databases.now_s += FAILOVER_PAUSE_S / 2
    databases.is_at(41, 41, 34, 33)
    assert databases.usable == [True, False, False]
    assert await databases.sources.choose(29) is databases.replicas[0].source
    databases.is_at(42, 42, 42, 42)
    assert databases.usable == [True, True, False]
    databases.started_at = 3.0
    databases.is_at(42, 42, 42, 30)
    databases.is_at(42, 42, 42, 42)
    assert databases.usable == [True] * 3


async def test_a_primary_that_was_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one may have written something else at the positions that replicas have."""
    databases = Databases(monkeypatch, 1)
    choose, [replica] = databases.sources.choose, databases.replicas
    databases.is_at(20, 20)
    waiting = asyncio.create_task(choose(21))
    await asyncio.sleep(0)
    databases.sources.lose_primary()
    databases.replays(replica, 22)
    assert await choose(20) is databases.primary
    assert await waiting is databases.primary
    assert await choose(0) is replica.source
    databases.is_at(22, 22)
    assert await choose(20) is replica.source


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, 0),
        ("0", 0),
        ("16b3f48", 0x16B3F48),
        ("committed", Freshness.COMMITTED),
        *((header, Freshness.PRIMARY) for header in ("", "-1", "0x1", "16B", "1" * 17, "1 2")),
    ],
)
def test_the_header(header: str | None, wanted: object) -> None:
    """What is not known is read from the primary."""
    assert wanted_position(header) == wanted


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ("", []),
        ("postgresql://a/x", ["postgresql://a/x"]),
        (
            " postgresql://u@a,b:1/x  postgres://c/x,postgresql+psycopg://d/x ",
            ["postgresql://u@a,b:1/x", "postgres://c/x", "postgresql+psycopg://d/x"],
        ),
    ],
)
def test_addresses(monkeypatch: pytest.MonkeyPatch, given: str, addresses: list[str]) -> None:
    """They are separated by spaces or commas, and may have commas themselves."""
    monkeypatch.setenv("LAMIA_READ_DATABASE_URL", given)
    assert load().read_database_url == addresses


@pytest.mark.parametrize(
    ("database_url", "read_database_url", "problem"),
    [
        ("sqlite:///x", "postgresql://a/x", "Only PostgreSQL has replicas"),
        ("postgresql://a/x", "sqlite:///x", "Only PostgreSQL has replicas"),
        ("postgresql://a/x", "a/x", "must be like"),
    ],
)
def test_addresses_that_cannot_be_used(
    database_url: str, read_database_url: str, problem: str
) -> None:
    """A sentence says what is wrong."""
    settings = load(database_url=database_url, read_database_url=read_database_url)
    with pytest.raises(DatabaseURLError, match=problem):
        Database(settings)


async def test_few_positions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the primary is asked again and again; what they tell remains true."""
    databases = Databases(monkeypatch, 1)
    for position in range(1, 20 * MAX_SAMPLES):
        databases.now_s += MAX_LAG_S / MAX_SAMPLES / 5
        databases.is_at(position, position - 500)
    assert len(databases.sources._samples) < 2 * MAX_SAMPLES
    assert databases.usable == [True]
    assert databases.sources.lag_s(databases.replicas[0]) == pytest.approx(1, abs=0.02)
