"""What a web page of somebody else can do with a server, in the browser of somebody with access."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import TIMEOUT_MS, OpenPage, launch_chromium, page_opener
from tests.support.harness import Server

FOREIGN, FRIEND, REBOUND, OWN = "evil.test", "friend.test", "rebound.test", "lamia.test"
"""Host names: of pages that may not use the server, of one that may; the third is made to resolve
to the server's address, the last one is the server's own."""
NAMES = "{ tasks(first: 5) { nodes { name } } }"
ATTEMPTS = """async ({ url, names }) => {
  const graphql = `${url}/graphql`;
  const query = `${graphql}?query=${encodeURIComponent(names)}`;
  const json = { "content-type": "application/json" };
  const spec = '{"processes": {"p": 1}}';
  const steal = JSON.stringify({ query: `mutation {
    deleteTasks(input: {names: ["night"]}) { deleted } }` });
  const read = async (address, options) => (await fetch(address, options)).text();
  const loaded = element => new Promise((done, failed) => {
    element.onload = () => done("loaded");
    element.onerror = () => failed(Error("not loaded"));
    document.body.append(element);
  });
  const socket = () => new Promise((done, failed) => {
    const opened = new WebSocket(graphql.replace("http", "ws"), "graphql-transport-ws");
    opened.onerror = () => failed(Error("not opened"));
    opened.onopen = () => opened.send('{"type": "connection_init"}');
    opened.onmessage = ({ data }) => {
      if (JSON.parse(data).type !== "connection_ack") return done(data);
      opened.send(JSON.stringify({ id: "1", type: "subscribe", payload: JSON.parse(steal) }));
    };
  });
  const events = () => new Promise((done, failed) => {
    const source = new EventSource(query);
    source.onopen = () => done("opened");
    source.onerror = () => { source.close(); failed(Error("not opened")); };
  });
  const form = async (enctype, action) => {
    const frame = Object.assign(document.createElement("iframe"), { name: enctype + action });
    const form = Object.assign(document.createElement("form"),
      { method: "post", enctype, action, target: frame.name });
    form.append(Object.assign(document.createElement("input"),
      { name: '{"processes": {"p": 1}, "comment": "', value: '"}' }));
    document.body.append(form);
    const ended = loaded(frame);
    await ended;
    const answered = new Promise(done => { frame.onload = done; });
    form.submit();
    await answered;
    return frame.contentDocument.body.innerText;
  };
  const attempts = {
    post: () => read(graphql, { method: "POST", headers: json, body: steal }),
    "post text": () => read(graphql, { method: "POST", body: steal }),
    "post unread": () => read(graphql, { method: "POST", mode: "no-cors", body: steal }),
    get: () => read(query),
    "get unread": () => read(query, { mode: "no-cors" }),
    rest: () => read(`${url}/api/v0`),
    "rest post": () => read(`${url}/api/v0/a`, { method: "POST", headers: json, body: spec }),
    "rest post text": () => read(`${url}/api/v0/b`, { method: "POST", body: spec }),
    "rest post unread": () =>
      read(`${url}/api/v0/c`, { method: "POST", mode: "no-cors", body: spec }),
    "rest post untyped": () =>
      read(`${url}/api/v0/d`, { method: "POST", body: new Blob([spec]), mode: "no-cors" }),
    "rest delete": () =>
      read(`${url}/api/v0`, { method: "DELETE", headers: json, body: '["night"]' }),
    "rest put": () => read(`${url}/api/v0/night`, { method: "PUT", body: '{"comment": "x"}' }),
    socket,
    events,
    image: () => loaded(Object.assign(new Image(), { src: query })),
    script: () => loaded(Object.assign(document.createElement("script"), { src: query })),
    "form text": () => form("text/plain", `${url}/api/v0/e`),
    form: () => form("application/x-www-form-urlencoded", `${url}/api/v0/f`),
    "form parts": () => form("multipart/form-data", `${url}/api/v0/g`),
  };
  const results = await Promise.all(Object.entries(attempts).map(async ([name, attempt]) => {
    try { return [name, await attempt()]; } catch { return [name, ""]; }
  }));
  return Object.fromEntries(results);
}"""
"""Everything that a page can try. The result is what it has read by each attempt."""
USE = """async ({ url, names }) => {
  const graphql = `${url}/graphql`;
  const json = { "content-type": "application/json", authorization: "Bearer x" };
  const body = JSON.stringify({ query: names });
  const answer = await fetch(graphql, { method: "POST", headers: json, body });
  const page = await fetch(`${url}/api/v0?limit=1`);
  const put = await fetch(`${url}/api/v0/night`,
    { method: "PUT", headers: json, body: '{"comment": "from a friend"}' });
  const text = await fetch(`${url}/api/v0/b`, { method: "POST", body: '{"processes": {"p": 1}}' });
  const stream = await fetch(graphql, { method: "POST", body,
    headers: { ...json, accept: "text/event-stream" } });
  const changed = await new Promise((done, failed) => {
    const opened = new WebSocket(graphql.replace("http", "ws"), "graphql-transport-ws");
    opened.onerror = failed;
    opened.onopen = () => opened.send('{"type": "connection_init"}');
    opened.onmessage = ({ data }) => {
      if (JSON.parse(data).type !== "connection_ack") return done(JSON.parse(data));
      const query = `subscription { taskChanged(names: ["night"]) { comment } }`;
      opened.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query } }));
    };
  });
  const subscription = `subscription { taskChanged(names: ["night"]) { comment } }`;
  const events = await new Promise((done, failed) => {
    const source = new EventSource(`${graphql}?query=${encodeURIComponent(subscription)}`);
    source.onerror = failed;
    source.addEventListener("next", ({ data }) => { source.close(); done(JSON.parse(data)); });
  });
  return { read: await answer.json(), link: page.headers.get("link"), put: put.status,
    text: text.status, stream: await stream.text(), changed, events };
}"""
"""What a page that is allowed to use the server does."""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><link rel=icon href=data:,><title>A page</title><body>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    """A web server with an empty page for every name; its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving.server_port
        serving.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def guarded(site: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a name of its own, which the page of a friend may use, with two tasks."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = {"allowed_hosts": OWN, "allowed_origins": f"http://{FRIEND}:{site}"}
    with Server(f"sqlite:///{folder}/lamia.sqlite", folder, forked=True, **settings) as server:
        server.create("night", {"name": "p"})
        server.create("day", {"name": "p"})
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for which all these names are the same machine."""
    with launch_chromium(FOREIGN, FRIEND, REBOUND, OWN) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages; what they complain about is the business of each test."""
    with page_opener(browser) as open_page:
        yield lambda url: open_page(url, allowed=(".*",))


def named(server: Server, host: str) -> str:
    """The address of the server by another name."""
    return server.url.replace("127.0.0.1", host)


def state(server: Server) -> Any:
    """What an attack must not change."""
    return server.graphql("{ tasks(first: 5) { nodes { name comment } } }")


@pytest.mark.parametrize("host", ["127.0.0.1", OWN])
def test_foreign_page_reads_and_writes_nothing(
    guarded: Server, site: int, open_page: OpenPage, host: str
) -> None:
    """Neither by its address, nor by its name, for which browsers send no Sec-Fetch-Site."""
    before = state(guarded)
    page = open_page(f"http://{FOREIGN}:{site}/")
    read = page.evaluate(ATTEMPTS, {"url": named(guarded, host), "names": NAMES})
    assert len(read) == 19
    assert {name: text for name, text in read.items() if text} == {}
    assert state(guarded) == before


def test_rebound_page_reads_and_writes_nothing(guarded: Server, open_page: OpenPage) -> None:
    """For the browser, a page whose name was made to resolve to the server is of its origin."""
    before = state(guarded)
    url = named(guarded, REBOUND)
    page = open_page(url)
    refused = page.evaluate("document.body.innerText")
    assert "HOST_NOT_ALLOWED" in refused
    read = page.evaluate(ATTEMPTS, {"url": url, "names": NAMES})
    assert "HOST_NOT_ALLOWED" in read.pop("post")
    assert all("night" not in text and "data" not in text for text in read.values()), read
    assert state(guarded) == before


def test_allowed_origin_uses_everything(guarded: Server, site: int, open_page: OpenPage) -> None:
    """A page of an allowed origin reads, writes and subscribes, by requests that are asked for."""
    page = open_page(f"http://{FRIEND}:{site}/")
    found = page.evaluate(USE, {"url": guarded.url, "names": NAMES})
    assert {task["name"] for task in found["read"]["data"]["tasks"]["nodes"]} == {"night", "day"}
    assert 'rel="next"' in found["link"]
    assert (found["put"], found["text"]) == (200, 415)
    assert "event: next" in found["stream"]
    expected = {"taskChanged": {"comment": "from a friend"}}
    assert found["changed"]["payload"]["data"] == expected
    assert found["events"]["data"] == expected


@pytest.mark.parametrize("host", ["127.0.0.1", OWN])
def test_link_opens_the_dashboard(
    guarded: Server, site: int, open_page: OpenPage, host: str
) -> None:
    """The dashboard works by each of the server's names, opened from a link on any page."""
    page = follow_link(open_page(f"http://{FOREIGN}:{site}/"), f"{named(guarded, host)}/")
    expect(page.get_by_role("link", name="night", exact=True)).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()


def test_link_runs_no_query(guarded: Server, site: int, open_page: OpenPage) -> None:
    """A link on a foreign page opens pages only."""
    page = open_page(f"http://{FOREIGN}:{site}/")
    query = "/graphql?query={tasks(first:1){nodes{name}}}"
    for path in (query, "/api/v0"):
        opened = follow_link(page, guarded.url + path)
        assert "ORIGIN_NOT_ALLOWED" in opened.evaluate("document.body.innerText")
    # An address that somebody types is asked for by himself.
    opened.goto(guarded.url + query)
    assert "ORIGIN_NOT_ALLOWED" not in opened.evaluate("document.body.innerText")


def follow_link(page: Page, url: str) -> Page:
    """The page that a link opens in another tab."""
    with page.context.expect_page(timeout=TIMEOUT_MS) as opened:
        page.evaluate(
            """url => Object.assign(document.createElement("a"),
                 { href: url, target: "_blank", rel: "noopener" }).click()""",
            url,
        )
    found = opened.value
    found.wait_for_load_state()
    return found
