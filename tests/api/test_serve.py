"""``lamia-gql serve``: what it says at its start, the files that it makes, and its end."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from tests.support.harness import Server, StartServer, run_cli


def test_the_start_says_who_can_reach_it(start_server: StartServer, sqlite_url: str) -> None:
    """And where the pages are, and how to get something to look at."""
    server = start_server(sqlite_url)
    told = server.log()
    for line in (
        f"dashboard:      {server.url}/\n",
        f"GraphiQL:       {server.url}/graphiql\n",
        f"demo data:      lamia-gql demo --url {server.url}\n",
        "Only this machine can reach it. For jobs on others: --host 0.0.0.0, see docs/operation.md",
    ):
        assert line in told
    server.stop()
    server.clear_log()
    server.settings |= {"host": "0.0.0.0", "insecure": "true"}
    server.start()
    [address] = re.findall(r"from elsewhere: (http://\S+), as LAMIA_URL of jobs\n", server.log())
    assert f"//{socket.gethostname()}:" in address
    assert "Only this machine" not in server.log()


def test_database_is_for_its_owner_only(start_server: StartServer, tmp_path: Path) -> None:
    """Nobody else on the machine can read what a server stores; an existing file keeps its mode."""
    server = start_server(f"sqlite:///{tmp_path}/made.sqlite")
    server.create("t", {"name": "p"})
    names = [f"made.sqlite{suffix}" for suffix in ("", "-lock", "-shm", "-wal", ".key")]
    assert sorted(path.name for path in tmp_path.glob("made*")) == names
    assert {name: (tmp_path / name).stat().st_mode & 0o777 for name in names} == dict.fromkeys(
        names, 0o600
    )
    shared = tmp_path / "shared.sqlite"
    shared.touch()
    shared.chmod(0o664)
    done = run_cli("migrate", database_url=f"sqlite:///{shared}")
    assert done.returncode == 0, done.stderr
    assert shared.stat().st_mode & 0o777 == 0o664


def test_sigterm_ends_a_server_cleanly(sqlite_server: Server) -> None:
    """SIGTERM ends a server cleanly, and after a restart all data is there."""
    sqlite_server.create("t", {"name": "p"})
    sqlite_server.submit("t", "p", "DONE")
    sqlite_server.stop()
    sqlite_server.start()
    assert sqlite_server.process("t", "p")["state"] == "SUCCEEDED"
