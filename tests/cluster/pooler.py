"""A PgBouncer between a server and the database."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster.daemons import USER, Daemons, find
from tests.support.ports import free_ports

START_TIMEOUT_S = 20.0
CONFIGURATION = """\
[databases]
{name} = host={host} port={target} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
server_login_retry = 1
"""


def start_pooler(daemons: Daemons, folder: Path, database_url: str) -> str:
    """Start one, in transaction mode, for the database of an address; the address for servers."""
    address = urlsplit(database_url)
    [port] = free_ports(1)
    configuration = folder / "pgbouncer.ini"
    name = address.path[1:]
    places = {"name": name, "host": address.hostname, "target": address.port, "port": port}
    configuration.write_text(CONFIGURATION.format_map(places))
    program = find("pgbouncer")
    assert program is not None
    daemons.start("pgbouncer", [program, str(configuration)], USER)

    def listens() -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    daemons.await_start("pgbouncer", listens, START_TIMEOUT_S)
    return f"postgresql://postgres@127.0.0.1:{port}/{name}"
