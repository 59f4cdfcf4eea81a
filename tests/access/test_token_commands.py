"""`lamia-gql token`: before the first start, and while servers run."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.credentials import bearer
from tests.support.harness import StartServer, run_cli


def test_before_the_first_start(
    start_server: StartServer, bare_sqlite_url: str, tmp_path: Path
) -> None:
    """A token is printed alone, and works on the server that starts afterwards."""
    refused = run_cli("serve", "--host", "0.0.0.0", database_url=bare_sqlite_url)
    assert refused.returncode == 2
    assert "lamia-gql token create --name NAME --role admin" in refused.stderr
    made = run_cli(
        *("token", "create", "--name", "ops", "--role", "admin", "--role", "read"),
        *("--prefix", "x-", "--expires", "30"),
        database_url=bare_sqlite_url,
    )
    assert (made.returncode, made.stderr) == (0, "")
    token = made.stdout.strip()
    assert token.startswith("lamia_a1_")
    assert (tmp_path / "lamia.sqlite").stat().st_mode & 0o077 == 0
    server = start_server(bare_sqlite_url, host="0.0.0.0")
    answer = server.request(
        "{ viewer { name roles prefix expiresAt } }", headers=bearer(token)
    ).json()
    viewer = answer["data"]["viewer"]
    assert viewer.pop("expiresAt") is not None
    assert viewer == {"name": "ops", "roles": ["READ", "ADMIN"], "prefix": "x-"}
    # As the password of Basic, too.
    assert server.get("/api/v0", headers={}, auth=("anybody", token)).status_code == 200

    listed = run_cli("token", "list", database_url=bare_sqlite_url).stdout
    assert listed.startswith("ops\tread,admin\tprefix x-\tends 20")
    assert token not in listed
    again = run_cli(
        "token", "create", "--name", "ops", "--role", "read", database_url=bare_sqlite_url
    )
    assert (again.returncode, again.stdout) == (1, "")
    assert "There is an access token “ops” already." in again.stderr
    revoked = run_cli("token", "revoke", "ops", database_url=bare_sqlite_url)
    assert revoked.stdout == "Token “ops” is revoked.\n"
    # Without any token left, it does not open to the network.
    refused_s = time.monotonic() + 10
    while server.request("{ viewer { name } }", headers=bearer(token)).status_code == 200:
        assert time.monotonic() < refused_s
    assert server.request("{ viewer { name } }", headers=bearer(token)).status_code == 401
    assert server.request("{ viewer { name } }").status_code == 401
    unknown = run_cli("token", "revoke", "ops", database_url=bare_sqlite_url)
    assert unknown.returncode == 1
    assert "There is no access token “ops”." in unknown.stderr


def test_insecure(start_server: StartServer, sqlite_url: str) -> None:
    """Whoever says so may serve everybody."""
    server = start_server(sqlite_url, host="0.0.0.0", insecure="true")
    server.create("t", {"name": "p"})
    assert server.graphql("{ viewer { name roles } }") == {
        "viewer": {"name": None, "roles": ["ADMIN"]}
    }


def test_tokens_of_a_task(start_server: StartServer, sqlite_url: str) -> None:
    """An operator issues and revokes the tokens of a task."""
    server = start_server(sqlite_url)
    server.create("t", {"name": "p"})
    made = run_cli("token", "task", "t", "--process", "p", database_url=sqlite_url)
    token = made.stdout.strip()
    event = {"eventClass": "BEAT"}
    assert server.rest("POST", "/t/p/event", event, headers=bearer(token)).status_code == 201
    revoked = run_cli("token", "task", "t", "--revoke", database_url=sqlite_url)
    assert revoked.stdout == "All tokens of task “t” are revoked.\n"
    assert server.rest("POST", "/t/p/event", event, headers=bearer(token)).status_code == 401
    missing = run_cli("token", "task", "nobody", database_url=sqlite_url)
    assert missing.returncode == 1
    assert "There is no task “nobody”." in missing.stderr
