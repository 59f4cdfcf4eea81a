"""All servers are upgraded to the next version, which has a migration, while jobs report."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.conftest import Report
from tests.cluster.story import story
from tests.support.other_version import NEXT_REVISION, make_next_version, run_in

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PAUSE_S = 3.0
FLEET_S = 40


def test_a_rolling_upgrade(cluster: Cluster, report: Report, tmp_path: Path) -> None:
    """The servers are stopped and started one after the other, and no request fails."""
    tree = make_next_version(tmp_path / "next", online=True)
    with story(cluster, "upgrade", FLEET_S) as told:
        begin = time.monotonic()
        done = run_in(tree, "migrate", database_url=cluster.database.url)
        assert done.stdout == f"The database is at revision {NEXT_REVISION}.\n", done.stderr
        for server in cluster.servers:
            server.stop()
            server.tree = tree
            server.start()
        told.await_writing(time.monotonic())
        assert told.moves
        assert told.failures == []
        pause_s = told.longest_pause(begin)
    report("a rolling upgrade: writing paused for", pause_s, PAUSE_S)
