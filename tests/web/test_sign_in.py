"""Signing in: the pages of a server that asks who somebody is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from lamia_gql.domain.access import Role
from tests.support.browser import OpenPage, serious_findings
from tests.support.credentials import Credentials
from tests.support.harness import Server, StartServer

REFUSED = [r"status of 401", r"WebSocket connection to .* failed"]
"""What Chromium says about requests without a credential."""


@pytest.fixture
def credentials(sqlite_url: str) -> Iterator[Credentials]:
    """A task, and tokens in a database."""
    found = Credentials(sqlite_url)
    found.add_task("night")
    yield found
    found.close()


@pytest.fixture
def guarded(start_server: StartServer, credentials: Credentials) -> Server:
    """A server that needs a credential."""
    credentials.token("other", Role.ADMIN)
    return start_server(credentials.database_url)


def sign_in(page: Page, token: str) -> None:
    """Fill in the form."""
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_dashboard(guarded: Server, credentials: Credentials, open_page: OpenPage) -> None:
    """Who has signed in sees the tasks, live; whose token is revoked is asked again."""
    token = credentials.token("anna", Role.SUBMIT)
    page = open_page(guarded.url, allowed=REFUSED)
    expect(page.get_by_label("Access token")).to_be_focused()
    assert serious_findings(page) == []
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("The access token is not valid")
    sign_in(page, token)
    expect(page.get_by_role("link", name="night")).to_be_visible()
    expect(page.get_by_text("anna", exact=True)).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    [cookie] = page.context.cookies()
    assert cookie["name"] == "lamia_session"
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert token not in cookie["value"]

    # The session is for GraphiQL as well.
    page.goto(f"{guarded.url}/graphiql")
    expect(page.locator(".graphiql-logo")).to_contain_text("anna")
    page.goto(guarded.url)
    expect(page.get_by_role("link", name="night")).to_be_visible()

    credentials.revoke("anna")
    expect(page.get_by_label("Access token")).to_be_visible()
    sign_in(page, token)
    expect(page.get_by_role("alert")).to_contain_text("The access token is not valid")


def test_signing_out(guarded: Server, credentials: Credentials, open_page: OpenPage) -> None:
    """The cookie is gone, and so is what was shown."""
    page = open_page(f"{guarded.url}/graphiql", allowed=REFUSED, width=3840, height=2160)
    # On the screen of a wall, all is enlarged, and nothing of it twice.
    expect(page.locator("main")).to_have_css("zoom", "1.75")
    expect(page.get_by_text("Access token")).to_have_css("font-size", "16px")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.get_by_text("Access token")).to_have_css("font-size", "16px")
    sign_in(page, credentials.token("anna", Role.READ))
    expect(page.locator(".graphiql-logo")).to_contain_text("anna")
    page.goto(guarded.url)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Access token")).to_be_visible()
    assert page.context.cookies() == []
    assert "night" not in page.content()


def test_session_requests(guarded: Server, credentials: Credentials) -> None:
    """Forged, foreign and malformed sign-ins, and what a session is worth elsewhere."""
    token = credentials.token("anna", Role.READ)

    def post(body: str, **headers: str) -> httpx.Response:
        given = {"content-type": "application/json"} | headers
        return guarded.post("/session", content=body, headers=given)

    good = f'{{"token": "{token}"}}'
    assert post(good, **{"content-type": "text/plain"}).status_code == 415
    assert post(good, origin="https://evil.example").status_code == 403
    assert post("[]").status_code == 400
    assert post('{"token": ""}').status_code == 400
    assert post('{"token": "lamia_a1_x"}').status_code == 401
    assert guarded.get("/session").status_code == 405
    signed = post(good)
    assert signed.status_code == 204
    cookie = signed.headers["set-cookie"]
    assert "Secure" not in cookie
    session = re.match(r"lamia_session=([^;]+);", cookie)
    assert session is not None
    guarded._client.cookies.clear()
    viewer = {"query": "{ viewer { name } }"}
    for value, status in ((session[1], 200), (session[1][:-2] + "AA", 401), ("x", 401)):
        headers = {"cookie": f"lamia_session={value}"}
        assert guarded.post("/graphql", json=viewer, headers=headers).status_code == status
    # A session is no bearer token.
    headers = {"authorization": f"Bearer {session[1]}"}
    assert guarded.post("/graphql", json=viewer, headers=headers).status_code == 401
