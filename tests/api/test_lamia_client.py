"""What the client of the original Lamia sends, unmodified: its requests work as they are."""

from __future__ import annotations

import httpx

from tests.support.harness import Server


def test_two_slashes_are_one(sqlite_server: Server) -> None:
    """Its default address ends with a slash, to which it adds another one."""
    base = f"{sqlite_server.url}/api/v0/"
    assert httpx.get(f"{base}/night").status_code == 404
    created = httpx.post(f"{base}/night", json={"processes": {"fill": 2}})
    assert (created.status_code, created.json()) == (201, {"created": True})
    event = httpx.post(f"{base}/night//fill/event?arrayIndex=1", json={"eventClass": "BEAT"})
    assert event.status_code == 201
    assert httpx.get(f"{base}").json()[0]["name"] == "night"
    assert httpx.get(f"{base}/night/fill/").json()["name"] == "fill"


def test_a_shell_sends_texts(sqlite_server: Server) -> None:
    """A number in quotes is a number."""
    sqlite_server.rest("POST", "/t", {"processes": {"p": None}})
    body = {"eventClass": "PROGRESS", "progress": "43", "_meta": {"time": "1764000000"}}
    assert sqlite_server.rest("POST", "/t/p/event", body).status_code == 201
    assert sqlite_server.rest("GET", "/t/p").json()["progress"] == 43


def test_answers_end_with_a_newline(sqlite_server: Server) -> None:
    """So that a terminal shows one answer a line."""
    for path in ("", "/none"):
        assert sqlite_server.rest("GET", path).content.endswith(b"\n")
