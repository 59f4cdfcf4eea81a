"""The arithmetic of the page on scaling."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.scaling import ALONE, BATCHED, Costs, Needs, example, measured, needed

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"


def test_the_page_shows_what_is_computed() -> None:
    """Its tables and its example are those of ``python -m bench.scaling``."""
    page = PAGE.read_text()
    for part in (needed(ALONE), needed(BATCHED), example(), measured()):
        assert f"\n{part}" in page


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
    assert needs.disk == pytest.approx(86_400 * (7 * 1400 * 200 + 90 * 60 * 1000))
