"""Notifications: on what people and programs are told about a task, and when to try again."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from lamia_gql.domain.liveness import LOST_BEATS

FIRST_DELAY_S = 5.0
"""The time until the second attempt to deliver; it doubles with each further one."""
MAX_DELAY_S = 3_600.0
"""The longest time between two attempts."""
JITTER = 0.2
"""By which part a delay varies, so that what has failed together is not tried together."""
MAX_ADDRESS_LENGTH = 254
"""The largest e-mail address, by RFC 5321."""
MAIL_ADDRESS = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@"
    r"(?P<domain>[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)"
)
"""An e-mail address, by the HTML standard's definition."""


class Occasion(StrEnum):
    """On what there are notifications of a task."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANNOT_SUCCEED = "CANNOT_SUCCEED"
    SILENT = "SILENT"


class Channel(StrEnum):
    """The way that a notification takes."""

    EMAIL = "EMAIL"
    WEBHOOK = "WEBHOOK"
    APPRISE = "APPRISE"


OCCASION_BITS = {occasion: 1 << place for place, occasion in enumerate(Occasion)}
"""The bit of each occasion in ``task.notify``."""


def occasion_mask(occasions: Iterable[Occasion]) -> int:
    """The bits of several occasions, combined."""
    mask = 0
    for occasion in occasions:
        mask |= OCCASION_BITS[occasion]
    return mask


def occasions_of(mask: int) -> list[Occasion]:
    """The occasions of these bits; the inverse of :func:`occasion_mask`."""
    return [occasion for occasion, bit in OCCASION_BITS.items() if mask & bit]


def is_mail_address(text: str) -> bool:
    """Whether the text is one plain e-mail address, without a name."""
    return len(text) <= MAX_ADDRESS_LENGTH and MAIL_ADDRESS.fullmatch(text) is not None


def is_mail_address_in(text: str, domains: Iterable[str]) -> bool:
    """Whether the text is one plain e-mail address in one of these domains, or below; any if none.

    The domains are in lower case.
    """
    if not is_mail_address(text):
        return False
    domain = text.rpartition("@")[2].lower()
    known = list(domains)
    return not known or any(domain == each or domain.endswith(f".{each}") for each in known)


def is_silent(
    heard_at: datetime, beat_interval: float | None, silence: float | None, now: datetime
) -> bool:
    """Whether a RUNNING task has fallen silent: its running jobs are LOST, all of them.

    Args:
        heard_at: when the server has received its last event.
        beat_interval: the longest beat interval in seconds of its processes whose jobs run; None if
            no interval is known.
        silence: how many seconds it may be silent then; None for any time.
        now: the time at which this is judged.
    """
    limit = silence if beat_interval is None else LOST_BEATS * beat_interval
    return limit is not None and (now - heard_at).total_seconds() >= limit


def retry_delay(attempts: int) -> timedelta:
    """The time until the next attempt, after so many that have failed: exponential, with jitter."""
    delay = min(FIRST_DELAY_S * 2.0 ** min(attempts - 1, 32), MAX_DELAY_S)
    return timedelta(seconds=delay * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  (jitter)


def url_digest(url: str) -> str:
    """What stands for a receiver's URL in the database, as the URL may have a password."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]
