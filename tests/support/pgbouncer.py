"""A real PgBouncer before a PostgreSQL."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.ports import free_ports, listens
from tests.support.tools import find_program, require
from tests.support.waiting import until

POOL_SIZE = 3
"""How many connections to the database the one of :func:`pgbouncer` has, for all clients."""
CONFIGURATION = """\
[databases]
{name} = {target} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
server_login_retry = 1
"""


def configure_pgbouncer(folder: Path, name: str, target: str, pool_size: int) -> tuple[Path, int]:
    """Write the configuration of one in transaction mode; its path, and the port of 127.0.0.1.

    Args:
        folder: where it is written.
        name: the name of the database.
        target: where PostgreSQL is, as in a configuration.
        pool_size: how many connections there are for all clients.
    """
    [port] = free_ports(1)
    path = folder / "pgbouncer.ini"
    path.write_text(CONFIGURATION.format(name=name, target=target, port=port, pool_size=pool_size))
    return path, port


class PgBouncer:
    """One in transaction mode, for a database whose host is a folder.

    It has so few connections that the transactions of a client come on all of them.
    """

    def __init__(self, folder: Path, database_url: str) -> None:
        program = require(find_program("pgbouncer"), "Debian's pgbouncer")
        address = urlsplit(database_url)
        name = address.path[1:]
        [host] = parse_qs(address.query)["host"]
        config, self._port = configure_pgbouncer(folder, name, f"host={host}", POOL_SIZE)
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/{name}"
        """The address of the database through it."""
        self._log = folder / "pgbouncer.log"
        # It refuses to run as root; and only the user of the database may enter its folder.
        owner = pwd.getpwuid(Path(host).stat().st_uid).pw_name
        user = ["-u", owner] if os.geteuid() == 0 else []
        self._command = [program, *user, str(config)]

    def start(self) -> None:
        """Start it; it accepts connections then."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        until(self._is_ready, self._log.read_text)

    def kill(self) -> None:
        """End it at once; all connections through it are closed."""
        self._process.kill()
        self._process.wait()

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        return listens(self._port)


@contextmanager
def pgbouncer(folder: Path, database_url: str) -> Iterator[PgBouncer]:
    """A PgBouncer that runs, with its files in a folder, before a database."""
    bouncer = PgBouncer(folder, database_url)
    bouncer.start()
    try:
        yield bouncer
    finally:
        bouncer.kill()
