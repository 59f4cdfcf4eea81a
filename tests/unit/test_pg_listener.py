"""The connection by which a server hears others, lost in a way that nobody tells it of."""

from __future__ import annotations

import asyncio

import pytest

from lamia_gql.domain.settings import load
from lamia_gql.live import pg_listener as listener
from lamia_gql.live.feeds import ALL_TASKS, Feeds
from lamia_gql.live.pg_listener import PgListener
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import migrate
from tests.support.database_proxy import DatabaseProxy


@pytest.mark.slow
async def test_a_connection_that_has_gone_dead_is_noticed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is tried when it was silent for a while, and what was missed is caught up."""
    monkeypatch.setattr(listener, "HEALTH_CHECK_INTERVAL_S", 0.3)
    monkeypatch.setattr(listener, "CONNECTION_TIMEOUT_S", 1)
    near = Database(load(database_url=postgres_url))
    migrate(near.engine)

    async def tell(task_id: int) -> None:
        await near.write(lambda t: t.publish_on_commit([Change(task_id, 1)]))

    with DatabaseProxy(postgres_url) as proxy:
        far = Database(load(database_url=proxy.url))
        live = Feeds(far, 100)
        listening = PgListener(far, live, lambda: None)
        with live.subscribe_to_changes() as heard:
            await listening.start()
            assert await asyncio.wait_for(heard.drain(), 20) == [ALL_TASKS]
            await tell(7)
            assert await asyncio.wait_for(heard.drain(), 20) == [7]
            # A pause in which the connection is tried several times while all is well.
            await asyncio.sleep(1)
            assert heard.waiting == 0
            proxy.silence()
            await tell(8)
            assert await asyncio.wait_for(heard.drain(), 40) == [ALL_TASKS]
            await tell(9)
            assert await asyncio.wait_for(heard.drain(), 20) == [9]
        await listening.stop()
        far.close()
    near.close()
