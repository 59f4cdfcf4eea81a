"""Any message gives events that the server can check, or is refused as no message."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.adapters.nextflow import MessageError, RunMessage, TaskMessage, parse_message
from lamia_gql.domain.errors import UserError
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.rest.parsing import parse_submitted_event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
TIMES = st.integers(0, 2**63) | JSON
FIELDS = {
    "task_id": st.integers(1, 2**40) | st.just("7"),
    "process": st.text(min_size=1),
    "name": st.text() | JSON,
    "status": st.sampled_from(["SUBMITTED", "RUNNING", "COMPLETED", "FAILED", "ABORTED"]) | JSON,
    "submit": TIMES,
    "start": TIMES,
    "complete": TIMES,
    "attempt": st.integers(0, 9) | JSON,
    "exit": st.integers(0, 2**31 - 1) | JSON,
    "native_id": st.integers(0, 2**40) | JSON,
    "hostname": st.text() | JSON,
    "%cpu": JSON,
    "realtime": TIMES,
    "peak_rss": JSON,
    "memory": JSON,
    "workdir": JSON,
    "error_action": JSON,
}
MESSAGES = st.fixed_dictionaries(
    {
        "runName": st.text(min_size=1),
        "runId": st.uuids().map(str),
        "event": st.sampled_from(["started", "process_submitted", "process_completed", "error"]),
        "utcTime": st.datetimes().map(lambda time: f"{time.isoformat()}Z"),
        "trace": st.fixed_dictionaries({}, optional=FIELDS) | JSON,
        "metadata": st.fixed_dictionaries({"workflow": JSON}) | JSON,
    }
)
SETTINGS = load()
NOW = datetime(2026, 11, 28, tzinfo=UTC)


@given(MESSAGES | JSON)
def test_any_message(message: Any) -> None:
    """Nothing but the documented error is raised, and every event can be checked."""
    try:
        found = parse_message(message)
    except MessageError:
        return
    events: list[dict[str, Any]] = []
    if isinstance(found, TaskMessage):
        events = found.events(0, found.failure_ids[0] if found.end_class == "FAILED" else None)
    elif isinstance(found, RunMessage):
        events = found.events()
    for event in events:
        with suppress(UserError):
            checked = parse_submitted_event(
                {"task": "t"} | event,
                SETTINGS,
                received_at=NOW,
                client_address=None,
            )
            assert isinstance(checked, NewEvent)
