"""Pagination: the parameters ``limit`` and ``after``, and the ``Link`` to the next page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.pagination import Cursors, Page, Slice
from lamia_gql.rest.endpoint import RestResponse
from lamia_gql.rest.request import RestRequest

T = TypeVar("T")


def requested_page(request: RestRequest, cursors: Cursors) -> Page:
    """The page that ``limit`` and ``after`` select, in a list with these cursors.

    Raises :class:`RequestError`.
    """
    maximum = request.services.settings.page_limit
    text = request.query.get("limit", str(maximum))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= maximum):
        raise RequestError(
            ErrorCode.PAGE_SIZE_INVALID, f"limit must be from 1 to {maximum}, not {text[:20]!r}."
        )
    return Page(int(text), after=cursors.decode(request.query.get("after")))


def page_response(
    request: RestRequest,
    found: Slice[T],
    serialized: list[dict[str, Any]],
    cursor: Callable[[T], str],
) -> RestResponse:
    """A page of a list; if more follows, the ``Link`` header has the address of the next page.

    Args:
        request: The request for the page.
        found: The rows of the page.
        serialized: The same rows as JSON objects.
        cursor: The cursor of a row.
    """
    if not found.has_next:
        return RestResponse(serialized)
    others = [(name, value) for name, value in request.query.multi_items() if name != "after"]
    query = urlencode([*others, ("after", cursor(found.items[-1]))])
    return RestResponse(serialized, headers={"link": f'<{request.path}?{query}>; rel="next"'})
