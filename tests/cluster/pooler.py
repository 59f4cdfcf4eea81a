"""A PgBouncer between a server and the database."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster.daemons import USER, Daemons
from tests.support.pgbouncer import configure_pgbouncer
from tests.support.ports import listens
from tests.support.tools import find_program

START_TIMEOUT_S = 20.0
POOL_SIZE = 20


def start_pooler(daemons: Daemons, folder: Path, database_url: str) -> str:
    """Start one, in transaction mode, for the database of an address; the address for servers."""
    address = urlsplit(database_url)
    name = address.path[1:]
    target = f"host={address.hostname} port={address.port}"
    configuration, port = configure_pgbouncer(folder, name, target, POOL_SIZE)
    # Whatever umask the tests run with, another user reads it.
    configuration.chmod(0o644)
    program = find_program("pgbouncer")
    assert program is not None
    daemons.start("pgbouncer", [program, str(configuration)], USER)
    daemons.await_start("pgbouncer", partial(listens, port), START_TIMEOUT_S)
    return f"postgresql://postgres@127.0.0.1:{port}/{name}"
