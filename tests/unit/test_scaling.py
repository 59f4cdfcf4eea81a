"""The arithmetic of the page on scaling."""

from __future__ import annotations

import re

import pytest

from bench.scaling import PAGE, PROCESS_CONNECTIONS, Costs, Needs, render
from lamia_gql.domain.settings import Settings


def test_the_page_shows_what_is_computed() -> None:
    """``python -m bench.scaling`` changes nothing."""
    page = PAGE.read_text()
    assert page == render(page)
    assert page.count("| running jobs |") == 2


def test_a_process_has_as_many_connections_as_operators_are_told() -> None:
    """The page on operation has their kinds."""
    told = (PAGE.parent / "operation.md").read_text().replace("\n", " ")
    found = re.search(
        r"`database_connections` \+ (\d+) connections that read, (\d+) that write,", told
    )
    assert found is not None
    reading = Settings.model_fields["database_connections"].default
    assert reading + int(found[1]) + int(found[2]) + 1 == PROCESS_CONNECTIONS


def test_needs_follow_from_costs() -> None:
    """By hand: 84,000 jobs send 1,400 BEATs a second; 60 end, with 180 other events."""
    costs = Costs("some", 500, 250, table=100, indexes=100, wal=1000, job=400, load=1)
    needs = Needs(84_000, costs)
    assert needs.events_per_s == pytest.approx(1580)
    assert needs.server_cores == pytest.approx(1.58)
    assert needs.processes == 2
    assert needs.database_cores == pytest.approx(0.79)
    assert needs.wal_per_s == pytest.approx(1.58e6)
    assert needs.disk_per_day == pytest.approx(86_400 * (1580 * 200 + 60 * 400))
    assert needs.beat_disk == pytest.approx(86_400 * 7 * 1400 * 200)
    assert needs.other_disk == pytest.approx(86_400 * 90 * 60 * (3 * 200 + 400))
