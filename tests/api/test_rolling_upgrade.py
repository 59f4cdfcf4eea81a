"""Two versions of the server on one database, while it is upgraded without a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from lamia_gql.storage.migrations import HEAD
from tests.support.harness import Server, StartServer, run_cli
from tests.support.live_clients import BEGINNING, EVENTS, WebSocketClient
from tests.support.metrics import scrape
from tests.support.other_version import (
    NEXT_REVISION,
    OtherServer,
    make_next_version,
    previous_version,
    run_in,
)
from tests.support.waiting import until

Done = CompletedProcess[str]
pytestmark = pytest.mark.slow


def until_it_listens(server: Server) -> None:
    """Wait until it listens: from then on, nobody may change the tables as he likes."""
    until(lambda: scrape(server).sum("lamia_listener_connected") == 1, server.log)


async def under_load(server: Server, migrate: Callable[[], Done]) -> Done:
    """Run a migration while the server takes events, each of which must be accepted."""
    await asyncio.to_thread(until_it_listens, server)
    await asyncio.to_thread(server.create, "load", {"name": "p"})
    migrating = asyncio.create_task(asyncio.to_thread(migrate))
    while not migrating.done():
        await asyncio.to_thread(server.submit, "load", "p", "BEAT")
    return migrating.result()


async def write_on_both(first: Server, second: Server, task: str) -> None:
    """Each of the servers takes events, and subscribers of each of them get those of both."""
    await asyncio.to_thread(first.create, task, {"name": "p", "jobCount": 100})
    async with WebSocketClient(first.url) as one, WebSocketClient(second.url) as two:
        for ws in (one, two):
            await ws.subscribe("1", EVENTS, task=task, after=BEGINNING)
        sent = []
        for index in range(20):
            server = (first, second)[index % 2]
            answer = await asyncio.to_thread(server.submit, task, "p", "DONE", index=index)
            sent.append(answer["event"]["uuid"])
        for ws in (one, two):
            got = [(await ws.receive())["payload"]["data"]["events"]["node"] for _ in sent]
            assert [node["uuid"] for node in got] == sent


async def test_an_upgrade_without_a_stop(
    start_server: StartServer, postgres_url: str, tmp_path: Path
) -> None:
    """The next version migrates while this one runs, which goes on, and can even be restarted."""
    tree = make_next_version(tmp_path / "next", online=True)
    now = start_server(postgres_url)
    done = await under_load(now, lambda: run_in(tree, "migrate", database_url=postgres_url))
    assert done.stdout == f"The database is at revision {NEXT_REVISION}.\n", done.stderr
    with OtherServer(tree, postgres_url, tmp_path) as later:
        await write_on_both(now, later, "both")
        # Not what a test of a second ago has found.
        now.stop()
        now.start()
        await write_on_both(now, later, "again")
        until(lambda: now.get("/readyz").json() == {"status": "ready"}, now.log)
        # As before each start by systemd.
        assert run_cli("migrate", database_url=postgres_url).returncode == 0
        checked = run_cli("check", database_url=postgres_url).stdout
        assert f"at revision {NEXT_REVISION} of a later version, which accepts this one" in checked
        now.check_counters()
        back = ("migrate", "--yes", f"--revision={HEAD}")
        refused = run_in(tree, *back, database_url=postgres_url)
        assert refused.returncode == 1
        assert "A server is using the database" in refused.stderr
        now.stop()
        later.stop()
    done = run_in(tree, *back, database_url=postgres_url)
    assert done.stdout == f"The database is at revision {HEAD}.\n", done.stderr
    now.start()
    assert now.process("both", "p")["counts"]["done"] == 20


def test_a_migration_that_needs_a_stop(
    start_server: StartServer, postgres_url: str, tmp_path: Path
) -> None:
    """It waits until no server runs, and servers of the version before do not start after it."""
    tree = make_next_version(tmp_path / "next", online=False)
    now = start_server(postgres_url)
    until_it_listens(now)
    refused = run_in(tree, "migrate", database_url=postgres_url)
    assert refused.returncode == 1
    assert "A server is using the database" in refused.stderr
    until(lambda: now.get("/readyz").json() == {"status": "ready"}, now.log)
    now.stop()
    assert run_in(tree, "migrate", database_url=postgres_url).returncode == 0
    done = run_cli("serve", "--port=0", database_url=postgres_url)
    assert done.returncode == 1
    assert "run `lamia-gql migrate`" in done.stderr


async def test_the_previous_version(bare_postgres_url: str, tmp_path: Path) -> None:
    """This version upgrades the database of the one before its newest migration.

    Both then run side by side, unless a migration needs a stop, which it says.
    """
    tree = previous_version(tmp_path / "previous")
    assert run_in(tree, "migrate", database_url=bare_postgres_url).returncode == 0
    with OtherServer(tree, bare_postgres_url, tmp_path) as before:
        done = await under_load(before, lambda: run_cli("migrate", database_url=bare_postgres_url))
        if "stop all servers" in done.stderr:
            before.stop()
            done = run_cli("migrate", database_url=bare_postgres_url)
        assert done.stdout == f"The database is at revision {HEAD}.\n", done.stderr
        with Server(bare_postgres_url, tmp_path, forked=True) as now:
            await write_on_both(before if before.is_running else now, now, "both")
            now.check_counters()
