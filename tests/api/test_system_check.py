"""`lamia-gql check` has a line for each thing, and says what is wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from sqlalchemy import update

from lamia_gql.commands import system_check
from lamia_gql.domain.settings import load
from lamia_gql.storage.engine import begin_write, create_engine
from lamia_gql.storage.migrations import HEAD
from lamia_gql.storage.models import Task
from tests.support.harness import Server, run_cli
from tests.support.own_functions import own_functions_first, turn_back_clock
from tests.support.postgres_pair import DATABASE, running_pair
from tests.support.replica import pause_replay


class Outcome(NamedTuple):
    """What the command has said."""

    code: int
    lines: dict[str, tuple[str, str]]
    """For each subject, ``ok`` or ``WRONG``, and the sentence."""


def check(**settings: Any) -> Outcome:
    """Run it; nothing but its lines is printed."""
    done = run_cli("check", **settings)
    assert done.stderr == ""
    found = re.findall(r"^(ok|WRONG) +(\w+) +(.+[.:)])$", done.stdout, re.MULTILINE)
    assert len(found) == done.stdout.count("\n")
    return Outcome(done.returncode, {subject: (word, text) for word, subject, text in found})


def wrong(outcome: Outcome) -> dict[str, str]:
    """The sentences of what is wrong, by subject; the exit code says the same."""
    found = {name: text for name, (word, text) in outcome.lines.items() if word == "WRONG"}
    assert outcome.code == bool(found)
    return found


def test_all_is_well(server: Server) -> None:
    """While a server serves; nothing is changed."""
    server.create("t", {"name": "p"})
    found = check(database_url=server.database_url)
    assert wrong(found) == {}
    listening = ["listening"] if server.database_url.startswith("postgresql") else []
    subjects = ["settings", "database", "revision", "writing", *listening, "disk", "clocks"]
    assert list(found.lines) == subjects
    assert HEAD in found.lines["revision"][1]
    assert re.match(r"(SQLite 3|PostgreSQL 1\d)\.\d+", found.lines["database"][1])


def test_before_the_first_start(tmp_path: Path) -> None:
    """No file is made, and whether it can be is told."""
    found = check(database_url=f"sqlite:///{tmp_path}/l.sqlite")
    assert wrong(found) == {}
    sentence = f"{tmp_path}/l.sqlite will be made when the server starts."
    assert found.lines["database"] == ("ok", sentence)
    assert list(tmp_path.iterdir()) == []
    assert wrong(check(database_url="sqlite:////nowhere/l.sqlite"))["database"] == (
        "The database /nowhere/l.sqlite can't be made: the folder /nowhere does not exist."
    )


@pytest.mark.parametrize(
    ("settings", "subject", "words"),
    [
        ({"port": "many"}, "settings", "Invalid settings: port must be a whole number"),
        ({"prot": "1"}, "settings", "LAMIA_PROT is not a setting (did you mean LAMIA_PORT?)"),
        ({"workers": "2"}, "settings", "More than one worker needs PostgreSQL"),
        ({"read_database_url": "nonsense"}, "settings", "Each read_database_url must be like"),
        ({"listen_database_url": "nonsense"}, "settings", "The listen_database_url must be like"),
        ({"config": "/nowhere.toml"}, "settings", "The settings file /nowhere.toml does not exist"),
        (
            {"database_url": "sqlite:////tmp"},
            "database",
            "The database /tmp can't be used: it is a",
        ),
        (
            {"database_url": "postgresql://u:s3cret@127.0.0.1:9/none"},
            "database",
            "The database can't be used: connection failed",
        ),
    ],
)
def test_what_is_wrong_with_settings(
    sqlite_url: str, settings: dict[str, Any], subject: str, words: str
) -> None:
    """Each is a sentence, and no password is printed."""
    found = wrong(check(**({"database_url": sqlite_url} | settings)))
    assert found[subject].startswith(words)
    assert "s3cret" not in str(found)


def test_another_revision(bare_database_url: str) -> None:
    """Of this version's past, or of another version."""
    url = bare_database_url
    assert run_cli("migrate", "--revision=2026_11_24_exact_sums", database_url=url)
    found = wrong(check(database_url=url))
    assert list(found) == ["revision"]
    is_sqlite = url.startswith("sqlite")
    assert ("migrates it to" if is_sqlite else "run `lamia-gql migrate`") in found["revision"]
    engine = create_engine(load(database_url=url))
    with begin_write(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'of-the-future'")
    engine.dispose()
    found = wrong(check(database_url=url))
    assert "at revision of-the-future, which this version does not know" in found["revision"]


def test_a_clock_that_was_wrong(server: Server) -> None:
    """A task of the future shows that a clock was set back."""
    server.create("t", {"name": "p"})
    engine = create_engine(load(database_url=server.database_url))
    with begin_write(engine) as connection:
        future = datetime.now(UTC) + timedelta(hours=1)
        connection.execute(update(Task).values(received_at=future))
    engine.dispose()
    found = wrong(check(database_url=server.database_url))
    assert re.match(r"The latest task was created 3,[56]\d\d s in the future", found["clocks"])


def test_the_clock_of_another_machine(postgres_url: str) -> None:
    """The database's clock is compared with that of this machine."""
    with own_functions_first(postgres_url) as connection:
        turn_back_clock(connection, "90 s")
    found = wrong(check(database_url=postgres_url))
    assert list(found) == ["clocks"]
    assert re.match(r"The clock of the database is (89|90)\.\d s behind that of", found["clocks"])


def test_a_database_that_may_only_be_read(postgres_url: str) -> None:
    """Nothing can be stored there."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode()
        )
    found = wrong(check(database_url=postgres_url))
    assert list(found) == ["writing"]
    assert "read-only transaction" in found["writing"]


def test_a_full_disk(sqlite_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with less than a gigabyte free is worth a warning; the limit is raised to show it."""
    monkeypatch.setenv("LAMIA_DATABASE_URL", sqlite_server.database_url)
    for limit, is_wrong in ((1, False), (10**18, True)):
        monkeypatch.setattr(system_check, "MIN_FREE_BYTES", limit)
        [disk] = [f for f in system_check.check(None, None) if f.subject == "disk"]
        assert disk.is_wrong is is_wrong
        assert disk.line.startswith("WRONG  disk " if is_wrong else "ok     disk ")


def test_addresses_for_reading(postgres_url: str) -> None:
    """Each has a line; one that does not answer is wrong, and no password is printed."""
    urls = f"{postgres_url} postgresql://u:s3cret@127.0.0.1:9/none"
    done = run_cli("check", database_url=postgres_url, read_database_url=urls)
    primary, gone = (line for line in done.stdout.splitlines() if "  replica  " in line)
    assert done.returncode == 1
    assert primary.startswith("ok ")
    assert "is the primary now" in primary
    assert gone.startswith("WRONG  replica    127.0.0.1:9 can't be used: connection failed")
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_replica_that_is_none(postgres: Path, postgres_url: str) -> None:
    """Whether it follows the primary, how far behind it is, and whether it is one of it at all."""
    with running_pair(postgres) as pair:
        read_url = f"postgresql://postgres@{pair.standby.place}/{DATABASE}"

        def replica(database_url: str) -> tuple[str, str]:
            settings = {"read_database_url": read_url, "max_replica_lag": 2}
            run_cli("migrate", database_url=database_url)
            return check(database_url=database_url, **settings).lines["replica"]

        word, sentence = replica(pair.url)
        assert (word, "has everything that was committed" in sentence) == ("ok", True)
        with pair.standby.connect() as connection:
            pause_replay(connection)
            with pair.primary.connect() as primary:
                primary.execute("CREATE TABLE not_replayed ()")
            sentence = f"{pair.standby.place} is more than 2 s behind the primary"
            assert replica(pair.url) == ("WRONG", f"{sentence}, and no query is read from it.")
            connection.execute("SELECT pg_wal_replay_resume()")
        word, sentence = replica(postgres_url)
        assert (word, "belongs to another PostgreSQL" in sentence) == ("WRONG", True)
        with pair.primary.connect() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            connection.execute("SELECT pg_reload_conf()")
        pair.standby.promote()
        word, sentence = replica(f"postgresql://postgres@{pair.primary.place}/{DATABASE}")
        assert (word, "does not follow the primary any more" in sentence) == ("WRONG", True)
