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


@contextmanager
def pgbouncer(folder: Path, database_url: str) -> Iterator[str]:
    """A running PgBouncer in transaction mode, for a database whose host is a folder; its address.

    It has so few connections that the transactions of a client come on all of them.
    """
    program = require(find_program("pgbouncer"), "Debian's pgbouncer")
    address = urlsplit(database_url)
    name = address.path[1:]
    [host] = parse_qs(address.query)["host"]
    config, port = configure_pgbouncer(folder, name, f"host={host}", POOL_SIZE)
    log = folder / "pgbouncer.log"
    with log.open("wb") as output:
        # It refuses to run as root; and only the user of the database may enter its folder.
        owner = pwd.getpwuid(Path(host).stat().st_uid).pw_name
        user = ["-u", owner] if os.geteuid() == 0 else []
        command = [program, *user, str(config)]
        process = subprocess.Popen(command, stdout=output, stderr=output)

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        return listens(port)

    try:
        until(is_ready, log.read_text)
        yield f"postgresql://postgres@127.0.0.1:{port}/{name}"
    finally:
        process.terminate()
        process.wait(20)
