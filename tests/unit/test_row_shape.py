"""The forms in which columns are read."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from lamia_gql.storage.column_types import UTCDateTime
from lamia_gql.storage.row_shape import shown_time

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
