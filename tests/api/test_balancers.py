"""Several servers behind the balancers of ``deploy/``: a task's events go to the same one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from lamia_gql.client.configuration import ServerConfig
from lamia_gql.client.server_connection import ServerConnection
from tests.support.harness import StartServer
from tests.support.metrics import scrape
from tests.support.ports import free_ports
from tests.support.reverse_proxies import NAME, SECONDS, haproxy, nginx, running
from tests.support.waiting import until

FEWEST, MOST = 5, 50
"""How many tasks there are: so many that both servers are the preferred one of some."""
EACH = 3


def submit(url: str, task: str) -> None:
    """Send events of a task in requests of their own, as a job does."""
    connection = ServerConnection(ServerConfig(f"{url}/graphql", None, None, "", {}))
    for index in range(EACH):
        event = {"task": task, "process": "p", "index": index, "eventClass": "BEAT"}
        [result] = connection.submit([event])
        assert result.code is None, result.message
    connection.close()


@pytest.mark.parametrize("balancer", [nginx, haproxy])
def test_events_of_a_task_prefer_one_server(
    start_server: StartServer,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    balancer: Callable[..., list[str]],
) -> None:
    """Tasks are spread, and so is what names no task. Where a server is gone, another one is used.

    The one that is left then takes all, and no request fails.
    """
    settings = {"allowed_hosts": NAME, "trusted_proxies": "127.0.0.1"}
    servers = [start_server(postgres_url, **settings) for _ in range(2)]
    [port] = free_ports(1)
    url = f"https://127.0.0.1:{port}"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))

    def stored() -> list[int]:
        return [
            int(scrape(server).sum("lamia_events_total", outcome="stored")) for server in servers
        ]

    with running(balancer(tmp_path, port, *(server.url for server in servers)), tmp_path, url):
        tasks: list[str] = []
        ways: set[tuple[int, ...]] = set()
        # The hash of a few names and ports may be the same server's.
        while len(tasks) < FEWEST or (len(ways) < 2 and len(tasks) < MOST):
            task = f"tâche {len(tasks)}"
            servers[0].create(task, {"name": "p", "jobCount": EACH})
            tasks.append(task)
            before = stored()
            submit(url, task)
            way = tuple(now - then for now, then in zip(stored(), before, strict=True))
            assert sorted(way) == [0, EACH], task
            ways.add(way)
        assert len(ways) == 2
        before = stored()
        with httpx.Client(base_url=url, verify=False, timeout=SECONDS) as client:
            for number in range(20):
                body = {"eventClass": "BEAT", "arrayIndex": number % EACH}
                answer = client.post(f"/api/v0/{tasks[0]}/p/event", json=body)
                assert answer.status_code == 201, answer.text
        assert min(now - then for now, then in zip(stored(), before, strict=True)) > 0
        servers[1].kill()
        for task in tasks:
            submit(url, task)
    for task in tasks:
        expected = 2 * EACH + (20 if task == tasks[0] else 0)
        found = servers[0].graphql(
            "query($t: String!) { task(name: $t) { events(first: 0) { totalCount } } }", t=task
        )
        assert found["task"]["events"]["totalCount"] == expected


def test_requests_go_to_servers_that_are_alive_while_none_is_ready(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    """As while the database fails over: HAProxy does not answer in place of the servers."""
    server = start_server(sqlite_url, allowed_hosts=NAME, trusted_proxies="127.0.0.1")
    [port] = free_ports(1)
    url = f"https://127.0.0.1:{port}"
    with running(haproxy(tmp_path, port, server.url), tmp_path, url):
        with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as database:
            database.execute("UPDATE alembic_version SET version_num = 'another'")
        log = tmp_path / "proxy.log"
        until(lambda: "backend ready has no server available" in log.read_text(), log.read_text)
        assert server.get("/readyz").status_code == 503
        created = httpx.post(f"{url}/api/v0/night", json={"processes": {"p": 1}}, verify=False)
        assert created.status_code == 201, created.text
