"""Events that wait for an address that the server no longer has."""

from __future__ import annotations

import errno
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lamia_gql.client import Job
from lamia_gql.client.redirects import find_target
from lamia_gql.client.spool import Spool
from tests.support.harness import Server, StartServer
from tests.support.job_side import (
    FaultyServer,
    job_environment,
    make_event,
    run_lamia_job,
    spooled_events,
    stored_event_classes,
)
from tests.support.waiting import until


def flush(environ: dict[str, str], *arguments: str) -> tuple[int, list[str], bytes]:
    """Run `flush`: exit code, lines of stdout, and stderr."""
    done = run_lamia_job(environ, "flush", *arguments)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr


def test_a_server_moves_twice(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    """What waited for both earlier addresses is sent to the present one, once."""
    first = start_server(sqlite_url)
    first.create("t", {"name": "p"})
    first.stop()
    run_lamia_job(job_environment(first.url, tmp_path), "emit", "STARTED")
    second = "http://lamia.invalid:8088/monitor"
    run_lamia_job(job_environment(second, tmp_path), "emit", "PROGRESS", "--progress", "50")

    server = start_server(sqlite_url)
    port = server.url.rsplit(":", 1)[1]
    assert server.url != first.url
    here = f"http://localhost:{port}/graphql/"
    environ = job_environment(here, tmp_path)
    run_lamia_job(environ, "emit", "DONE")
    assert stored_event_classes(server) == ["DONE"]

    # It says where the others are, and what to do.
    code, told, errors = flush(environ)
    assert (code, told[0], errors) == (1, "0 events sent, 0 refused, 0 files left.", b"")
    advice = [
        f"if that has moved here, use --moved-from {url}/graphql" for url in (first.url, second)
    ]
    assert sorted(line.partition(": ")[2] for line in told[1:]) == sorted(advice)
    assert told[1].startswith("1 files wait for http://")

    moved = ("--moved-from", f"{first.url}/", "--moved-from", f"{second}/graphql")
    assert flush(environ, *moved) == (0, ["2 events sent, 0 refused, 0 files left."], b"")
    assert stored_event_classes(server) == ["STARTED", "PROGRESS", "DONE"]
    assert server.process("t", "p")["state"] == "SUCCEEDED"
    assert spooled_events(tmp_path) == []
    assert flush(environ, *moved) == (0, ["0 events sent, 0 refused, 0 files left."], b"")


def test_spool_whose_address_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that was full when the spool was made hides nothing from `flush` later."""
    old = Spool(str(tmp_path / "spool"), "http://old:8088/graphql")
    with monkeypatch.context() as patch:
        patch.setattr("lamia_gql.client.spool.write_file", refuse_to_write)
        with pytest.raises(OSError, match="No space"):
            old.add([make_event()])
    old.add([make_event()])
    code, told, _errors = flush(job_environment("http://127.0.0.1:1", tmp_path))
    assert (code, told[0]) == (1, "0 events sent, 0 refused, 0 files left.")
    assert told[1].startswith("1 files wait for http://old:8088/graphql: ")


def test_spool_of_an_older_version_without_its_address(tmp_path: Path) -> None:
    """Older versions made all folders before they wrote it; whoever spools next adds it."""
    old = Spool(str(tmp_path / "spool"), "http://old:8088/graphql")
    old.add([make_event()])
    Path(old.folder, "server").unlink()
    old.add([make_event()])
    _code, told, _errors = flush(job_environment("http://127.0.0.1:1", tmp_path))
    assert told[1].startswith("2 files wait for http://old:8088/graphql: ")


def refuse_to_write(*_arguments: object) -> None:
    """As on a full disk."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_not_accepted_stays_where_it_was(sqlite_server: Server, tmp_path: Path) -> None:
    """Nothing is lost on the way: a server that is away, and events that it refuses."""
    sqlite_server.create("t", {"name": "p"})
    old = "http://old:8088/graphql"
    spool = Spool(str(tmp_path / "spool"), old)
    spool.add([make_event(eventClass="DONE"), make_event(index=7), make_event(task="later")])
    away = job_environment("http://127.0.0.1:1", tmp_path)
    code, told, errors = flush(away, "--moved-from", old)
    assert (code, told) == (1, ["0 events sent, 0 refused, 3 files left."])
    assert b"can't be reached" in errors
    assert len(spooled_events(tmp_path)) == 3

    code, told, errors = flush(job_environment(sqlite_server.url, tmp_path), "--moved-from", old)
    assert (code, told) == (1, ["1 events sent, 1 refused, 1 files left."])
    assert [event["task"] for event in spooled_events(tmp_path)] == ["later"]
    assert len(list(Path(spool.folder, "refused").iterdir())) == 1


def test_addresses_that_are_none(tmp_path: Path) -> None:
    """A mistyped address is refused before anything is sent; an unknown one has no events."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    code, told, errors = flush(environ, "--moved-from", "old:8088")
    assert (code, told) == (2, [])
    assert b"'old:8088' is not the address of a server, such as http://host:8088." in errors
    known = ("--moved-from", "http://old:8088", "--moved-from", "http://127.0.0.1:1")
    assert flush(environ, *known) == (0, ["0 events sent, 0 refused, 0 files left."], b"")
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("status", ["301", "308"])
def test_redirect_to_the_same_host_is_followed(tmp_path: Path, status: str) -> None:
    """Events and the token get to where the server has moved for good, over one connection."""
    with FaultyServer("good") as server, FaultyServer(status) as old:
        old.location = f"{server.url}/new/graphql"
        environ = job_environment(old.url, tmp_path, LAMIA_TOKEN="secret")
        with Job(environ=environ) as one:
            for number in range(3):
                until(lambda: len(server.requests) > number, "the last event")  # noqa: B023
                one.progress(number)
        assert one.warnings == []
        assert (len(old.requests), server.connections) == (1, 1)
        assert {headers["authorization"] for headers, _batch in server.requests} == {
            "Bearer secret"
        }
        assert {headers["path"] for headers, _batch in server.requests} == {"/new/graphql"}
    assert spooled_events(tmp_path) == []


def test_redirect_elsewhere_is_named(tmp_path: Path) -> None:
    """A redirect to another host, a temporary one, and a circle are not followed."""
    with FaultyServer("good") as other, FaultyServer("308") as server:
        environ = job_environment(server.url, tmp_path)
        other_name = other.url.replace("127.0.0.1", "localhost")
        for status, location in (("308", other_name), ("302", other.url), ("301", server.url)):
            server.mode, server.location = status, location
            done = run_lamia_job(environ, "emit", "BEAT")
            assert f"answers with status {status}, and has moved to {location}: ".encode() in (
                done.stderr
            )
        assert other.requests == []
    assert len(spooled_events(tmp_path)) == 3


@pytest.mark.parametrize(
    ("address", "location", "target"),
    [
        ("http://host/graphql", "https://host/graphql", "https://host/graphql"),
        ("http://host:8088/graphql", "http://HOST:9000/l/graphql", "http://HOST:9000/l/graphql"),
        ("https://host/graphql", "/lamia/graphql", "https://host/lamia/graphql"),
        ("https://host/graphql", "http://host/graphql", None),
        ("http://host/graphql", "http://host.other/graphql", None),
        ("http://host/graphql", "http://user@host/graphql", None),
        ("http://host/graphql", "ftp://host/graphql", None),
        ("http://host/graphql", "http://host:port/graphql", None),
        ("http://host/graphql", "http://[host/graphql", None),
        ("http://host/graphql", "", None),
        ("http://host/graphql", None, None),
    ],
)
def test_redirects_that_may_be_followed(
    address: str, location: str | None, target: str | None
) -> None:
    """They lead to the same host, and not from https to http."""
    found = find_target(urlsplit(address), location)
    assert (found and found.geturl()) == target
