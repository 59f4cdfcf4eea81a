"""Which hosts and which web pages may use the server, by the headers of their requests."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from lamia_gql.domain.settings import load
from tests.support.harness import Server, StartServer, run_cli
from tests.support.live_clients import WebSocketClient

QUERY = {"query": "{ server { version } }"}
EVIL = "http://evil.example"
FROM_ELSEWHERE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
NAVIGATION = {
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of an answer with one error, of GraphQL or of REST."""
    (error,) = answer.json()["errors"]
    details = error.get("extensions") or error["details"]
    assert (error.get("message") or error["reason"]).endswith(".")
    return answer.status_code, details["code"]


def raw(server: Server, request: str) -> bytes:
    """The answer to these bytes, on a connection that is closed after it."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(request.encode())
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8088",
        "192.0.2.7",
        "[::1]:8088",
        "[2001:db8::7]",
        "localhost:1",
        "LocalHost.",
        socket.gethostname(),
        f"{socket.gethostname().upper()}:8088",
    ],
)
def test_own_hosts_are_served(sqlite_server: Server, host: str) -> None:
    """IP addresses, localhost and the name of the machine, with any port."""
    answer = sqlite_server.get("/healthz", headers={"host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("evil.example", (421, "HOST_NOT_ALLOWED")),
        ("evil.example:8088", (421, "HOST_NOT_ALLOWED")),
        ("127.0.0.1.evil.example", (421, "HOST_NOT_ALLOWED")),
        ("localhost.evil.example", (421, "HOST_NOT_ALLOWED")),
        (f"{socket.gethostname()}.evil.example", (421, "HOST_NOT_ALLOWED")),
        ("[evil]", (421, "HOST_NOT_ALLOWED")),
        ("2130706433", (421, "HOST_NOT_ALLOWED")),
        ("x" * 5000, (421, "HOST_NOT_ALLOWED")),
        ("127.0.0.1@evil.example", (400, "BAD_REQUEST")),
        ("evil.example/127.0.0.1", (400, "BAD_REQUEST")),
        ("::1", (400, "BAD_REQUEST")),
        ("localhost:x", (400, "BAD_REQUEST")),
        ("", (400, "BAD_REQUEST")),
    ],
)
def test_other_hosts_are_refused(
    sqlite_server: Server, host: str, expected: tuple[int, str]
) -> None:
    """A name of another host is refused at every address, and the error names the setting."""
    for method, path in (
        ("GET", "/"),
        ("GET", "/healthz"),
        ("POST", "/graphql"),
        ("POST", "/api/v0/t"),
    ):
        answer = httpx.request(
            method, sqlite_server.url + path, headers={"host": host}, verify=False
        )
        assert refusal(answer) == expected
        assert len(answer.content) < 500
        assert ("allowed_hosts" in answer.text) is (expected[0] == 421)
    assert answer.json()["created"] is False
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_requests_have_one_host(sqlite_server: Server) -> None:
    """One Host header is required, except by HTTP/1.0, as health checks of old use it."""
    request = "GET /healthz HTTP/1.1\r\nConnection: close\r\n"
    assert raw(sqlite_server, f"{request}\r\n").startswith(b"HTTP/1.1 400")
    twice = f"{request}Host: localhost\r\nHost: localhost\r\n\r\n"
    assert raw(sqlite_server, twice).startswith(b"HTTP/1.1 400")
    assert b" 200 " in raw(sqlite_server, "GET /healthz HTTP/1.0\r\n\r\n")
    named = "GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n"
    assert b" 421 " in raw(sqlite_server, named)


async def test_websockets_are_refused_before_the_handshake(sqlite_server: Server) -> None:
    """A WebSocket of a foreign page, or to a foreign host name, is answered by an HTTP status."""
    port = int(sqlite_server.url.rpartition(":")[2])
    own: dict[str, str] = {}
    for host, headers, status, code in (
        ("127.0.0.1", {"origin": EVIL}, 403, b"ORIGIN_NOT_ALLOWED"),
        ("127.0.0.1", {"origin": "null"}, 403, b"ORIGIN_NOT_ALLOWED"),
        ("127.0.0.1", {"sec-fetch-site": "cross-site"}, 403, b"ORIGIN_NOT_ALLOWED"),
        ("evil.example", own, 421, b"HOST_NOT_ALLOWED"),
    ):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with WebSocketClient(
                f"http://{host}:{port}", additional_headers=headers, host="127.0.0.1", port=port
            ):
                pass
        assert refused.value.response.status_code == status
        assert code in refused.value.response.body
    for headers in (own, {"origin": sqlite_server.url}):
        async with WebSocketClient(sqlite_server.url, additional_headers=headers):
            pass


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "{url}"},
        {"origin": "{url}", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},
        # A browser says so although a proxy has changed the Host.
        {"origin": "https://lamia.example", "sec-fetch-site": "same-origin"},
        # A proxy may speak HTTPS for the server, and name its port or not.
        {"host": "localhost", "origin": "https://localhost"},
        {"host": "localhost:443", "origin": "https://localhost"},
        {"host": "localhost:80", "origin": "http://localhost"},
        {"host": "localhost:8443", "origin": "https://LOCALHOST:8443"},
        {"host": "[::1]:8088", "origin": "http://[::1]:8088"},
    ],
)
def test_own_pages_are_served(sqlite_server: Server, headers: dict[str, str]) -> None:
    """A page of the server's own origin may do everything, and so may programs without one."""
    sent = {name: value.format(url=sqlite_server.url) for name, value in headers.items()}
    answer = sqlite_server.post("/graphql", json=QUERY, headers=sent)
    assert answer.status_code == 200, answer.text
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "file://"},
        {"origin": "https://127.0.0.1"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"origin": EVIL, "sec-fetch-site": "cross-site"},
        # Another server on the same machine may be somebody else's.
        {"origin": "http://127.0.0.1:1", "sec-fetch-site": "same-site"},
        FROM_ELSEWHERE,
        NAVIGATION,
        {"sec-fetch-site": "nonsense"},
        {"origin": ""},
        {"origin": "x" * 5000},
    ],
)
def test_foreign_pages_are_refused(sqlite_server: Server, headers: dict[str, str]) -> None:
    """Whatever a foreign page asks for, also for what only reads, and for permission."""
    asked = {"access-control-request-method": "POST"}
    requests: list[tuple[str, str, Any]] = [
        ("GET", "/graphql?query={server{version}}", None),
        ("POST", "/graphql", QUERY),
        ("OPTIONS", "/graphql", None),
        ("GET", "/api/v0", None),
        ("POST", "/api/v0/t", {"processes": {"p": 1}}),
        ("GET", "/healthz", None),
    ]
    for method, path, body in requests:
        sent = headers | (asked if method == "OPTIONS" else {})
        answer = httpx.request(
            method, sqlite_server.url + path, json=body, headers=sent, verify=False
        )
        assert refusal(answer) == (403, "ORIGIN_NOT_ALLOWED")
        assert "allowed_origins" in answer.text
        assert len(answer.content) < 500
        assert "access-control-allow-origin" not in answer.headers
    assert sqlite_server.rest("GET", "/t").status_code == 404


def test_links_open_pages_only(sqlite_server: Server) -> None:
    """A link on a foreign page opens the dashboard, in a window of its own."""
    for path in ("/", "/graphiql"):
        assert sqlite_server.get(path, headers=NAVIGATION).status_code == 200
        frame = NAVIGATION | {"sec-fetch-dest": "iframe"}
        assert sqlite_server.get(path, headers=frame).status_code == 403
        assert sqlite_server.post(path, headers=NAVIGATION).status_code == 403
    assert sqlite_server.get("/nothing", headers=NAVIGATION).status_code == 403


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None],
)
def test_forms_are_for_programs_only(sqlite_server: Server, kind: str | None) -> None:
    """REST takes JSON under any name from curl, but not from a page, not even an own one."""
    headers = {} if kind is None else {"content-type": kind}
    sent = {"processes": {"p": None}}
    page = headers | {"origin": sqlite_server.url}
    for method, path, body in (
        ("POST", "/t", sent),
        ("PUT", "/t", {"comment": "x"}),
        ("POST", "/t/p/event", {"eventClass": "BEAT"}),
        ("DELETE", "", ["t"]),
    ):
        refused = sqlite_server.rest(method, path, body, headers=page)
        assert refusal(refused) == (415, "UNSUPPORTED_MEDIA_TYPE")
        assert sqlite_server.rest(method, path, body, headers=headers).status_code < 300
    page["content-type"] = "application/json"
    assert sqlite_server.rest("POST", "/u", sent, headers=page).status_code == 201


def test_allowed_origin_is_answered_by_cors(start_server: StartServer, sqlite_url: str) -> None:
    """An allowed page is told that it may read, and is asked for permission before it writes."""
    friend = "https://grafana.example.org"
    server = start_server(sqlite_url, allowed_origins=f"http://a.example:3000, {friend}/")
    headers = {"origin": friend, "sec-fetch-site": "cross-site"}
    answer = server.post("/graphql", json=QUERY, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == friend
    assert {"Accept", "Origin"} <= set(answer.headers["vary"].split(", "))
    asked = headers | {
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type,authorization,last-event-id",
        "access-control-request-private-network": "true",
    }
    answer = httpx.options(f"{server.url}/api/v0/t", headers=asked, verify=False)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == friend
    assert "PUT" in answer.headers["access-control-allow-methods"]
    for origin in (f"{friend}.evil.example", "http://a.example", f"{friend}:8443", EVIL):
        refused = server.post("/graphql", json=QUERY, headers={"origin": origin})
        assert refusal(refused) == (403, "ORIGIN_NOT_ALLOWED")


def test_names_of_a_server_for_others(start_server: StartServer, sqlite_url: str) -> None:
    """A server for the network is used by the machine's name, by everything that we provide."""
    settings = {"host": "0.0.0.0", "insecure": "true"}
    server = start_server(sqlite_url, **settings, allowed_hosts="lamia, Lamia.Example.org.")
    port = server.url.rpartition(":")[2]
    url = f"http://{socket.gethostname()}:{port}"
    made = run_cli("submit", "--url", url, "--name", "t", "--solitary", "p")
    assert made.returncode == 0, made.stderr
    sent = httpx.post(f"{url}/api/v0/t/p/event", content='{"eventClass":"STARTED"}', verify=False)
    assert sent.status_code == 201
    shown = run_cli("watch", "t", "--once", "--json", "--url", url)
    assert json.loads(shown.stdout)["name"] == "t", shown.stderr
    for host in ("lamia", f"lamia:{port}", "lamia.example.org", "LAMIA.example.org."):
        assert server.get("/healthz", headers={"host": host}).status_code == 200
    assert server.get("/healthz", headers={"host": "example.org"}).status_code == 421


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("allowed_hosts", "http://a.example", "no scheme and no port"),
        ("allowed_hosts", "a.example:8088", "no scheme and no port"),
        ("allowed_hosts", "*", "no scheme and no port"),
        ("allowed_origins", "*", "an origin is a scheme"),
        ("allowed_origins", "null", "an origin is a scheme"),
        ("allowed_origins", "a.example", "an origin is a scheme"),
        ("allowed_origins", "https://a.example/page", "an origin is a scheme"),
        ("trusted_proxies", "proxy.example", "IP"),
        ("trusted_proxies", "*", "IP"),
    ],
)
def test_invalid_settings_are_explained(name: str, value: str, problem: str) -> None:
    """A server with an entry that could never match does not start, and says which it is."""
    done = run_cli("serve", **{name: value})
    assert done.returncode == 2
    assert name in done.stderr
    assert problem in done.stderr


def test_lists_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment, lists are separated by commas; in a file, they are lists of TOML."""
    file = tmp_path / "lamia.toml"
    file.write_text('allowed_hosts = ["a.example"]\ntrusted_proxies = ["10.0.0.0/8", "::1"]\n')
    monkeypatch.setenv("LAMIA_CONFIG", str(file))
    monkeypatch.setenv("LAMIA_ALLOWED_ORIGINS", "HTTPS://A.example:443/, http://b.example:3000,")
    settings = load()
    assert settings.allowed_hosts == ["a.example"]
    assert settings.allowed_origins == ["https://a.example", "http://b.example:3000"]
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    monkeypatch.setenv("LAMIA_ALLOWED_HOSTS", "")
    assert load().allowed_hosts == []
