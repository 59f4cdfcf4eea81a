"""Hypothesis strategies for events: few jobs and times, many ties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from lamia_gql.domain.lifecycle import EventClass, Occurrence

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

times = st.integers(0, 8).map(lambda minutes: NOON + timedelta(minutes=minutes))
"""Few, so that many events fall on the same."""
values = st.one_of(st.sampled_from([0.0, 0.1, 42.0, 100.0, 250.5]), st.floats(0, 1e9))

usages = st.integers(0, 3).map(float)
details = st.fixed_dictionaries(
    {},
    optional={
        "exit_code": st.integers(0, 2),
        "signal": st.sampled_from(["SIGKILL", "SIGTERM"]),
        "message": st.sampled_from(["std::bad_alloc", "no file /a/b1", "no file /c"]),
        "batch_id": st.sampled_from(["1_1", "2_1"]),
        "base": st.integers(1, 2),
        "cpu_seconds": usages,
        "max_rss_bytes": usages,
        "cpus": usages,
    },
)
occurrences = st.builds(
    Occurrence,
    id=st.uuids().map(str),
    event_class=st.sampled_from(EventClass),
    time=times,
    attempt=st.integers(0, 2),
    progress=st.none() | values,
    hostname=st.none() | st.sampled_from(["node01", "node02"]),
    details=st.none() | details.filter(bool),
)
job_histories = st.lists(occurrences, max_size=12, unique_by=lambda event: event.id)
"""The events of a job."""
