"""The maximum nesting depth of JSON in tasks and events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.ingest.event_input import MAX_JSON_DEPTH, encode_json


@given(
    st.recursive(
        st.none() | st.text("[]{}\\", max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=200,
    ),
    st.integers(0, MAX_JSON_DEPTH + 2),
)
def test_depth_of_any_value(value: Any, levels: int) -> None:
    """A value is refused exactly if it is nested too deeply."""

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
