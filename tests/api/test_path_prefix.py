"""Paths in answers behind a proxy that removes a prefix from the path."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.harness import Server


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two tasks that trusts proxies on its machine."""
    folder = tmp_path_factory.mktemp("proxied")
    url = f"sqlite:///{folder}/lamia.sqlite"
    with Server(url, folder, forked=True, trusted_proxies="127.0.0.1") as server:
        server.create("a b", {"name": "p"})
        server.create("t", {"name": "p"})
        yield server


def links(server: Server, *prefixes: str) -> list[str]:
    """The paths in the answers of the REST interface, to a proxy with these headers."""
    headers = [("x-forwarded-prefix", prefix) for prefix in prefixes]
    page = server.rest("GET", "?limit=1", headers=headers)
    task = server.rest("GET", "/a%20b", headers=headers).json()
    process = server.rest("GET", "/a%20b/p", headers=headers).json()
    next_page = page.headers["link"].partition("?")[0]
    assert task["processes"][0]["_links"] == process["_links"]
    return [next_page, *task["_links"].values(), *process["_links"].values()]


PLAIN = ["</api/v0", "/api/v0/a%20b", "/api/v0", "/api/v0/a%20b/p/event"]


@pytest.mark.parametrize("prefix", ["/monitor", "/monitor/", "/x/y-z_1.2~", "/api", "/api/v0"])
def test_prefix_of_a_trusted_proxy(proxied: Server, prefix: str) -> None:
    """Every path begins with the prefix, even if the server's own paths do, too."""
    start = prefix.rstrip("/")
    assert links(proxied, prefix) == [f"<{start}{PLAIN[0][1:]}", *(start + p for p in PLAIN[1:])]
    answer = proxied.get("/healthz", headers={"x-forwarded-prefix": prefix})
    assert answer.json()["status"] == "ok"


@pytest.mark.parametrize(
    "prefixes",
    [
        ("//foreign.example",),
        ("https://foreign.example",),
        ("monitor",),
        ("/a>; rel=next, </b",),
        ("/a, /b",),
        ("/a", "/b"),
        ("/%2F",),
        ("/",),
        ("",),
    ],
)
def test_invalid_prefixes_are_ignored(proxied: Server, prefixes: tuple[str, ...]) -> None:
    """A link never leads to another host."""
    assert links(proxied, *prefixes) == PLAIN


def test_prefix_decides_nothing(proxied: Server) -> None:
    """A forged prefix opens no second way to an address that a proxy protects by its path."""
    headers = {"x-forwarded-prefix": "/public"}
    assert proxied.get("/public/graphql?query={__typename}", headers=headers).status_code == 404
    assert proxied.get("/graphql?query={__typename}", headers=headers).status_code == 200


def test_prefix_is_not_believed_by_default(sqlite_server: Server) -> None:
    """Without trusted proxies, nobody tells another prefix."""
    for name in ("a b", "t"):
        sqlite_server.create(name, {"name": "p"})
    assert links(sqlite_server, "/monitor") == PLAIN
