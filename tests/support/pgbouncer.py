"""A real PgBouncer before a PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.browser import require
from tests.support.ports import free_ports
from tests.support.waiting import until

POOL_SIZE = 3
"""How many connections to the database it has, for all clients."""


@contextmanager
def pgbouncer(folder: Path, database_url: str) -> Iterator[str]:
    """A running PgBouncer in transaction mode, for a database whose host is a folder; its address.

    It has so few connections that the transactions of a client come on all of them.
    """
    program = require(shutil.which("pgbouncer") or _in_sbin(), "Debian's pgbouncer")
    address = urlsplit(database_url)
    name = address.path[1:]
    [host] = parse_qs(address.query)["host"]
    [port] = free_ports(1)
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"""[databases]
        {name} = host={host} user=postgres
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = any
        pool_mode = transaction
        default_pool_size = {POOL_SIZE}
        server_login_retry = 1
        """
    )
    log = folder / "pgbouncer.log"
    with log.open("wb") as output:
        # It refuses to run as root; and only the user of the database may enter its folder.
        owner = pwd.getpwuid(Path(host).stat().st_uid).pw_name
        user = ["-u", owner] if os.geteuid() == 0 else []
        command = [program, *user, str(config)]
        process = subprocess.Popen(command, stdout=output, stderr=output)

    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens, log.read_text)
        yield f"postgresql://postgres@127.0.0.1:{port}/{name}"
    finally:
        process.terminate()
        process.wait(20)


def _in_sbin() -> str | None:
    # Debian's path of those who are not root lacks it.
    return shutil.which("pgbouncer", path="/usr/sbin")
