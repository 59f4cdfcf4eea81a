"""Mail servers with TLS and a password."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from tests.notification.outbox import end_tasks
from tests.support.certificate import make_certificate
from tests.support.harness import StartServer
from tests.support.mail_server import run_mail_server
from tests.support.waiting import until

ELSEWHERE = "0.0.0.0"
"""An address that leads to this machine, and does not say so."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for this machine, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"), f"IP:{ELSEWHERE}")


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
    """Let in who knows the password."""
    return AuthResult(success=(data.login, data.password) == (b"lamia", b"ge:h@im"))


def make_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """TLS with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


PASSWORD = {"authenticator": authenticate, "auth_require_tls": False}


def test_tls_and_a_password(
    start_server: StartServer,
    sqlite_url: str,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`smtps://` is TLS from the start; a certificate that is not trusted gets no password."""
    with run_mail_server(ssl_context=make_context(certificate), **PASSWORD) as mail:
        url = f"smtps://lamia:ge%3Ah%40im@localhost:{mail.port}"
        untrusting = start_server(sqlite_url, smtp_url=url)
        end_tasks(untrusting, ["t"], email="ada@example.org")
        until(lambda: "CERTIFICATE_VERIFY_FAILED" in untrusting.log(), untrusting.log)
        assert "h@im" not in untrusting.log()
        assert "h%40im" not in untrusting.log()
        untrusting.kill()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        trusting = start_server(sqlite_url, smtp_url=url)
        end_tasks(trusting, ["u"], email="ada@example.org")
        until(lambda: mail.accepted, trusting.log)
        assert mail.signed_in


@pytest.mark.parametrize(
    ("host", "offers_tls", "arrives"),
    [("localhost", False, True), (ELSEWHERE, False, False), (ELSEWHERE, True, True)],
)
def test_a_password_needs_tls_on_the_network(
    start_server: StartServer,
    sqlite_url: str,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    *,
    offers_tls: bool,
    arrives: bool,
) -> None:
    """With `smtp://` and a password, STARTTLS is a must, unless the server is on this machine."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    options = {"tls_context": make_context(certificate)} if offers_tls else {}
    with run_mail_server(**options, **PASSWORD) as mail:
        server = start_server(sqlite_url, smtp_url=f"smtp://lamia:ge%3Ah%40im@{host}:{mail.port}")
        end_tasks(server, ["t"], email="ada@example.org")
        if arrives:
            until(lambda: mail.accepted, server.log)
            assert mail.signed_in
        else:
            until(lambda: "the mail server has not taken a notification" in server.log(), "")
            assert "STARTTLS" in server.log()
            assert mail.accepted == []
