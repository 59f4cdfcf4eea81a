"""A PostgreSQL of three nodes: Patroni decides by etcd which of them is the primary."""

from __future__ import annotations

import json
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

from tests.cluster.balancer import Balancer
from tests.cluster.daemons import POSTGRES, USER, Daemons
from tests.support.ports import free_ports
from tests.support.tools import find_program
from tests.support.waiting import until

NODES = ("node1", "node2", "node3")
START_TIMEOUT_S = 90.0
STARTUP_PROCESS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'"
"""The process of a replica that replays what comes."""
LEASE_S, LOOP_S, RETRY_S = 8, 1, 3
"""How long a primary is one without word of it, how often it gives word, and how long it tries to.

Patroni's defaults are 30, 10 and 10 seconds: too long to fail over within 15."""
TRUST = ["local all all trust", "host all all 127.0.0.1/32 trust"]
TRUST += ["host replication all 127.0.0.1/32 trust"]
PARAMETERS = {"shared_buffers": "64MB", "max_connections": 200, "wal_keep_size": "256MB"}


class DatabaseCluster:
    """The nodes, with synchronous replication, and HAProxy, which finds the primary.

    ``url`` is the address of the primary's database.

    Args:
        daemons: what runs the programs.
        folder: for their files, which the user of PostgreSQL may enter.
    """

    def __init__(self, daemons: Daemons, folder: Path) -> None:
        self._daemons, self._folder = daemons, folder
        ports = iter(free_ports(3 + 3 * len(NODES)))
        self._etcd, self._peer, self._port = (next(ports) for _ in range(3))
        self._to_etcd = {node: next(ports) for node in NODES}
        self.ports = {node: next(ports) for node in NODES}
        self._status = {node: next(ports) for node in NODES}
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/lamia"
        self._client = httpx.Client(timeout=5, verify=False)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        # Patroni would start what is killed, and takes long to stop it.
        for node in NODES:
            self.kill(node)
        self._client.close()

    @property
    def hosts_url(self) -> str:
        """The address of the database that names all nodes, of which the primary is taken."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports.values())
        return f"postgresql://postgres@{hosts}/lamia?target_session_attrs=read-write"

    def address(self, node: str, database: str = "lamia") -> str:
        """The address of a node itself."""
        return f"postgresql://postgres@127.0.0.1:{self.ports[node]}/{database}"

    @property
    def members(self) -> dict[str, dict[str, Any]]:
        """What Patroni tells of each node that it knows of."""
        for node in NODES:
            with suppress(httpx.TransportError):
                answer = self._client.get(f"http://127.0.0.1:{self._status[node]}/cluster")
                return {member["name"]: member for member in answer.json()["members"]}
        return {}

    @property
    def _is_complete(self) -> bool:
        members = self.members.values()
        roles = sorted(member["role"] for member in members)
        lines = {member.get("timeline") for member in members}
        return roles == ["leader", "replica", "sync_standby"] and len(lines) == 1

    @property
    def primary(self) -> str:
        """The node that is the primary; empty while there is none."""
        found = (name for name, member in self.members.items() if member["role"] == "leader")
        return next(found, "")

    def repair(self) -> None:
        """Start the nodes that do not run, let all reach etcd, and wait until they work together.

        Then there is a primary that two replicas follow, one of them synchronously.
        """
        for node in NODES:
            self._balancer.connect(f"etcd-{node}", "etcd")
            if not self._daemons.is_running(node):
                self._start_node(node)
        until(lambda: self._is_complete, self._describe, START_TIMEOUT_S)

    def kill(self, node: str) -> None:
        """Kill a node by SIGKILL, first Patroni, which would start PostgreSQL again."""
        self._daemons.kill(node)
        while processes := self._processes(node):
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    @property
    def replica(self) -> str:
        """The node that the primary does not wait for; empty while there is none."""
        found = (name for name, member in self.members.items() if member["role"] == "replica")
        return next(found, "")

    def replay(self, node: str, *, paused: bool) -> None:
        """Let a replica not show any more what comes, or show it again."""
        # Patroni would resume what pg_wal_replay_pause pauses.
        with psycopg.connect(self.address(node)) as connection:
            [(process,)] = connection.execute(STARTUP_PROCESS)
        os.kill(process, signal.SIGSTOP if paused else signal.SIGCONT)

    def cut_off(self, node: str) -> None:
        """Let a node not reach etcd any more."""
        self._balancer.cut(f"etcd-{node}", "etcd")

    def _start(self) -> None:
        self._start_etcd()
        self._balancer = Balancer(self._daemons, self._folder, "database", self._sections())
        self.repair()
        with psycopg.connect(self.address(self.primary, "postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE lamia ENCODING UTF8 TEMPLATE template0")

    def _processes(self, node: str) -> list[int]:
        """The ids of PostgreSQL's processes of a node: they work in its folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                if (process / "cwd").readlink() == self._folder / node:
                    found.append(int(process.name))
        return found

    def _start_node(self, node: str) -> None:
        configuration = self._folder / f"{node}.yml"
        # JSON is YAML.
        configuration.write_text(json.dumps(self._configuration(node)))
        # Whatever umask the tests run with, another user reads it.
        configuration.chmod(0o644)
        program = find_program("patroni")
        assert program is not None
        self._daemons.start(node, [program, str(configuration)], USER)

    def _start_etcd(self) -> None:
        clients, peers = (f"http://127.0.0.1:{port}" for port in (self._etcd, self._peer))
        program = find_program("etcd")
        assert program is not None
        options = {
            "data-dir": str(self._folder / "etcd"),
            "listen-client-urls": clients,
            "advertise-client-urls": clients,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
            # The disk is shared with three databases.
            "heartbeat-interval": "200",
            "election-timeout": "2000",
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        self._daemons.start("etcd", [program, *arguments])

        def answers() -> bool:
            with suppress(httpx.TransportError):
                return bool(self._client.get(f"{clients}/health").json()["health"] == "true")
            return False

        self._daemons.await_start("etcd", answers, START_TIMEOUT_S)

    def _sections(self) -> str:
        nodes = "".join(
            f"  server {node} 127.0.0.1:{self.ports[node]} check port {self._status[node]}\n"
            for node in NODES
        )
        lines = f"""\
listen primary
  bind 127.0.0.1:{self._port}
  option httpchk GET /primary
  default-server inter 1s fastinter 300ms fall 2 rise 1 on-marked-down shutdown-sessions
{nodes}"""
        for node, port in self._to_etcd.items():
            lines += f"""\
listen etcd-{node}
  bind 127.0.0.1:{port}
  server etcd 127.0.0.1:{self._etcd}
"""
        return lines

    def _configuration(self, node: str) -> dict[str, Any]:
        status = f"127.0.0.1:{self._status[node]}"
        database = f"127.0.0.1:{self.ports[node]}"
        return {
            "scope": "lamia",
            "name": node,
            "restapi": {"listen": status, "connect_address": status},
            # A proxy: else Patroni asks etcd for its addresses, and goes past what can be cut.
            "etcd3": {"hosts": [f"127.0.0.1:{self._to_etcd[node]}"], "use_proxies": True},
            "bootstrap": {
                "dcs": {
                    "ttl": LEASE_S,
                    "loop_wait": LOOP_S,
                    "retry_timeout": RETRY_S,
                    "synchronous_mode": True,
                    "postgresql": {"use_pg_rewind": True, "parameters": PARAMETERS},
                },
                "initdb": [{"encoding": "UTF8"}, {"auth": "trust"}, {"locale": "C.UTF-8"}],
            },
            "postgresql": {
                "listen": database,
                "connect_address": database,
                "data_dir": str(self._folder / node),
                "bin_dir": str(POSTGRES),
                "pgpass": str(self._folder / f"{node}.pgpass"),
                "pg_hba": TRUST,
                "authentication": {
                    "superuser": {"username": "postgres"},
                    "replication": {"username": "replicator"},
                },
                "parameters": {"unix_socket_directories": ""},
                "remove_data_directory_on_rewind_failure": True,
                "remove_data_directory_on_diverged_timelines": True,
            },
        }

    def _describe(self) -> str:
        return "\n".join([str(self.members), *map(self._daemons.log, NODES)])


def make_folder(folder: Path) -> None:
    """Give a folder to the user of PostgreSQL."""
    folder.chmod(0o755)
    shutil.chown(folder, USER, USER)
