"""How lamia-job connects to its server: addresses, certificates and tokens."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

import pytest

from lamia_gql.client import Job
from lamia_gql.client.configuration import find_server
from lamia_gql.client.server_connection import ServerConnection, ServerUnavailableError
from tests.support.certificate import make_certificate
from tests.support.job_side import FaultyServer, job_environment, run_lamia_job, spooled_events


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://host", ("host", 80)),
        ("https://host/lamia", ("host", 443)),
        ("HTTPS://host:8443", ("host", 8443)),
        ("http://[::1]", ("::1", 80)),
        ("http://[2001:db8::7:8]/lamia", ("2001:db8::7:8", 80)),
        ("https://[::1]:8443/graphql", ("::1", 8443)),
    ],
)
def test_host_and_port(url: str, place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Host names and IPv4 and IPv6 addresses, with and without a port."""
    asked: list[tuple[str, int]] = []

    def connect(connection: http.client.HTTPConnection) -> None:
        asked.append((connection.host, connection.port))
        raise ConnectionRefusedError

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect)
    connection = ServerConnection(find_server({"LAMIA_URL": url}))
    with pytest.raises(ServerUnavailableError):
        connection.submit([])
    connection.close()
    assert asked == [place]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for this machine, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_https(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """Certificates are verified, against one's own CA, too; without trust, events stay spooled."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    with FaultyServer("good", tls) as server:
        environ = job_environment(server.url, tmp_path, LAMIA_TOKEN="secret")
        done = run_lamia_job(environ, "run", "--", "sh", "-c", "exit 3")
        assert (done.returncode, done.stderr) == (3, b"")
        assert server.requests == []
        assert len(spooled_events(tmp_path)) == 2
        told = run_lamia_job(environ, "flush")
        assert (told.returncode, b"CERTIFICATE_VERIFY_FAILED" in told.stderr) == (1, True)

        environ["SSL_CERT_FILE"] = str(certificate[0])
        done = run_lamia_job(environ, "emit", "BEAT")
        assert (done.returncode, done.stderr) == (0, b"")
        assert run_lamia_job(environ, "flush").returncode == 0
        sent = [event["eventClass"] for _headers, batch in server.requests for event in batch]
    assert sorted(sent) == ["BEAT", "FAILED", "STARTED"]
    assert spooled_events(tmp_path) == []


def test_broken_token_is_not_told(tmp_path: Path) -> None:
    """Space around a token does not matter; one that is none is neither sent nor printed."""
    with FaultyServer("good") as server:
        for token in ("lamia_se\ncret", "lamia_se\x7fcret", "“lamia_secret”"):
            environ = job_environment(server.url, tmp_path, LAMIA_TOKEN=token)
            done = run_lamia_job(environ, "emit", "BEAT")
            assert done.returncode == 0
            assert b"The token has characters that no token has." in done.stderr
            assert b"cret" not in done.stderr
        assert server.requests == []
        assert len(spooled_events(tmp_path)) == 3
        environ["LAMIA_TOKEN"] = " lamia_secret\n"
        assert run_lamia_job(environ, "emit", "BEAT").stderr == b""
        assert server.requests[0][0]["authorization"] == "Bearer lamia_secret"


def test_program_that_changes_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths are those of the directory in which the job began."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "token").write_text("lamia_secret")
    monkeypatch.chdir(tmp_path)
    with FaultyServer("503") as server:
        environ = job_environment(
            server.url, tmp_path, LAMIA_SPOOL="spool", LAMIA_TOKEN_FILE="token"
        )
        with Job(environ=environ, quiet=True):
            monkeypatch.chdir(elsewhere)
        assert server.requests[0][0]["authorization"] == "Bearer lamia_secret"
    assert {event["eventClass"] for event in spooled_events(tmp_path)} == {"STARTED", "DONE"}
    assert list(elsewhere.iterdir()) == []
