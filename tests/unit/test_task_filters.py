"""Filters of tasks choose stored and changed tasks alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.pagination import Page
from lamia_gql.domain.progress import State
from lamia_gql.domain.settings import load
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import TaskFilter, TaskState
from lamia_gql.storage.glob import matches
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.queries.tasks import TaskOrder, read_task_states, read_tasks
from lamia_gql.storage.rows import class_mask

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES = ["a", "ab", "a*b", "B[a]", "é_%", "a.b.c"]
WORDS = st.text("aAbB*?[].é%_x", max_size=5)
TIMES = st.sampled_from([NOW + timedelta(hours=hours) for hours in range(-1, 7)])


def some(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """No condition, or a few values."""
    return st.none() | st.lists(values, max_size=3).map(tuple)


FILTERS = st.builds(
    TaskFilter,
    names=some(WORDS | st.sampled_from(NAMES)),
    usernames=some(st.sampled_from(["u0", "u1", "x"])),
    tags_any=some(st.sampled_from(["even", "É", "x"])),
    tags_all=some(st.sampled_from(["even", "É"])),
    states=some(st.sampled_from(State)),
    submitted_after=st.none() | TIMES,
    submitted_before=st.none() | TIMES,
    finished_after=st.none() | TIMES,
    finished_before=st.none() | TIMES,
    text=st.none() | WORDS,
    has_event_class=some(st.sampled_from(EventClass)),
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with some tasks of all kinds."""
    url = f"sqlite:///{tmp_path_factory.mktemp('filters')}/lamia.sqlite"
    settings = load(database_url=url)
    database = Database(settings)
    migrate(database.engine)
    specs = [
        TaskSpec(
            name,
            [ProcessSpec("p"), ProcessSpec("q")],
            username=None if number == 2 else f"u{number % 2}",
            comment="A*b" if number == 3 else None,
            tags=["even", "É"][: 1 + number % 2] if number % 3 else [],
            submitted_at=NOW + timedelta(hours=number),
        )
        for number, name in enumerate(NAMES)
    ]
    database.write_blocking(create_tasks(settings, specs, NOW))
    with database.engine.begin() as connection:
        for number in range(len(NAMES)):
            connection.execute(
                text("UPDATE task SET finished_at = submitted_at, state = 'FAILED' WHERE id = :id"),
                {"id": 2 * number},
            )
            connection.execute(
                text("UPDATE process SET event_classes = :mask WHERE task_id = :id AND number = 1"),
                {"id": number, "mask": class_mask(list(EventClass)[number : number + 2])},
            )
    yield database
    database.close()


def all_states(database: Database) -> list[TaskState]:
    """Every task, as filters see it."""
    ids = range(1, len(NAMES) + 1)
    return database.read_blocking(partial(read_task_states, ids=ids))


@given(wanted=FILTERS)
def test_sql_and_python_of_a_task_filter_agree(stored: Database, wanted: TaskFilter) -> None:
    """The SQL conditions and `matches` of a filter choose the same tasks."""
    order = TaskOrder()
    selected = stored.read_blocking(lambda c: read_tasks(c, wanted, order, Page(100)).tasks)
    expected = {task.name for task in selected.items}
    assert {one.row.name for one in all_states(stored) if wanted.matches(one)} == expected


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", {""}),
        ("*", {"", "a", "ab", "aab", "a*b"}),
        ("?", {"a"}),
        ("a*b", {"ab", "aab", "a*b"}),
        ("a?b", {"aab", "a*b"}),
        ("*?b", {"ab", "aab", "a*b"}),
        ("**a*", {"a", "ab", "aab", "a*b"}),
        ("*b*b", set()),
    ],
)
def test_patterns(pattern: str, found: set[str]) -> None:
    """`*` stands for any text, `?` for any one character."""
    assert {one for one in ("", "a", "ab", "aab", "a*b") if matches(one, pattern)} == found


def test_no_pattern_takes_long() -> None:
    """A pattern of many stars is compared in linear time."""
    assert not matches("a" * 255, "*a" * 2_000 + "b")
    assert matches("a" * 255, "*a" * 200 + "*")
