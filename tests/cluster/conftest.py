"""The cluster that all stories share, and the figures that they tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.daemons import require_programs

FIGURES = pytest.StashKey[list[str]]()
Report = Callable[[str, float, float], None]
"""The fixture ``report``: what happened, how long something took, and may take, in seconds."""


def pytest_configure(config: pytest.Config) -> None:
    """Begin without figures."""
    config.stash[FIGURES] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was measured."""
    for line in config.stash[FIGURES]:
        terminalreporter.write_line(line)


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Report:
    """Has a figure printed at the end, and fails if it is too large."""

    def tell(what: str, seconds: float, limit_s: float) -> None:
        pytestconfig.stash[FIGURES].append(f"{what} {seconds:.1f} s")
        assert seconds <= limit_s

    return tell


@pytest.fixture(scope="session")
def _cluster() -> Iterator[Cluster]:
    require_programs()
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, without tasks. What a story has broken is repaired, and must then work again."""
    yield _cluster
    _cluster.repair()
    _cluster.clear()
