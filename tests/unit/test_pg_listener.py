"""The LISTEN connection, when it dies without being closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lamia_gql.domain.settings import load
from lamia_gql.live import pg_listener as listener
from lamia_gql.live.feeds import ALL_TASKS, Feeds
from lamia_gql.live.pg_listener import PgListener
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import migrate

SOCKET = ".s.PGSQL.5432"


class SilentProxy:
    """A proxy to PostgreSQL that can stop forwarding without closing connections."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._dead: set[asyncio.StreamWriter] = set()
        self.free = asyncio.Event()
        """Set while nobody uses it."""

    def go_dead(self) -> None:
        """Drop all further data of the current connections."""
        self._dead = set(self._open)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward data in both directions."""
        answers, there = await asyncio.open_unix_connection(str(self._target))

        async def hand_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if writer not in self._dead:
                    sink.write(data)
            sink.close()

        self._open.add(writer)
        self.free.clear()
        await asyncio.gather(hand_on(reader, there), hand_on(answers, writer))
        self._open.discard(writer)
        if not self._open:
            self.free.set()


@pytest.mark.slow
async def test_a_dead_connection_is_detected(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead connection is detected by a check, and missed changes are caught up."""
    monkeypatch.setattr(listener, "HEALTH_CHECK_INTERVAL_S", 0.3)
    monkeypatch.setattr(listener, "CONNECTION_TIMEOUT_S", 1)
    folder = postgres_url.partition("?host=")[2]
    proxy = SilentProxy(Path(folder, SOCKET))

    near = Database(load(database_url=postgres_url))
    far = Database(load(database_url=postgres_url.replace(folder, str(tmp_path))))
    migrate(near.engine)
    live = Feeds(far, 100)
    listening = PgListener(far, live)

    async def tell(task_id: int) -> None:
        await near.write(lambda t: t.publish_on_commit([Change(task_id, 1)]))

    async with await asyncio.start_unix_server(proxy.connected, str(tmp_path / SOCKET)):
        with live.subscribe_to_changes() as heard:
            await listening.start()
            assert await asyncio.wait_for(heard.drain(), 20) == [ALL_TASKS]
            await tell(7)
            assert await asyncio.wait_for(heard.drain(), 20) == [7]
            # A pause in which the connection is tried several times while all is well.
            await asyncio.sleep(1)
            assert heard.waiting == 0
            proxy.go_dead()
            await tell(8)
            assert await asyncio.wait_for(heard.drain(), 40) == [ALL_TASKS]
            await tell(9)
            assert await asyncio.wait_for(heard.drain(), 20) == [9]
        await listening.stop()
        near.close()
        far.close()
        await asyncio.wait_for(proxy.free.wait(), 20)
