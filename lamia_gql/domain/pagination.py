"""Pages of long lists, and the cursors that mark a position in them, as in Relay.

Cursors are keysets, never offsets: a cursor marks the same position however the list changes.
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
MAX_OPAQUE_LENGTH = 2_000
"""How many characters an id or a cursor may have; ours are shorter."""


class Page(NamedTuple):
    """The wanted part of a list: the first ``size`` items, or the last where ``backward``.

    Only items between the keysets ``after`` and ``before`` count.
    """

    size: int
    backward: bool = False
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None


class Slice(NamedTuple, Generic[T]):
    """A part of a list, in the list's order, and whether there is more on either side."""

    items: Sequence[T]
    has_next: bool
    has_previous: bool


def encode_opaque(*parts: Any) -> str:
    """An id or a cursor: opaque to clients, stable, and safe in URLs."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def decode_opaque(text: str) -> list[Any] | None:
    """The parts of an id or a cursor; None where it is invalid."""
    if len(text) > MAX_OPAQUE_LENGTH:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        parts = orjson.loads(raw)
    except (ValueError, binascii.Error):
        return None
    return parts if isinstance(parts, list) else None


class Cursors(NamedTuple):
    """The cursors of a list, or of several lists whose cursors are interchangeable."""

    name: tuple[str | int, ...]
    """What each of these cursors begins with; a cursor that does not is one of another list."""
    types: tuple[Callable[[Any], Any], ...]
    """For each value of the keyset, a function that checks and converts it."""

    def encode(self, *keyset: Any) -> str:
        """The cursor with this keyset."""
        return encode_opaque(*self.name, *keyset)

    def decode(self, cursor: str | None) -> tuple[Any, ...] | None:
        """The keyset in a cursor; None for None. Raises :class:`RequestError`."""
        if cursor is None:
            return None
        parts, begin = decode_opaque(cursor), len(self.name)
        if parts is not None and tuple(parts[:begin]) == self.name:
            try:
                return tuple(
                    check(part) for check, part in zip(self.types, parts[begin:], strict=True)
                )
            except (TypeError, ValueError, OverflowError):
                pass
        raise RequestError(ErrorCode.CURSOR_INVALID, "The cursor is not valid for this list.")


def int32(value: Any) -> int:
    """An integer in a cursor, for a column of 32 bits; not negative. Raises ``ValueError``."""
    return _integer(value, 2**31 - 1)


def int64(value: Any) -> int:
    """An integer in a cursor, for a column of 64 bits; not negative. Raises ``ValueError``."""
    return _integer(value, 2**63 - 1)


def _integer(value: Any, largest: int) -> int:
    if type(value) is not int or not 0 <= value <= largest:
        raise ValueError(value)
    return value


def string(value: Any) -> str:
    """A string in a cursor. Raises ``ValueError``."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value


def moment(value: Any) -> datetime:
    """A time in a cursor, in UTC. Raises ``ValueError``, or ``OverflowError``."""
    time = datetime.fromisoformat(string(value))
    if time.tzinfo is None:
        raise ValueError(value)
    return time.astimezone(UTC)


def page(
    cursors: Cursors,
    limit: int,
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    default: int | None = None,
) -> Page:
    """The page for Relay's arguments. Raises :class:`RequestError` for invalid ones.

    Args:
        cursors: the cursors of the list.
        limit: the largest size.
        first: the size of a page from the start, or from ``after`` on.
        after: the cursor behind which the page begins.
        last: the size of a page from the end, or back from ``before``.
        before: the cursor before which the page ends.
        default: the size without ``first`` and ``last``; if None, one of them is required.
    """
    size = first if first is not None else last
    if first is not None and last is not None:
        raise RequestError(ErrorCode.PAGE_SIZE_INVALID, "Give `first` or `last`, not both.")
    if size is None:
        if default is None:
            raise RequestError(
                ErrorCode.PAGE_SIZE_REQUIRED,
                f"This list may be long: give `first` or `last`, from 0 to {limit}.",
            )
        size = default
    else:
        check_size("last" if first is None else "first", size, 0, limit)
    return Page(size, last is not None, cursors.decode(after), cursors.decode(before))


def check_size(argument: str, size: int, smallest: int, largest: int) -> None:
    """Raise :class:`RequestError` unless the size that an argument gives is within bounds."""
    if not smallest <= size <= largest:
        raise RequestError(
            ErrorCode.PAGE_SIZE_INVALID,
            f"`{argument}` must be from {smallest} to {largest}, not {size}.",
        )


def cut(rows: Sequence[T], wanted: Page) -> Slice[T]:
    """The page from its rows, of which one more than its size was read.

    ``rows`` are in the direction of the page: from the end of the list, where it is backward.
    """
    more = len(rows) > wanted.size
    items = rows[: wanted.size]
    if wanted.backward:
        return Slice(items[::-1], wanted.before is not None, more)
    return Slice(items, more, wanted.after is not None)
