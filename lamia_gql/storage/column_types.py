"""The types of columns that the engines store in different forms.

Each value of each row that is read or written passes here, so there is one function call for it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from sqlalchemy import DateTime, Dialect, String, Uuid
from sqlalchemy.types import TypeDecorator


class UTCDateTime(TypeDecorator[datetime]):
    """A time, timezone-aware and in UTC on both engines.

    SQLite has no times: it has text, ``2026-11-24 09:36:48.000000``, which sorts like the times.
    Raises ``ValueError`` for a naive time, which is ambiguous.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], object]:
        """From the time to the driver's value."""
        return _time_to_text if dialect.name == "sqlite" else _in_utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[..., datetime | None]:
        """From the driver's value to the time."""
        return _text_to_time if dialect.name == "sqlite" else _in_utc


def _in_utc(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError("a time without a time zone can't be stored")
    return time if time.tzinfo is UTC else time.astimezone(UTC)


# Most times of a job are those of its last event.
@lru_cache(4096)
def _time_to_text(time: datetime | None) -> str | None:
    if time is not None and time.tzinfo is not UTC:
        time = _in_utc(time)
    return None if time is None else time.isoformat(" ", "microseconds")[:26]


def _text_to_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text + "+00:00")


class ExactInteger(TypeDecorator[int]):
    """An integer of any size, as decimal text: sums of progress are far beyond 64 bits.

    A million jobs at the largest progress sum up to 58 digits. Such a column has no NULL.
    """

    impl = String(64)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[int | None], str | None]:
        """From the number to the digits."""
        return _number_to_digits

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str], int]:
        """From the digits to the number."""
        return int


def _number_to_digits(number: int | None) -> str | None:
    return None if number is None else str(number)


class UUIDText(TypeDecorator[str]):
    """A UUID as lower-case text with hyphens. SQLite has no UUIDs: it has 32 digits."""

    impl = Uuid(as_uuid=False)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None] | None:
        """From the text to the driver's value."""
        return _without_hyphens if dialect.name == "sqlite" else None

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[str | None], str | None] | None:
        """From the driver's value to the text, which PostgreSQL's driver returns already."""
        return _with_hyphens if dialect.name == "sqlite" else None


def _without_hyphens(text: str | None) -> str | None:
    return None if text is None else text.replace("-", "")


def _with_hyphens(digits: str | None) -> str | None:
    if digits is None:
        return None
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
