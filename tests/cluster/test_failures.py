"""Parts of the cluster fail: nothing that was acknowledged is lost, and writing soon goes on."""

from __future__ import annotations

import time

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.conftest import Report
from tests.cluster.story import Story, story
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

FAILOVER_S = 15.0
SERVER_DEATH_S = 1.0
FAILOVER_TIMEOUT_S = 60.0
FLEET_S = 25


def fail_over(cluster: Cluster, told: Story, primary: str, begin: float) -> float:
    """Wait until another node is the primary and is written to; how long writing paused.

    Meanwhile, requests wait in the servers, and none fails.
    """
    until(
        lambda: cluster.database.primary not in ("", primary),
        lambda: cluster.database.members,
        FAILOVER_TIMEOUT_S,
    )
    told.await_writing(time.monotonic())
    assert told.failures == []
    return told.longest_pause(begin)


def test_the_primary_is_killed(cluster: Cluster, report: Report) -> None:
    """The synchronous replica takes over; the killed node becomes a replica when it is back."""
    with story(cluster, "primary-killed", FLEET_S) as told:
        primary, begin = cluster.database.primary, time.monotonic()
        cluster.database.kill(primary)
        pause_s = fail_over(cluster, told, primary, begin)
    report("the primary was killed: writing paused for", pause_s, FAILOVER_S)


def test_the_primary_is_cut_off_from_etcd(cluster: Cluster, report: Report) -> None:
    """It gives up being the primary before another node becomes it, so never two are written to."""
    with story(cluster, "primary-cut-off", FLEET_S) as told:
        primary, begin = cluster.database.primary, time.monotonic()
        cluster.database.cut_off(primary)
        pause_s = fail_over(cluster, told, primary, begin)
    report("the primary was cut off from etcd: writing paused for", pause_s, FAILOVER_S)


def test_a_server_is_killed(cluster: Cluster, report: Report) -> None:
    """The other servers get its clients."""
    with story(cluster, "server-killed", FLEET_S) as told:
        begin = time.monotonic()
        cluster.servers[told.server].kill()
        told.await_writing(begin)
        until(lambda: told.moves, "its subscriber moves to another server")
        pause_s = told.longest_pause(begin)
    report("a server was killed: writing paused for", pause_s, SERVER_DEATH_S)
