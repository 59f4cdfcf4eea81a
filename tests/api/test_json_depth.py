"""The maximum nesting depth of JSON in tasks and events."""

from __future__ import annotations

from typing import Any

import pytest

from lamia_gql.ingest.event_input import MAX_JSON_DEPTH
from tests.support.harness import Server


def nested(levels: int, *, objects: bool = False) -> Any:
    """A value with this many levels."""
    value: Any = {} if objects else []
    for _ in range(levels - 1):
        value = {"a": value} if objects else [value]
    return value


@pytest.mark.parametrize("objects", [False, True])
def test_depth_over_the_wire(sqlite_server: Server, objects: bool) -> None:
    """The deepest allowed value comes back unchanged; deeper ones are refused."""
    sqlite_server.create("t", {"name": "p"})
    deepest = nested(MAX_JSON_DEPTH, objects=objects)
    sqlite_server.submit("t", "p", "BEAT", payload=deepest)
    sqlite_server.create("deep", {"name": "p"}, config=deepest, dependencies=deepest)
    data = sqlite_server.graphql(
        """{ tasks(first: 2) { edges { node { config dependencies
          processes { edges { node { ... on SolitaryProcess { job {
            events(first: 9) { edges { node { payload } } } } } } } } } } } }"""
    )
    deep, plain = (edge["node"] for edge in data["tasks"]["edges"])
    assert deep["config"] == deep["dependencies"] == deepest
    (process,) = plain["processes"]["edges"]
    (event,) = process["node"]["job"]["events"]["edges"]
    assert event["node"]["payload"] == deepest
    for levels in (MAX_JSON_DEPTH + 1, 253, 254, 255, 900):
        value = nested(levels, objects=objects)
        answers = [
            (sqlite_server.try_submit("t", "p", "BEAT", payload=value), "payload"),
            (sqlite_server.try_create("x", {"name": "p"}, config=value), "config"),
            (sqlite_server.try_create("x", {"name": "p"}, dependencies=value), "dependencies"),
        ]
        for answer, field in answers:
            (error,) = answer["userErrors"]
            assert (error["code"], error["field"]) == ("JSON_INVALID", field)
