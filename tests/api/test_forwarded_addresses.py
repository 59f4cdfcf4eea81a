"""Which address a client has that comes through proxies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.harness import Server

FORWARDED: dict[str, tuple[str, Any]] = {
    "one proxy": ("192.0.2.7", "192.0.2.7"),
    "the right-most that is not trusted": ("203.0.113.9, 192.0.2.7, 10.1.2.3", "192.0.2.7"),
    "only proxies": ("10.1.1.1, 10.1.1.2", "10.1.1.1"),
    "with a port": ("192.0.2.7:50123", "192.0.2.7"),
    "IPv6": ("2001:DB8::7", "2001:db8::7"),
    "IPv6 with a port": ("[2001:db8::7]:50123", "2001:db8::7"),
    "IPv4 as IPv6": ("::ffff:192.0.2.7", "192.0.2.7"),
    "with a zone": ("fe80::7%" + "x" * 3000, "fe80::7"),
    "no address": ("unknown", "127.0.0.1"),
    "no address behind a proxy": ("<script>, 10.1.2.3", "10.1.2.3"),
    "long": ("1" * 30_000, "127.0.0.1"),
    "empty": ("", "127.0.0.1"),
}


@pytest.mark.parametrize("case", FORWARDED)
def test_addresses_behind_trusted_proxies(proxied: Server, case: str) -> None:
    """The right-most valid address that is not a trusted proxy is the client's."""
    forwarded, expected = FORWARDED[case]
    assert address_stored(proxied, {"x-forwarded-for": forwarded}) == expected


def test_forwarded_addresses_are_not_believed_by_default(sqlite_server: Server) -> None:
    """Without trusted proxies, not even the same machine may tell another address."""
    assert address_stored(sqlite_server, {"x-forwarded-for": "192.0.2.7"}) == "127.0.0.1"
    assert address_stored(sqlite_server, {"x-forwarded-for": "x" * 30_000}) == "127.0.0.1"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that trusts proxies on its machine, and in a network."""
    folder = tmp_path_factory.mktemp("proxied")
    settings = {"trusted_proxies": "127.0.0.1,10.0.0.0/8"}
    with Server(f"sqlite:///{folder}/lamia.sqlite", folder, forked=True, **settings) as server:
        yield server


def address_stored(server: Server, headers: dict[str, str]) -> Any:
    """The address of the client that a task is stored with."""
    server.rest("DELETE", "/t")
    answer = server.rest("POST", "/t", {"processes": {"p": 1}}, headers=headers)
    assert answer.status_code == 201, answer.text
    return server.graphql('{ task(name: "t") { clientAddress } }')["task"]["clientAddress"]
