"""All of it: the database, three servers, and the balancer before them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import psycopg

from lamia_gql.domain.settings import load
from lamia_gql.ingest.recount import recount
from lamia_gql.storage.database import Database
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import migrate
from tests.cluster.daemons import Daemons
from tests.cluster.database import NODES, DatabaseCluster, make_folder
from tests.cluster.pooler import start_pooler
from tests.support.harness import Server
from tests.support.other_version import ROOT, OtherServer
from tests.support.ports import free_ports, listens
from tests.support.reverse_proxies import NAME, haproxy_site
from tests.support.tools import find_program
from tests.support.waiting import until

START_TIMEOUT_S = 20.0
MAX_REPLICA_LAG_S = 3.0
STORED = """SELECT event.id::text FROM event JOIN task ON task.id = event.task_id
  WHERE task.name = ANY(%s) ORDER BY seq"""
COUNT = "query($task: String!) { task(name: $task) { events(first: 0) { totalCount } } }"
NAMES = "SELECT name FROM task WHERE deleted_at IS NULL"
ENCRYPTION = f"""\
    bind :443 ssl crt /etc/haproxy/{NAME}.pem alpn h2,http/1.1
    http-request redirect scheme https code 308 unless {{ ssl_fc }}
"""
"""Of the site for HAProxy: the fleet does without."""
SERVER_HEADER = "    http-response set-header X-Server %s\n"
"""Tells subscribers the number of the server that they are connected to."""


class Cluster:
    """What the stories use.

    Args:
        database: the database.
        servers: the servers, which run.
        url: the address of the balancer before them.
    """

    def __init__(self, database: DatabaseCluster, servers: list[OtherServer], url: str) -> None:
        self.database, self.servers, self.url = database, servers, url

    def create(self, task: str) -> None:
        """Create a task with one array, ``p``, of one job."""
        url = f"{self.url}/api/v0/{task}"
        httpx.post(url, json={"processes": {"p": 1}}, verify=False).raise_for_status()

    def clear(self) -> None:
        """Delete all tasks."""
        with psycopg.connect(self.database.url) as connection:
            for (name,) in connection.execute(NAMES):
                httpx.delete(f"{self.url}/api/v0/{name}", verify=False).raise_for_status()

    def count(self, task: str, position: str) -> int:
        """How many events a task has, for a client that sends this position."""
        headers = {"Lamia-Position": position}
        body = {"query": COUNT, "variables": {"task": task}}
        answer = httpx.post(f"{self.url}/graphql", json=body, headers=headers, verify=False)
        number: int = answer.json()["data"]["task"]["events"]["totalCount"]
        return number

    def stored(self, *tasks: str) -> list[str]:
        """The ids of the events of tasks; those of each are in their order."""
        with psycopg.connect(self.database.url) as connection:
            return [uuid for (uuid,) in connection.execute(STORED, [list(tasks)])]

    def differences(self) -> list[str]:
        """What a recount of all tasks finds and repairs."""
        database = Database(load(database_url=self.database.url))
        try:
            return list(recount(database))
        finally:
            database.close()

    def repair(self) -> None:
        """Start what does not run, connect what is cut off, and wait until all of it works."""
        self.database.repair()
        for server in self.servers:
            if not server.is_running:
                server.start()
            until(partial(_is_ready, server), server.log)


def _is_ready(server: Server) -> bool:
    return server.get("/readyz").is_success


def _start_balancer(daemons: Daemons, folder: Path, servers: list[str]) -> str:
    """Start the HAProxy of ``deploy/`` before the servers; its address."""
    [port] = free_ports(1)
    configuration = folder / "servers.cfg"
    configuration.write_text(
        haproxy_site(
            servers, ("bind :80\n", f"bind 127.0.0.1:{port}\n"), (ENCRYPTION, SERVER_HEADER)
        )
    )
    program = find_program("haproxy")
    assert program is not None
    daemons.start("servers", [program, "-f", str(configuration)])
    daemons.await_start("servers", partial(listens, port), START_TIMEOUT_S)
    return f"http://127.0.0.1:{port}"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Set it up, and end it."""
    # A socket has no long path, and the user of PostgreSQL may not enter pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="cluster-", dir="/tmp"))
    try:
        make_folder(folder)
        with ExitStack() as stack:
            daemons = stack.enter_context(Daemons(folder))
            database = stack.enter_context(DatabaseCluster(daemons, folder))
            engine = create_engine(load(database_url=database.url))
            migrate(engine, "head")
            engine.dispose()
            settings = {
                "read_database_url": " ".join(map(database.address, NODES)),
                "max_replica_lag": MAX_REPLICA_LAG_S,
                "allowed_hosts": NAME,
                "trusted_proxies": "127.0.0.1",
            }
            pooler = start_pooler(daemons, folder, database.url)
            # Each reaches the primary in another way.
            servers = [
                OtherServer(ROOT, database.hosts_url, folder, **settings),
                OtherServer(ROOT, database.url, folder, **settings),
                OtherServer(
                    ROOT, pooler, folder, listen_database_url=database.hosts_url, **settings
                ),
            ]
            for server in servers:
                stack.enter_context(server)
            url = _start_balancer(daemons, folder, [server.url for server in servers])
            yield Cluster(database, servers, url)
    finally:
        shutil.rmtree(folder)
