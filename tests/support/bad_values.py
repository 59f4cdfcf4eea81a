"""Tables of bad events, tasks and queries, with the code and the field of their errors."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

ARRAY = {"name": "array", "jobCount": 10, "firstIndex": 1}
EVENT = {"task": "night", "process": "array", "index": 1, "eventClass": "BEAT"}
TASK = {"name": "other", "processes": [{"name": "alone"}]}
LONG = "x" * 201


def ahead(**span: float) -> str:
    """An ISO time that far in the future."""
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def array(**changes: Any) -> dict[str, Any]:
    """A task whose array has these fields changed."""
    return TASK | {"processes": [{"name": "a", "jobCount": 10} | changes]}


EVENTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown task": ({"task": "nobody"}, "TASK_NOT_FOUND", "task"),
    "task with a zero byte": ({"task": "a\0b"}, "TASK_NOT_FOUND", "task"),
    "unknown process": ({"process": "nobody"}, "PROCESS_NOT_FOUND", "process"),
    "index too small": ({"index": 0}, "INDEX_OUT_OF_RANGE", "index"),
    "index too large": ({"index": 11}, "INDEX_OUT_OF_RANGE", "index"),
    "index negative": ({"index": -1}, "INDEX_OUT_OF_RANGE", "index"),
    "index missing": ({"index": None}, "INDEX_REQUIRED", "index"),
    "index superfluous": ({"process": "alone"}, "INDEX_FORBIDDEN", "index"),
    "progress negative": ({"progress": -0.1}, "PROGRESS_INVALID", "progress"),
    "progress too large": ({"progress": 1e19}, "PROGRESS_INVALID", "progress"),
    "attempt negative": ({"attempt": -1}, "ATTEMPT_INVALID", "attempt"),
    "payload too large": ({"payload": "x" * 65_536}, "PAYLOAD_TOO_LARGE", "payload"),
    "host too long": ({"hostname": "h" * 5000}, "TEXT_INVALID", "hostname"),
    "host with a zero byte": ({"hostname": "a\0"}, "TEXT_INVALID", "hostname"),
    "sent years ahead": ({"sentAt": ahead(days=800)}, "TIME_INVALID", "sentAt"),
    "two UUIDs": ({"uuid": str(uuid.uuid4()), "id": str(uuid.uuid4())}, "ARGUMENT_INVALID", "id"),
    "sent before time": ({"sentAt": "1969-01-01T00:00:00Z"}, "TIME_INVALID", "sentAt"),
    "sent before the calendar": (
        {"sentAt": "0001-01-01T00:00:00+10:00"},
        "TIME_INVALID",
        "sentAt",
    ),
}
TASKS: dict[str, tuple[dict[str, Any], str, str]] = {
    "empty name": (TASK | {"name": ""}, "NAME_INVALID", "name"),
    "long name": (TASK | {"name": LONG}, "NAME_INVALID", "name"),
    "name with a slash": (TASK | {"name": "a/b"}, "NAME_INVALID", "name"),
    "name of dots": (TASK | {"name": ".."}, "NAME_INVALID", "name"),
    "name with a line break": (TASK | {"name": "a\nb"}, "NAME_INVALID", "name"),
    "taken name": (TASK | {"name": "night"}, "NAME_TAKEN", "name"),
    "no processes": (TASK | {"processes": []}, "NO_PROCESSES", "processes"),
    "empty process name": (array(name=""), "NAME_INVALID", "processes.0.name"),
    "long process name": (array(name=LONG), "NAME_INVALID", "processes.0.name"),
    "two of one name": (
        TASK | {"processes": [{"name": "a"}, {"name": "a", "jobCount": 2}]},
        "NAME_TAKEN",
        "processes.1.name",
    ),
    "too many processes": (
        TASK | {"processes": [{"name": f"p{n}"} for n in range(1001)]},
        "TOO_MANY",
        "processes",
    ),
    "no jobs": (array(jobCount=0), "JOB_COUNT_INVALID", "processes.0.jobCount"),
    "too many jobs": (array(jobCount=1_000_001), "JOB_COUNT_INVALID", "processes.0.jobCount"),
    "tolerance beyond jobs": (
        array(failureTolerance=11),
        "FAILURE_TOLERANCE_INVALID",
        "processes.0.failureTolerance",
    ),
    "tolerance of a solitary": (
        TASK | {"processes": [{"name": "a", "failureTolerance": 1}]},
        "FAILURE_TOLERANCE_INVALID",
        "processes.0.failureTolerance",
    ),
    "first index negative": (
        array(firstIndex=-1),
        "FIRST_INDEX_INVALID",
        "processes.0.firstIndex",
    ),
    "first index too large": (
        array(firstIndex=2**31 - 5),
        "FIRST_INDEX_INVALID",
        "processes.0.firstIndex",
    ),
    "threshold zero": (array(threshold=0), "THRESHOLD_INVALID", "processes.0.threshold"),
    # Progress is counted in billionths, and its ratio to such a number is beyond all numbers.
    "threshold tiny": (array(threshold=5e-324), "THRESHOLD_INVALID", "processes.0.threshold"),
    "beat interval negative": (
        array(beatInterval=-60),
        "BEAT_INTERVAL_INVALID",
        "processes.0.beatInterval",
    ),
    "empty tag": (TASK | {"tags": ["good", ""]}, "NAME_INVALID", "tags.1"),
    "too many tags": (TASK | {"tags": [f"t{n}" for n in range(101)]}, "TOO_MANY", "tags"),
    # It is in an index, which PostgreSQL bounds far below a comment.
    "user too long": (TASK | {"username": LONG}, "TEXT_INVALID", "username"),
    "comment too long": (TASK | {"comment": "c" * 5000}, "TEXT_INVALID", "comment"),
    "config too large": (TASK | {"config": "c" * 2**20}, "JSON_INVALID", "config"),
    "submitted years ahead": (
        TASK | {"submittedAt": ahead(days=800)},
        "TIME_INVALID",
        "submittedAt",
    ),
}
QUERIES: dict[str, tuple[str, str]] = {
    "no page size for tasks": ("{ tasks { nodes { name } } }", "PAGE_SIZE_REQUIRED"),
    "page too large": ("{ tasks(first: 101) { nodes { name } } }", "PAGE_SIZE_INVALID"),
    "negative page": ("{ tasks(first: -1) { nodes { name } } }", "PAGE_SIZE_INVALID"),
    "two page sizes": ("{ tasks(first: 1, last: 1) { nodes { name } } }", "PAGE_SIZE_INVALID"),
    "malformed cursor": ('{ tasks(first: 1, after: "x") { nodes { name } } }', "CURSOR_INVALID"),
    "cursor of another list": (
        '{ task(name: "night") { events(first: 1, after: "WyJqIiwxXQ") { nodes { id } } } }',
        "CURSOR_INVALID",
    ),
    "no page size for events": (
        '{ task(name: "night") { events { nodes { id } } } }',
        "PAGE_SIZE_REQUIRED",
    ),
    "no page size for jobs": (
        '{ process(task: "night", name: "array") { ... on JobArray { jobs { nodes { id } } } } }',
        "PAGE_SIZE_REQUIRED",
    ),
    "malformed id": ('{ node(id: "nonsense") { id } }', "ID_INVALID"),
    "id of another kind": ('{ node(id: "WyJVc2VyIiwxXQ") { id } }', "ID_INVALID"),
    "id with too large a key": (
        '{ node(id: "WyJUYXNrIiwxMDAwMDAwMDAwMDAwMDAwMDAwMDAwXQ") { id } }',
        "ID_INVALID",
    ),
    "job of an array without index": (
        '{ job(task: "night", process: "array") { id } }',
        "INDEX_REQUIRED",
    ),
    "job of a solitary with index": (
        '{ job(task: "night", process: "alone", index: 0) { id } }',
        "INDEX_FORBIDDEN",
    ),
    "too many points": (
        '{ task(name: "night") { timeline(points: 1000) { at } } }',
        "PAGE_SIZE_INVALID",
    ),
    "too many choices": (
        "{ tasks(first: 1, filter: {names: [%s]}) { nodes { name } } }" % ('"a" ' * 101),
        "ARGUMENT_INVALID",
    ),
    "too long a pattern": (
        '{ tasks(first: 1, filter: {names: ["PATTERN"]}) { nodes { name } } }'.replace(
            "PATTERN", "*" * 5000
        ),
        "ARGUMENT_INVALID",
    ),
    "too long a text": (
        '{ tasks(first: 1, filter: {text: "TEXT"}) { nodes { name } } }'.replace(
            "TEXT", "x" * 5000
        ),
        "ARGUMENT_INVALID",
    ),
}
REFUSED_BY_TYPE: dict[str, str] = {
    "unknown class": "eventClass: SLEPT",
    "no class": "",
    "progress as text": 'eventClass: BEAT, progress: "NaN"',
    "half a character": 'eventClass: BEAT, payload: "\\ud800"',
    "index as text": 'eventClass: BEAT, index: "1"',
    "index beyond 32 bits": "eventClass: BEAT, index: 4294967296",
    "UUID that is none": 'eventClass: BEAT, uuid: "1"',
    "id that is no UUID": 'eventClass: BEAT, id: "1"',
    "time that is none": 'eventClass: BEAT, sentAt: "yesterday"',
    "unknown field": "eventClass: BEAT, colour: 1",
}
LITERAL = """mutation { submitEvent(input: {task: "night", process: "alone", FIELDS}) {
  duplicate userErrors { code } } }"""
