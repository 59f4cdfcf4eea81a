"""The dashboard of a server that reads from a replica."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import OpenPage
from tests.support.harness import StartServer
from tests.support.metrics import scrape
from tests.support.replica import running_replica
from tests.support.waiting import until


@pytest.mark.slow
def test_what_was_pushed_is_shown(
    start_server: StartServer, postgres: Path, postgres_url: str, open_page: OpenPage
) -> None:
    """A page that hears of a change shows it, though the replica does not have it."""
    with running_replica(postgres) as replica:
        server = start_server(
            postgres_url, read_database_url=replica.url(postgres_url), max_replica_lag=600
        )
        server.create("t", {"name": "p"})
        until(lambda: scrape(server).sum("lamia_read_replica_usable") == 1, "usable")
        page = open_page(f"{server.url}/")
        row = page.locator(".tasks tbody tr")
        expect(row).to_contain_text("pending")
        assert scrape(server).sum("lamia_replica_reads_total", outcome="replica") > 0
        replica.pause()
        server.submit("t", "p", "DONE")
        expect(row).to_contain_text("succeeded")
        assert scrape(server).sum("lamia_replica_reads_total", outcome="late") > 0
        replica.resume()
