"""The settings of retention, a part of :class:`lamia_gql.domain.settings.Settings`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

MAX_DAYS = 365_000
"""A thousand years; much more, and no date is so long ago."""


def _parse_tags(value: Any) -> Any:
    """The days by tag, in the environment: ``keep=3650,scratch=7``."""
    if not isinstance(value, str):
        return value
    found = {}
    for entry in filter(None, map(str.strip, value.split(","))):
        name, sign, days = entry.rpartition("=")
        if not (sign and name.strip()):
            raise ValueError("write a tag and a number of days for each, as in keep=3650,scratch=7")
        found[name.strip()] = days
    return found


Days = Annotated[float, Field(gt=0, le=MAX_DAYS, allow_inf_nan=False)]


class RetentionSettings(BaseSettings):
    """What is removed when; nothing unless a number of days is set."""

    retention_succeeded_days: Days | None = Field(
        None,
        description="The days after its last event for which a SUCCEEDED task is kept; by default,"
        " for ever.",
    )
    retention_failed_days: Days | None = Field(
        None, description="The same for a FAILED task; by default, for ever."
    )
    retention_unfinished_days: Days | None = Field(
        None, description="The same for a task that has not finished; by default, for ever."
    )
    retention_tags: Annotated[dict[str, Days], NoDecode, BeforeValidator(_parse_tags)] = Field(
        {},
        description="The same for a finished task with a tag, whatever its state, as in"
        " keep=3650,scratch=7; of several tags, the longest time counts.",
    )
    beat_retention_days: float | None = Field(
        None,
        ge=1,
        le=MAX_DAYS,
        allow_inf_nan=False,
        description="The days for which BEATs are kept that no state, progress or liveness depends"
        " on; by default, for ever.",
    )
    prune_interval: float = Field(
        3_600.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="The time in seconds between two rounds in which a server removes what is kept"
        " no longer.",
    )
