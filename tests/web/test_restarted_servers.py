"""A page stays live while the servers behind a balancer are restarted one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import OpenPage
from tests.support.harness import Server, StartServer
from tests.support.nginx import balancer

COUNT_ALERTS = """() => {
  window.alerts = 0;
  new MutationObserver(() => {
    window.alerts += document.querySelectorAll("[role=alert]").length;
  }).observe(document.body, { childList: true, subtree: true });
}"""
REFUSED_UPGRADE = "WebSocket connection to"
"""What Chromium says where the proxy passes no WebSocket."""


@pytest.mark.slow
@pytest.mark.parametrize("passes_websockets", [True, False])
def test_a_page_moves_on(
    postgres_server: Server,
    start_server: StartServer,
    open_page: OpenPage,
    tmp_path: Path,
    passes_websockets: bool,
) -> None:
    """It shows each event once, and never that the connection is lost; no request fails."""
    servers = postgres_server, start_server(postgres_server.database_url)
    servers[0].create("t", {"name": "fill", "jobCount": 3})
    urls = [server.url for server in servers]
    with balancer(tmp_path, urls, passes_websockets=passes_websockets) as url:
        page = open_page(f"{url}/#/tasks/t/fill/0", allowed=(REFUSED_UPGRADE,))
        expect(page.locator(".connection")).to_have_text("Live")
        page.evaluate(COUNT_ALERTS)
        events = page.locator("table.events tbody .badge")
        for number, stopped in enumerate(servers):
            other = servers[1 - number]
            stopped.stop()
            other.submit("t", "fill", "BEAT", index=0)
            expect(events).to_have_count(2 * number + 1)
            stopped.start()
            stopped.submit("t", "fill", "BEAT", index=0)
            expect(events).to_have_count(2 * number + 2)
        expect(page.locator(".connection")).to_have_text("Live")
        assert page.evaluate("() => window.alerts") == 0
        # Before the balancer ends, which cuts its streams.
        page.goto("about:blank")
