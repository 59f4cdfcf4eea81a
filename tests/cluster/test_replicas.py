"""A replica that is read from falls behind."""

from __future__ import annotations

import time

import pytest

from tests.cluster.cluster import MAX_REPLICA_LAG_S, Cluster
from tests.cluster.conftest import Report
from tests.cluster.story import Story, story
from tests.support.harness import Server
from tests.support.metrics import scrape
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

SKIPPED_S = MAX_REPLICA_LAG_S + 5.0
"""The lag that is allowed, and what servers take to notice and to tell it."""
FLEET_S = 30
READS = 20


def usable(server: Server, node: int) -> bool:
    """Whether a server reads from the node with this port."""
    address = f"127.0.0.1:{node}"
    return scrape(server).sum("lamia_read_replica_usable", replica=address) == 1


def reads(cluster: Cluster) -> float:
    """How many queries were read from replicas."""
    outcome = "replica"
    return sum(
        scrape(one).sum("lamia_replica_reads_total", outcome=outcome) for one in cluster.servers
    )


def check_reads(cluster: Cluster, told: Story) -> None:
    """Whoever asks for what is committed gets it, while reads from replicas go on."""
    before = reads(cluster)
    for task in told.tasks * READS:
        written = told.acknowledged(task)
        assert cluster.count(task, "committed") >= written
    until(lambda: reads(cluster) > before, "reads from the other replica")


def test_a_replica_falls_behind(cluster: Cluster, report: Report) -> None:
    """It is not read from until it has caught up; what it was asked before was not too old."""
    node = cluster.database.replica
    port = cluster.database.ports[node]
    with story(cluster, "replica-behind", FLEET_S) as told:
        until(lambda: all(usable(one, port) for one in cluster.servers), "it is read from")
        check_reads(cluster, told)
        begin = time.monotonic()
        cluster.database.replay(node, paused=True)
        try:
            until(
                lambda: not any(usable(one, port) for one in cluster.servers),
                "it is not read from",
            )
            skipped_s = time.monotonic() - begin
            check_reads(cluster, told)
        finally:
            cluster.database.replay(node, paused=False)
        until(lambda: all(usable(one, port) for one in cluster.servers), "it is read from again")
        told.await_writing(begin)
    report("a replica fell behind: no server read from it after", skipped_s, SKIPPED_S)
