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
from tests.cluster.balancer import Balancer
from tests.cluster.daemons import Daemons
from tests.cluster.database import NODES, DatabaseCluster, make_folder
from tests.cluster.pooler import start_pooler
from tests.support.harness import Server
from tests.support.other_version import ROOT, OtherServer
from tests.support.ports import free_ports
from tests.support.waiting import until

MAX_REPLICA_LAG_S = 3.0
STORED = """SELECT event.id::text FROM event JOIN task ON task.id = event.task_id
  WHERE task.name = ANY(%s) ORDER BY seq"""
COUNT = "query($task: String!) { task(name: $task) { events(first: 0) { totalCount } } }"
NAMES = "SELECT name FROM task WHERE deleted_at IS NULL"
SECTIONS = """\
frontend servers
  mode http
  bind 127.0.0.1:{port}
  http-response set-header X-Server %s
  use_backend alive if {{ nbsrv(ready) eq 0 }}
  default_backend ready
backend ready
  mode http
  option httpchk GET /readyz
  option redispatch
  default-server inter 500ms fall 2 rise 1
{servers}backend alive
  mode http
  option httpchk GET /healthz
  option redispatch
  default-server inter 500ms fall 2 rise 1
{servers}"""
"""While the database fails over, no server is ready: then requests wait in those that are alive."""


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
            [port] = free_ports(1)
            addresses = [server.url.removeprefix("http://") for server in servers]
            lines = [f"  server {number} {a} check\n" for number, a in enumerate(addresses)]
            sections = SECTIONS.format(port=port, servers="".join(lines))
            Balancer(daemons, folder, "servers", sections)
            yield Cluster(database, servers, f"http://127.0.0.1:{port}")
    finally:
        shutil.rmtree(folder)
