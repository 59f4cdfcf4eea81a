"""Servers that are reached through a proxy."""

from __future__ import annotations

import base64
import re
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lamia_gql.client.proxies import find_proxy
from tests.support.certificate import make_certificate
from tests.support.harness import run_cli
from tests.support.job_side import FaultyServer, job_environment, run_lamia_job, spooled_events

USER = base64.b64encode(b"me:s@cret").decode()


@contextmanager
def tunnel_to(port: int, asked: list[bytes]) -> Iterator[int]:
    """A proxy that connects everybody to a port of this machine; its own port."""

    class Handler(socketserver.StreamRequestHandler):
        rbufsize = 0

        def handle(self) -> None:
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                asked.append(line.strip())
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            with socket.create_connection(("127.0.0.1", port)) as server:
                ends = {self.connection: server, server: self.connection}
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        if not (data := end.recv(65536)):
                            return
                        ends[end].sendall(data)

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Threads(("127.0.0.1", 0), Handler) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        yield proxy.server_address[1]
        proxy.shutdown()
        thread.join()


def test_http_through_a_proxy(tmp_path: Path) -> None:
    """The proxy gets the whole address, and who asks; the server's token is for the server."""
    with FaultyServer("good") as proxy:
        url = "http://lamia.invalid:8088"
        environ = job_environment(url, tmp_path, LAMIA_TOKEN="secret")
        environ["http_proxy"] = proxy.url.replace("//", "//me:s%40cret@")
        done = run_lamia_job(environ, "run", "--", "true")
        assert done.stderr == b""
        [headers, *_others] = [headers for headers, _batch in proxy.requests]
        sent = [event["eventClass"] for _headers, batch in proxy.requests for event in batch]
    assert headers["path"] == f"{url}/graphql"
    assert headers["host"] == "lamia.invalid:8088"
    assert headers["authorization"] == "Bearer secret"
    assert headers["proxy-authorization"] == f"Basic {USER}"
    assert sent == ["STARTED", "DONE"]


def test_https_through_a_proxy(tmp_path: Path) -> None:
    """The proxy passes on what it can't read; the certificate is that of the server."""
    certificate = make_certificate(tmp_path, "DNS:lamia.invalid")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    asked: list[bytes] = []
    with FaultyServer("good", tls) as server:
        port = urlsplit(server.url).port
        assert port is not None
        with tunnel_to(port, asked) as proxy:
            environ = job_environment("https://lamia.invalid", tmp_path)
            environ |= {
                "HTTPS_PROXY": f"http://me:s%40cret@127.0.0.1:{proxy}",
                "SSL_CERT_FILE": str(certificate[0]),
            }
            assert run_lamia_job(environ, "emit", "DONE").stderr == b""
        assert [headers["path"] for headers, _batch in server.requests] == ["/graphql"]
        assert "proxy-authorization" not in server.requests[0][0]
    assert asked[0].startswith(b"CONNECT lamia.invalid:443 HTTP/1.")
    assert f"Proxy-Authorization: Basic {USER}".encode() in asked


def test_proxy_that_is_away(tmp_path: Path) -> None:
    """It is named, without its password, and the events are kept."""
    environ = job_environment("http://lamia.invalid:8088", tmp_path)
    environ["ALL_PROXY"] = "me:secret@127.0.0.1:1"
    done = run_lamia_job(environ, "emit", "BEAT")
    assert b"can't be reached through the proxy http://127.0.0.1:1: " in done.stderr
    environ["ALL_PROXY"] = "socks5://me:secret@proxy:1080"
    done = run_lamia_job(environ, "emit", "DONE")
    assert b"the proxy socks5://proxy is not supported, only those like http://" in done.stderr
    assert b"secret" not in done.stderr
    # Characters that end the name of a host.
    for password in ("sec/ret", "7#secret", "7?secret", "secret\u2100", "[secret"):
        environ["ALL_PROXY"] = f"http://me:{password}@proxy:3128"
        done = run_lamia_job(environ, "emit", "BEAT")
        assert b"the address of the proxy is not valid; in a user or a password" in done.stderr
        assert re.search(b"sec|7|ret", done.stderr.partition(b"reached")[2]) is None, password
    assert len(spooled_events(tmp_path)) == 7
    with FaultyServer("good") as server:
        # This machine is no matter of the proxy.
        here = job_environment(server.url, tmp_path) | {"ALL_PROXY": environ["ALL_PROXY"]}
        assert run_lamia_job(here, "emit", "DONE").stderr == b""


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("http://host", {}, None),
        ("http://host", {"http_proxy": "http://proxy:3128"}, "http://proxy:3128"),
        ("http://host", {"HTTP_PROXY": " http://proxy/ "}, "http://proxy:80"),
        ("http://host", {"https_proxy": "http://proxy:3128"}, None),
        ("https://host", {"all_proxy": "proxy:3128"}, "http://proxy:3128"),
        ("http://host", {"all_proxy": "x", "http_proxy": "http://[::1]:3128"}, "http://[::1]:3128"),
        ("http://host", {"all_proxy": "p", "no_proxy": "*"}, None),
        ("http://host", {"all_proxy": "p", "no_proxy": "other, HOST"}, None),
        ("http://a.host:80", {"all_proxy": "p", "NO_PROXY": ".host:80"}, None),
        ("http://ahost", {"all_proxy": "p", "no_proxy": "host"}, "http://p:80"),
        ("http://host", {"all_proxy": "p", "no_proxy": ","}, "http://p:80"),
        ("http://localhost:80", {"all_proxy": "p"}, None),
        ("http://127.0.0.2", {"all_proxy": "p"}, None),
        ("http://[::1]:80", {"all_proxy": "p"}, None),
    ],
)
def test_which_proxy(url: str, environ: dict[str, str], proxy: str | None) -> None:
    """The variables are those of curl; what they exempt, and this machine, are reached directly."""
    found = find_proxy(environ, urlsplit(f"{url}/graphql"))
    assert (found and str(found)) == proxy


def test_commands_use_the_same_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``lamia-gql`` goes the same way as ``lamia-job``, and names a proxy that is away."""
    monkeypatch.setenv("ALL_PROXY", "http://me:secret@127.0.0.1:1")
    done = run_cli("tasks", "--url", "http://lamia.invalid:8088")
    assert "can't be reached through the proxy http://127.0.0.1:1: " in done.stderr
    assert "secret" not in done.stderr
    done = run_cli("tasks", "--url", "http://127.0.0.1:1")
    assert "The server at http://127.0.0.1:1 can't be reached: " in done.stderr
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy:1080")
    done = run_cli("tasks", "--url", "http://lamia.invalid:8088")
    assert "the proxy socks5://proxy is not supported" in done.stderr

    asked: list[bytes] = []
    with FaultyServer("good") as server, tunnel_to(urlsplit(server.url).port or 0, asked) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://me:s%40cret@127.0.0.1:{proxy}")
        run_cli("tasks", "--url", "https://lamia.invalid")
    assert asked[0].startswith(b"CONNECT lamia.invalid:443 HTTP/1.")
    assert f"Proxy-Authorization: Basic {USER}".encode() in asked
