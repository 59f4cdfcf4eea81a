"""Hypothesis strategies for events: few jobs and times, many ties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from lamia_gql.domain.lifecycle import EventClass, Occurrence

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

times = st.integers(0, 8).map(lambda minutes: NOON + timedelta(minutes=minutes))
"""Few, so that many events fall on the same."""
values = st.one_of(st.sampled_from([0.0, 0.1, 42.0, 100.0, 250.5]), st.floats(0, 1e9))

occurrences = st.builds(
    Occurrence,
    id=st.uuids().map(str),
    event_class=st.sampled_from(EventClass),
    time=times,
    attempt=st.integers(0, 2),
    progress=st.none() | values,
    hostname=st.none() | st.sampled_from(["node01", "node02"]),
)
job_histories = st.lists(occurrences, max_size=12, unique_by=lambda event: event.id)
"""The events of a job."""
