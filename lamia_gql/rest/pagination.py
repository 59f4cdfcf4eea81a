"""Long lists, a page at a time: ``limit``, ``after``, and a link to the next page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.pagination import Page, Slice, decode_cursor
from lamia_gql.rest.endpoint import Answer, Call

T = TypeVar("T")


def asked_page(call: Call, kind: str, types: Sequence[Callable[[Any], Any]]) -> Page:
    """The page that ``limit`` and ``after`` ask for. Raises :class:`RequestError`."""
    most = call.services.settings.page_limit
    text = call.query.get("limit", str(most))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise RequestError(
            ErrorCode.PAGE_SIZE_INVALID, f"limit must be from 1 to {most}, not {text!r}."
        )
    return Page(int(text), after=decode_cursor(call.query.get("after"), kind, types))


def page_answer(
    call: Call, found: Slice[T], shown: list[dict[str, Any]], cursor: Callable[[T], str]
) -> Answer:
    """The page, with the address of the next one in its ``Link`` header where there is more."""
    if not found.has_next:
        return Answer(shown)
    others = [(name, value) for name, value in call.query.multi_items() if name != "after"]
    query = urlencode([*others, ("after", cursor(found.items[-1]))])
    return Answer(shown, headers={"link": f'<{call.path}?{query}>; rel="next"'})
