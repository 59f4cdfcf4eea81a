"""The forms in which columns are read."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import make_url
from sqlalchemy.dialects import sqlite

from lamia_gql.domain.counters import UNIT
from lamia_gql.domain.progress import ProcessKind
from lamia_gql.storage.column_types import UTCDateTime
from lamia_gql.storage.models import Process
from lamia_gql.storage.row_shape import row_shape, shown_time
from lamia_gql.storage.rows import ProcessRow

times = st.datetimes(timezones=st.just(UTC))


@given(times)
@example(datetime(2026, 11, 24, 9, 36, 48, tzinfo=UTC))
@example(datetime(2026, 11, 24, 9, 36, 48, 5, tzinfo=UTC))
def test_a_time_is_shown_alike_from_both_engines(time: datetime) -> None:
    """SQLite has text, PostgreSQL's driver a ``datetime``: the answer has ISO 8601, in UTC."""
    store = UTCDateTime().bind_processor(sqlite.dialect())
    for stored in (store(time), time):
        assert isinstance(stored, str | datetime)
        assert orjson.loads(orjson.dumps(shown_time(stored))) == time.isoformat()
    assert shown_time(None) is None


@given(
    st.sampled_from(ProcessKind),
    st.none() | st.floats(0.5, 9),
    st.integers(0, 3),
    st.integers(0, 9 * UNIT),
    st.integers(0, 3),
)
def test_a_ratio_is_computed_as_a_row_is_read(
    kind: ProcessKind, threshold: float | None, reporting: int, progress_sum: int, done: int
) -> None:
    """It is that of the full row, and what it is computed from is no field of the row."""
    full = ProcessRow(
        *(1, 2, "p", kind.value, 3, 0, 0, threshold, None),
        reporting=reporting,
        progress_sum=progress_sum,
        done=done,
        held=5,
    )
    shape = row_shape(Process, frozenset({"ratio", "held"}))
    assert shape.fields == ("task_id", "number", "held", "ratio")
    # Both drivers give it as text.
    given = full._asdict() | {"progress_sum": str(progress_sum)}
    driver_row = (*(given[name] for name in shape.columns_read), 0)
    for name in ("sqlite", "postgresql"):
        dialect = make_url(f"{name}://").get_dialect()()
        assert shape.reader(dialect)([driver_row]) == [(1, 2, 5, full.ratio)]
