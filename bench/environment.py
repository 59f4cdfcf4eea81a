"""What lines are measured with: sizes, and databases of both engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from bench.databases import Databases, PostgresCluster, SQLiteFiles


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Args:
        rounds: how often each measurement of a comparison is repeated.
        load_s: how long a rate is measured.
        answers: of how many answers in a row a median is taken.
        past_tasks: how many tasks of 5,000 jobs and 50,000 events a large database has.
        range_tasks: how many of them are in each of several ranges.
        ranges: how many ranges there are.
        subscribers: how many clients subscribe to the events of a task.
        viewers: how many pages show an array.
        live_s: how long events are sent to them.
        events: how many events are sent while the memory is looked at.
        starts: how often a server is started.
        jobs: how many jobs the largest task has.
        minute_s: how long they beat.
    """

    rounds: int = 3
    load_s: float = 3.0
    answers: int = 40
    past_tasks: int = 200
    range_tasks: int = 112
    ranges: int = 9
    subscribers: int = 1_000
    viewers: int = 100
    live_s: float = 20.0
    events: int = 1_000_000
    starts: int = 5
    jobs: int = 1_000_000
    minute_s: float = 60.0


FULL = Scale()
QUICK = Scale(
    rounds=1,
    load_s=1.0,
    answers=5,
    past_tasks=2,
    range_tasks=1,
    ranges=3,
    subscribers=50,
    viewers=5,
    live_s=2.0,
    events=8_000,
    starts=1,
    jobs=10_000,
    minute_s=2.0,
)
"""To see that it works. The figures mean nothing."""


@dataclass(frozen=True)
class Environment:
    """Where a line is measured."""

    scale: Scale
    sqlite: SQLiteFiles
    postgresql: PostgresCluster

    @property
    def engines(self) -> tuple[Databases, Databases]:
        """Both engines, in the order of the figures."""
        return self.sqlite, self.postgresql


def cache_folder() -> Path:
    """Where the databases are kept, also those that take minutes to fill."""
    return user_cache_path("lamia-gql-bench", ensure_exists=True)


@contextmanager
def environment(scale: Scale) -> Iterator[Environment]:
    """The environment of a run; only large databases outlive it."""
    folder = cache_folder()
    with ExitStack() as stack:
        sqlite = SQLiteFiles(folder / "sqlite")
        postgresql = PostgresCluster(folder / "postgresql")
        stack.callback(postgresql.stop)
        for databases in (sqlite, postgresql):
            databases.drop_temporary()
        yield Environment(scale, sqlite, postgresql)
