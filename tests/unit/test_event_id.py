"""The ids of events that adapters read."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.adapters.event_id import event_id

PARTS = st.lists(st.text() | st.integers(), max_size=4)
TIMES = st.floats(0, 4e9)


@given(TIMES, PARTS)
def test_an_id_is_a_uuid_that_begins_with_the_time(time_s: float, parts: list[str | int]) -> None:
    """The same record gives the same id, of version 8."""
    found = uuid.UUID(event_id(time_s, *parts))
    assert found.version == 8
    assert found.variant == uuid.RFC_4122
    assert found.int >> 80 == int(time_s * 1000)
    assert event_id(time_s, *parts) == str(found)


@given(TIMES, PARTS, PARTS)
def test_other_records_have_other_ids(
    time_s: float, one: list[str | int], other: list[str | int]
) -> None:
    """Parts are not mixed up: neither where one ends, nor texts with numbers."""
    assert (event_id(time_s, *one) == event_id(time_s, *other)) == (one == other)


def test_an_early_id() -> None:
    """The digest is the same on every machine and for every version."""
    assert event_id(1.5, "slurm", "cluster", "1234_7", 0) == EARLY


EARLY = "00000000-05dc-8dff-b8c9-ae1135a3c1f7"
