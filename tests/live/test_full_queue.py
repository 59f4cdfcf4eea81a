"""PostgreSQL takes no more notifications, because one who listens does not take them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from tests.support.harness import StartServer
from tests.support.live_clients import COMMENTS, EVENTS, WebSocketClient, until_events_come
from tests.support.postgres_pair import DATABASE, running_pair
from tests.support.waiting import until_async

FEWEST_PAGES = "64"
"""PostgreSQL keeps at least so many pages of notifications."""
FILL_PAGE = "SELECT pg_notify('others', repeat('x', 7900))"


def fill_queue(connection: psycopg.Connection) -> None:
    """Notify more often than PostgreSQL takes."""
    for _ in range(2 * int(FEWEST_PAGES)):
        connection.execute(FILL_PAGE)


@pytest.mark.slow
async def test_a_full_queue(start_server: StartServer, postgres: Path) -> None:
    """Writes go on; what other servers were not told, they learn when there is room again."""
    with running_pair(postgres) as pair:
        for node in pair:
            node.stop()
        pair.primary.start(max_notify_queue_pages=FEWEST_PAGES)
        url = f"postgresql://postgres@{pair.primary.place}/{DATABASE}"
        writer, reader = start_server(url), start_server(url)
        writer.create("t", {"name": "p", "jobCount": 2})
        async with WebSocketClient(reader.url) as events, WebSocketClient(reader.url) as changes:
            await events.subscribe("1", EVENTS, task="t")
            await until_events_come(writer, events)
            await changes.subscribe("1", COMMENTS)
            comments = changes.results()
            assert await anext(comments) == {"taskChanged": {"comment": None}}
            with pair.primary.connect(DATABASE) as slow, pair.primary.connect(DATABASE) as other:
                slow.execute("LISTEN others")
                slow.execute("BEGIN")
                with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="NOTIFY queue"):
                    fill_queue(other)
                answer = await asyncio.to_thread(writer.submit, "t", "p", "DONE", index=1)
                assert answer["duplicate"] is False
                await asyncio.to_thread(writer.comment, "t", "meanwhile")
                await until_async(lambda: "cannot find out what was" in writer.log(), writer.log)
                slow.execute("COMMIT")
                async for result in events.results():
                    if result["events"]["node"]["eventClass"] == "DONE":
                        break
                assert await anext(comments) == {"taskChanged": {"comment": "meanwhile"}}
        writer.check_counters()
