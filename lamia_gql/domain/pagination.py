"""Parts of long lists: what may be asked for, and the cursors that mark a place in them.

Cursors are keysets, never offsets: a place stays the same place however the list grows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from lamia_gql.domain.errors import ErrorCode, RequestError

T = TypeVar("T")
MAX_OPAQUE = 2_000
"""Characters of an id or cursor beyond which it can't be one of ours."""


class Page(NamedTuple):
    """Which part of a list is wanted: ``size`` of it, from a place on, or back from it."""

    size: int
    backward: bool = False
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None


class Slice(NamedTuple, Generic[T]):
    """A part of a list, in the list's order, and whether there is more of it on either side."""

    items: Sequence[T]
    has_next: bool
    has_previous: bool


def encode_opaque(*parts: Any) -> str:
    """An id or cursor: opaque to clients, stable, and fit for addresses."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def decode_opaque(text: str) -> list[Any] | None:
    """The parts of an id or cursor; None where it is none."""
    if len(text) > MAX_OPAQUE:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        parts = orjson.loads(raw)
    except (ValueError, binascii.Error):
        return None
    return parts if isinstance(parts, list) else None


def decode_cursor(
    cursor: str | None, kind: str, types: Sequence[Callable[[Any], Any]]
) -> tuple[Any, ...] | None:
    """The place that a cursor of this kind of list marks. Raises :class:`RequestError`."""
    if cursor is None:
        return None
    parts = decode_opaque(cursor)
    if parts is not None and len(parts) == 1 + len(types) and parts[0] == kind:
        try:
            return tuple(check(part) for check, part in zip(types, parts[1:], strict=True))
        except (TypeError, ValueError, OverflowError):
            pass
    raise RequestError(ErrorCode.CURSOR_INVALID, "The cursor is not one that this list has given.")


def integer(value: Any) -> int:
    """A whole number of a cursor. Raises ``ValueError``."""
    if type(value) is not int or abs(value) >= 2**63:
        raise ValueError(value)
    return value


def string(value: Any) -> str:
    """A text of a cursor. Raises ``ValueError``."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value


def moment(value: Any) -> datetime:
    """A time of a cursor, in UTC. Raises ``ValueError``, or ``OverflowError``."""
    time = datetime.fromisoformat(string(value))
    if time.tzinfo is None:
        raise ValueError(value)
    return time.astimezone(UTC)


def page(
    kind: str,
    types: Sequence[Callable[[Any], Any]],
    limit: int,
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    otherwise: int | None = None,
) -> Page:
    """The part of a list that Relay's arguments ask for.

    ``otherwise`` is the size where neither ``first`` nor ``last`` is given; without it, that is an
    error. Raises :class:`RequestError`.
    """
    size = first if first is not None else last
    if first is not None and last is not None:
        raise RequestError(ErrorCode.PAGE_SIZE_INVALID, "Give `first` or `last`, not both.")
    if size is None:
        if otherwise is None:
            raise RequestError(
                ErrorCode.PAGE_SIZE_REQUIRED,
                f"This list may be long: give `first` or `last`, from 0 to {limit}.",
            )
        size = otherwise
    elif not 0 <= size <= limit:
        raise RequestError(
            ErrorCode.PAGE_SIZE_INVALID,
            f"`first` and `last` must be from 0 to {limit}, not {size}.",
        )
    return Page(
        size,
        last is not None,
        decode_cursor(after, kind, types),
        decode_cursor(before, kind, types),
    )


def cut(rows: Sequence[T], wanted: Page) -> Slice[T]:
    """The page from its rows, of which one more was read than asked for.

    ``rows`` come in the direction of the page: from its end on, where it goes backward.
    """
    more = len(rows) > wanted.size
    items = rows[: wanted.size]
    if wanted.backward:
        return Slice(items[::-1], wanted.before is not None, more)
    return Slice(items, more, wanted.after is not None)
