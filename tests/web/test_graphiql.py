"""GraphiQL, driven like a person does, on a machine without internet."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Request, expect

from tests.support.browser import COLOR_SCHEMES, OpenPage, serious_findings, wait_for_value
from tests.support.harness import Server

EXAMPLES = ["Tree", "FailingJobs", "CreateTask", "SubmitEvent", "WatchTask"]


@pytest.fixture
def graphiql(sqlite_server: Server, open_page: OpenPage) -> Page:
    """GraphiQL, ready, on a server with a task like that of the demonstration."""
    sqlite_server.create(
        "trouble-1",
        {"name": "hopeless", "jobCount": 9},
        {"name": "silent", "jobCount": 10, "beatInterval": 60},
    )
    told = {"exitCode": 139, "message": "no such file"}
    sqlite_server.submit("trouble-1", "hopeless", "FAILED", index=3, **told)
    page = open_page(f"{sqlite_server.url}/graphiql")
    expect(page.get_by_role("tab")).to_have_text(EXAMPLES, use_inner_text=True)
    # The schema has come when its documentation opens.
    page.get_by_role("button", name="Show Documentation Explorer").click()
    expect(page.get_by_text("Root Types")).to_be_visible()
    page.get_by_role("button", name="Hide Documentation Explorer").click()
    return page


def choose(page: Page, tab: str) -> None:
    """Change to a tab."""
    page.get_by_role("tab", name=tab).click()
    expect(page.locator(".graphiql-query-editor")).to_contain_text(tab)


def run(page: Page) -> None:
    """Press the button that runs the operation, or stops it."""
    page.locator(".graphiql-execute-button").click()


def response(page: Page) -> str:
    """What is shown of the answer, without spaces."""
    return "".join(page.locator(".graphiql-response").inner_text().split())


def expect_response(page: Page, text: str) -> None:
    """Wait for an answer that contains a text, up to spaces."""
    assert text in wait_for_value(page, lambda: response(page), lambda found: text in found)


def test_example_tabs_run_as_they_are(graphiql: Page) -> None:
    """Queries, mutations and a subscription: every tab answers without an edit."""
    run(graphiql)
    expect_response(graphiql, '"name":"trouble-1"')
    for tab, told in (
        ("FailingJobs", '"indices":"hopeless[3]"'),
        ("CreateTask", '"userErrors":[]'),
        ("SubmitEvent", '"userErrors":[]'),
        ("WatchTask", '"taskChanged":{"name":"trouble-1"'),
    ):
        choose(graphiql, tab)
        run(graphiql)
        expect_response(graphiql, told)
        assert '"errors"' not in response(graphiql)


def test_subscriptions_go_on(graphiql: Page, sqlite_server: Server) -> None:
    """A subscription shows what happens after it began, over either protocol."""
    used: list[str] = []

    def note(request: Request) -> None:
        if request.headers.get("accept") == "text/event-stream":
            used.append("SSE")

    graphiql.on("websocket", lambda _socket: used.append("WebSocket"))
    graphiql.on("request", note)
    choose(graphiql, "WatchTask")
    for transport, indices in (("WebSocket", (5, 6)), ("SSE", (7, 8))):
        run(graphiql)
        # The first may come before the subscription has begun, but not the second.
        for index in indices:
            sqlite_server.submit("trouble-1", "hopeless", "STARTED", index=index)
            expect_response(graphiql, f'"running":{index - 4}')
        run(graphiql)
        assert used[-1] == transport
        graphiql.get_by_role("button", name="Subscriptions use").click()


def test_the_schema_helps(graphiql: Page) -> None:
    """The editor offers the rest of a name; the schema can be read and clicked together.

    Axe finds nothing serious in what is ours of the page: the rest is GraphiQL's own.
    """
    for scheme in COLOR_SCHEMES:
        graphiql.emulate_media(color_scheme=scheme)
        assert serious_findings(graphiql, ".graphiql-logo", ".graphiql-toolbar") == [], scheme
    graphiql.get_by_role("button", name="New tab").click()
    editor = graphiql.locator(".graphiql-query-editor .monaco-editor")
    editor.click()
    graphiql.keyboard.press("ControlOrMeta+a")
    graphiql.keyboard.type("{ serv")
    suggestion = graphiql.locator(".suggest-widget .monaco-list-row").first
    graphiql.keyboard.press("Control+Space")
    expect(suggestion).to_contain_text("server")
    graphiql.keyboard.press("Enter")
    graphiql.keyboard.type(" { version } }")
    run(graphiql)
    expect_response(graphiql, '"version"')
    graphiql.get_by_role("button", name="Show GraphiQL Explorer").click()
    expect(graphiql.locator(".graphiql-explorer-root")).to_contain_text("tasks")
    graphiql.get_by_role("button", name="Show Documentation Explorer").click()
    graphiql.get_by_role("link", name="Query", exact=True).click()
    expect(graphiql.get_by_text("Everything that can be queried.")).to_be_visible()


def test_headers_and_tabs(graphiql: Page) -> None:
    """What stands under Headers goes with the request: a token, say.

    A reload brings back the tabs, none of them twice.
    """
    graphiql.get_by_role("button", name="Headers").click()
    graphiql.locator(".graphiql-editor-tool .monaco-editor:visible").click()
    graphiql.keyboard.insert_text(json.dumps({"authorization": "Bearer secret"}))
    with graphiql.expect_request(
        lambda request: request.method == "POST" and "Tree" in (request.post_data or "")
    ) as sent:
        run(graphiql)
    assert sent.value.headers["authorization"] == "Bearer secret"
    expect_response(graphiql, '"name":"trouble-1"')
    choose(graphiql, "SubmitEvent")
    # What is open is stored half a second later.
    stored = 'JSON.parse(localStorage.getItem("graphiql:tabState") ?? "{}").activeTabIndex'
    assert wait_for_value(graphiql, lambda: graphiql.evaluate(stored), lambda tab: tab == 3) == 3
    graphiql.reload()
    expect(graphiql.get_by_role("tab")).to_have_text(EXAMPLES, use_inner_text=True)


def test_a_link_carries_an_operation(graphiql: Page, open_page: OpenPage) -> None:
    """A copied link opens the operation with its variables elsewhere; it is not run unasked."""
    graphiql.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(graphiql, "FailingJobs")
    graphiql.get_by_role("button", name="Copy a link").click()
    expect(graphiql.get_by_role("button", name="Link copied")).to_be_visible()
    link = graphiql.evaluate("navigator.clipboard.readText()")
    sent: list[str] = []
    page = open_page(link)
    page.on("request", lambda request: sent.append(request.post_data or ""))
    expect(page.get_by_role("tab").first).to_have_text("FailingJobs", use_inner_text=True)
    expect(page.locator(".graphiql-editor-tool")).to_contain_text("trouble-1")
    assert "#" not in page.url
    assert not any("FailingJobs" in body for body in sent)
    run(page)
    expect_response(page, '"indices":"3"')
    # Here the tab is open already: the link brings it to the front.
    graphiql.get_by_role("tab", name="Tree").click()
    graphiql.goto(link)
    selected = graphiql.get_by_role("tab", selected=True)
    expect(selected).to_have_text("FailingJobs", use_inner_text=True)
    expect(graphiql.get_by_role("tab")).to_have_count(len(EXAMPLES))
    graphiql.get_by_role("link", name="Dashboard").click()
    expect(graphiql.get_by_role("heading", name="Tasks")).to_be_visible()


def test_examples_come_back(graphiql: Page) -> None:
    """Examples that were closed are there again, after the tabs that are open."""
    # The tabs on the left of a closed one stay where they are.
    for name, left in (("CreateTask", 4), ("Tree", 3)):
        choose(graphiql, name)
        graphiql.get_by_role("tab", name=name).get_by_label("Close Tab").click()
        expect(graphiql.get_by_role("tab")).to_have_count(left)
    graphiql.get_by_role("button", name="Examples").click()
    names = ["FailingJobs", "SubmitEvent", "WatchTask", "Tree", "CreateTask"]
    expect(graphiql.get_by_role("tab")).to_have_text(names, use_inner_text=True)
    run(graphiql)
    expect_response(graphiql, '"kind":"ARRAY"')
    choose(graphiql, "WatchTask")
    graphiql.get_by_role("button", name="Examples").click()
    selected = graphiql.get_by_role("tab", selected=True)
    expect(selected).to_have_text("Tree", use_inner_text=True)
    expect(graphiql.get_by_role("tab")).to_have_count(5)


def test_answers_are_seen_on_a_phone(sqlite_server: Server, open_page: OpenPage) -> None:
    """On a phone, operation and answer are below each other, as wide as the screen."""
    sqlite_server.create("night", {"name": "sweep", "jobCount": 4})
    url = f"{sqlite_server.url}/graphiql#query={{tasks(first:1){{nodes{{name}}}}}}"
    page = open_page(url, width=320, height=640, has_touch=True, is_mobile=True)
    expect(page.get_by_role("link", name="Dashboard")).to_be_visible()
    expect(page.locator(".graphiql-query-editor")).to_contain_text("nodes")
    run(page)
    expect_response(page, '"name":"night"')
    box = page.locator(".graphiql-response").bounding_box()
    assert box is not None
    assert box["width"] > 280
    assert box["height"] > 150
    assert box["y"] + box["height"] <= 640
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_wall(sqlite_server: Server, open_page: OpenPage) -> None:
    """On the screen of a wall, words, controls and editors are larger, and pointers hit them."""
    sqlite_server.create("night", {"name": "sweep", "jobCount": 4})
    url = f"{sqlite_server.url}/graphiql#query={{tasks(first:1){{nodes{{name}}}}}}"
    page = open_page(url, width=3840, height=2160)
    editor = page.locator(".graphiql-query-editor .view-lines")
    expect(editor).to_have_css("font-size", "26.25px")
    expect(page.get_by_role("link", name="Dashboard")).to_have_css("font-size", "24.5px")
    expect(page.locator(".graphiql-toolbar")).to_have_css("width", "70px")
    run(page)
    expect_response(page, '"name":"night"')
    expect(page.locator(".graphiql-response .view-lines")).to_have_css("font-size", "26.25px")
    editor.get_by_text("nodes").dblclick()
    page.keyboard.press("Delete")
    expect(editor).not_to_contain_text("nodes")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(editor).to_have_css("font-size", "15px")
