"""How deep the JSON that people keep with tasks and events may be nested."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.ingest.event_input import MAX_JSON_DEPTH, encode_json
from tests.support.harness import Server


def nested(levels: int, *, objects: bool = False) -> Any:
    """A value of so many levels."""
    value: Any = {} if objects else []
    for _ in range(levels - 1):
        value = {"a": value} if objects else [value]
    return value


@pytest.mark.parametrize("objects", [False, True])
def test_depth_over_the_wire(sqlite_server: Server, objects: bool) -> None:
    """The deepest value is kept and answered as it was; one deeper is refused, as is 254."""
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


@given(
    st.recursive(
        st.none() | st.text("[]{}\\", max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=200,
    ),
    st.integers(0, MAX_JSON_DEPTH + 2),
)
def test_depth_of_any_value(value: Any, levels: int) -> None:
    """A value is refused exactly where it has too many levels, whatever else it holds."""

    def depth(part: Any) -> int:
        if isinstance(part, dict):
            part = list(part.values())
        return 1 + max(map(depth, part), default=0) if isinstance(part, list) else 0

    for _ in range(levels):
        value = [value, value] if levels < 8 else [value, "]" * 200]
    if depth(value) <= MAX_JSON_DEPTH:
        assert value is None or encode_json(value, 10**9, ErrorCode.JSON_INVALID, "x")
    else:
        with pytest.raises(UserError, match="nested deeper than 100 levels"):
            encode_json(value, 10**9, ErrorCode.JSON_INVALID, "x")
