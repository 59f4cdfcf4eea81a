"""The example of a front-end in the documentation, served from another site than the server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import OpenPage
from tests.support.harness import Server, StartServer
from tests.support.npm import PACKAGES_OF_PAGES, require_packages_of_pages

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "front-end"
NETWORK = ("WebSocket connection to", "net::ERR_")
"""What Chromium itself says about a server that is away."""
FOREIGN = (*NETWORK, "blocked by CORS policy")


class Handler(SimpleHTTPRequestHandler):
    """Serves the files of the example, with the packages that the pages have installed."""

    def translate_path(self, path: str) -> str:
        """The file of an address."""
        _, found, package = path.partition("/node_modules/")
        return str(PACKAGES_OF_PAGES / package) if found else super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """The address at which the example is served."""
    require_packages_of_pages()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=EXAMPLE)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_example_reads_pages_and_resumes(
    start_server: StartServer, sqlite_url: str, open_page: OpenPage, site: str
) -> None:
    """It reads a list page by page, and shows each event once although the server is killed."""
    server = start_server(sqlite_url, allowed_origins=site)
    names = ["t", *(f"task {number}" for number in range(4))]
    for name in names:
        server.create(name, {"name": "fill", "jobCount": 3})
    page = open_page(f"{site}/?server={server.url}&page=2", allowed=NETWORK)
    expect(page.locator("#tasks li")).to_have_text(sorted(names))
    page.get_by_text("t", exact=True).click()
    expect(page.locator("#state")).to_have_text("PENDING 0 %")
    server.submit("t", "fill", "STARTED", index=0)
    server.submit("t", "fill", "DONE", index=0)
    seen = ["fill 0 STARTED", "fill 0 DONE"]
    expect(page.locator("#events li")).to_have_text(seen)
    expect(page.locator("#state")).to_have_text("RUNNING 33 %")
    server.kill()
    server.start()
    for index in (1, 2):
        server.submit("t", "fill", "DONE", index=index)
        seen.append(f"fill {index} DONE")
    expect(page.locator("#events li")).to_have_text(seen)
    expect(page.locator("#state")).to_have_text("SUCCEEDED 100 %")
    server.graphql('mutation { deleteTask(input: {name: "t"}) { deletedId } }')
    expect(page.locator("#state")).to_have_text("deleted")
    expect(page.get_by_role("alert")).to_have_text("")


def test_example_tells_what_is_wrong(
    start_server: StartServer,
    sqlite_server: Server,
    sqlite_url: str,
    open_page: OpenPage,
    site: str,
) -> None:
    """An error has its code; a site that is not allowed gets nothing."""
    server = start_server(sqlite_url, allowed_origins=site)
    page = open_page(f"{site}/?server={server.url}&page=1000")
    expect(page.get_by_role("alert")).to_contain_text("PAGE_SIZE_INVALID: ")
    page = open_page(f"{site}/?server={sqlite_server.url}", allowed=FOREIGN)
    expect(page.get_by_role("alert")).to_contain_text("TypeError: ")
