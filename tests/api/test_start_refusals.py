"""What `serve`, `migrate` and others refuse before they do anything, each with one sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lamia_gql.storage.migrations import SERVER_LOCK_ID
from tests.support.harness import Server, StartServer, run_cli

NO_FOLDER = "/nowhere/at/all/l.sqlite can't be used: the folder /nowhere/at/all does not exist."


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "words"),
    [
        (["serve"], {"database_url": "mysql://host/db"}, 2, "sqlite:///lamia.sqlite"),
        (["serve"], {"database_url": "sqlite:///"}, 2, "SQLite needs a file"),
        (["serve"], {"database_url": "sqlite:////nowhere/at/all/l.sqlite"}, 1, NO_FOLDER),
        (["migrate"], {"database_url": "sqlite:////tmp"}, 1, "/tmp can't be used: it is a folder."),
        (["migrate"], {"database_url": "postgresql://u:s@cret@h/db"}, 2, "%40"),
        (["migrate"], {"database_url": "postgresql://u:s@cret:s@h/db"}, 2, "%40"),
        (["serve"], {"read_database_url": "postgresql://h/db"}, 2, "Only PostgreSQL has replicas"),
        (["migrate"], {"database_url": "postgresql+asyncpg://h/db"}, 2, "write postgresql://"),
        (["recount"], {"database_url": "postgres://nobody@127.0.0.1:9/none"}, 1, "refused"),
        (["recount"], {"database_url": "postgresql+psycopg://a@127.0.0.1:9/b"}, 1, "refused"),
        (["migrate"], {"database_url": "postgresql://u:s@h:x,i/db"}, 2, "one,two:5433/name"),
        (["recount"], {"database_url": "postgresql://a@127.0.0.1:9,[::1]:9/b"}, 1, "refused"),
        (["serve"], {"listen_database_url": "postgresql://h/db"}, 2, "SQLite has no LISTEN"),
        (["serve"], {"port": "many"}, 2, "port must be a whole number, not 'many'."),
        (["serve"], {"page_limit": "0"}, 2, "page_limit must be at least 1, not '0'."),
        (["serve"], {"beat_interval": "inf"}, 2, "beat_interval must be a finite number, not"),
        (["serve"], {"database_timeout": "inf"}, 2, "must be at most 2000000.0, not 'inf'."),
        (["serve"], {"send_timeout": "1e-9"}, 2, "send_timeout must be at least 0.001, not"),
        (["serve"], {"session_time": "inf"}, 2, "session_time must be a finite number, not"),
        (["serve"], {"max_job_count": "9999999999"}, 2, "must be at most 2147483647, not"),
        (["serve"], {"max_cost": "1" + "0" * 16}, 2, "must be at most 9007199254740991, not"),
        (["serve"], {"max_event_rate": "1e-300"}, 2, "must be at least 1e-09, not"),
        (["serve"], {"max_notifications": "1" * 19}, 2, "must be at most 1000000000, not"),
        (["serve"], {"notify_give_up_after": "1e12"}, 2, "must be at most 1000000000.0, not"),
        (["serve"], {"host": ""}, 2, "host must not be empty, not ''."),
        (["serve"], {"log_level": "loud"}, 2, "'warning', 'info' or 'debug', not 'loud'."),
        (["serve"], {"trusted_proxies": "here"}, 2, "trusted_proxies.0 must be IP addresses or"),
        (
            ["serve"],
            {"allowed_hosts": "http://h"},
            2,
            "allowed_hosts.0 can't be 'http://h': a host",
        ),
        (["serve"], {"databse_url": "x"}, 2, "LAMIA_DATABSE_URL is not a setting (did you mean"),
        (["serve"], {"config": "/nowhere.toml"}, 2, "/nowhere.toml does not exist."),
        (["serve"], {"config": "/tmp"}, 2, "The settings file /tmp is not a file."),
        (["recount"], {"database_url": "postgresql://nobody@127.0.0.1:9/none"}, 1, "can't be used"),
        (["demo", "--url", "http://127.0.0.1:9"], {}, 1, "127.0.0.1:9"),
        (["replay", __file__, "--url", "http://127.0.0.1:9"], {}, 2, "JSON"),
        (["replay", "/nowhere.json"], {}, 2, "/nowhere.json"),
    ],
)
def test_errors_are_one_sentence(
    arguments: list[str], settings: dict[str, Any], code: int, words: str
) -> None:
    """An error in a setting, a file or an address is one sentence, without a traceback."""
    done = run_cli(*arguments, **settings)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "cret" not in done.stderr


def test_variables_of_jobs_do_not_disturb_the_server(bare_sqlite_url: str) -> None:
    """Whoever exports what lamia-job reads can start a server from the same shell."""
    client = (Path(__file__).parents[2] / "lamia_gql" / "client").glob("*.py")
    names = {name for file in client for name in re.findall(r"LAMIA_([A-Z_]+)", file.read_text())}
    assert {"URL", "TASK", "TOKEN_FILE"} <= names
    settings = {name.lower(): "x" for name in names} | {"url": "http://127.0.0.1:9"}
    done = run_cli("migrate", database_url=bare_sqlite_url, **settings)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_database_is_not_created(tmp_path: Path) -> None:
    """Only what is to fill a database makes one."""
    done = run_cli("recount", database_url=f"sqlite:///{tmp_path}/none.sqlite")
    assert (done.returncode, done.stderr) == (1, f"There is no database {tmp_path}/none.sqlite.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_downgrade_asks(sqlite_url: str) -> None:
    """Data is removed only if somebody agrees; a script does so by an option."""
    revisions = [run_cli("migrate", database_url=sqlite_url).stdout]
    for answer, option in ("", ""), ("n\n", ""), ("y\n", ""), ("", "--yes"):
        options = ["--revision=base", option] if option else ["--revision=base"]
        done = run_cli("migrate", *options, database_url=sqlite_url, stdin=answer)
        asked = f"This removes all tasks and events from {sqlite_url}. Continue? [y/N]: "
        assert done.stderr.startswith(asked) is not bool(option)
        assert ("Nothing was changed." in done.stderr) is (done.returncode == 1)
        revisions.append(done.stdout)
    assert re.fullmatch(r"The database is at revision \d{4}_\w+\.\n", revisions[0])
    assert revisions[1:] == ["", "", *["The database is at revision base.\n"] * 2]
    done = run_cli("migrate", "--revision=zzz", database_url=sqlite_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("There is no revision zzz; those of this version are base, 20")


def test_a_database_that_is_served_is_not_migrated(server: Server) -> None:
    """Neither removed nor changed under a server; a migration with nothing to do is fine."""
    server.create("t", {"name": "p"})
    done = run_cli("migrate", "--revision=base", "--yes", database_url=server.database_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(r"(A|Another) server is using the database", done.stderr)
    assert server.process("t", "p")["state"] == "PENDING"
    assert run_cli("migrate", database_url=server.database_url).returncode == 0
    server.stop()
    for revision in "base", "head":
        done = run_cli(
            "migrate", "--yes", f"--revision={revision}", database_url=server.database_url
        )
        assert done.returncode == 0, done.stderr


def test_a_server_does_not_start_during_a_migration(postgres_url: str) -> None:
    """The database has the former revision until it ends; then the server would go on with it."""
    with psycopg.connect(postgres_url) as migrating:
        migrating.execute("SELECT pg_advisory_xact_lock(%s)", [SERVER_LOCK_ID])
        done = run_cli("serve", "--port=0", database_url=postgres_url)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("The database is being migrated")


def test_one_server_for_a_file(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    """A second one is refused, by whatever path; once the first is gone, even killed, it starts."""
    server = start_server(sqlite_url)
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "lamia.sqlite")
    for url in sqlite_url, f"sqlite:///{tmp_path}/link.sqlite":
        done = run_cli("serve", "--port=0", database_url=url)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert f"Another server is using the database {tmp_path}/lamia.sqlite" in done.stderr
    server.kill()
    start_server(sqlite_url)


def test_port_in_use(sqlite_server: Server, sqlite_url: str) -> None:
    """A second server on a port that is in use prints so and exits."""
    port = sqlite_server.url.rsplit(":", 1)[1]
    done = run_cli("serve", "--port", port, database_url=sqlite_url)
    assert (done.returncode, "is taken" in done.stderr) == (1, True)
