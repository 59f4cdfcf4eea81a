"""The input type for the cause of failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import strawberry

from lamia_gql.domain.message_form import form_key
from lamia_gql.storage.queries.failure_statements import FailureKey, Keys
from lamia_gql.storage.queries.failures import Cause

# A parameter is hashed with its default value.
BY_CAUSE = cast("list[FailureKey]", (FailureKey.EXIT, FailureKey.MESSAGE))


@strawberry.input(
    description="A cause of failures: fields of a group of `failureGroups`, and what it is by."
)
class FailureCause:
    """The input from which :class:`lamia_gql.storage.queries.failures.Cause` is made."""

    by: list[FailureKey] = strawberry.field(
        default_factory=lambda: list(BY_CAUSE),
        description="What the jobs have in common; the other fields are ignored.",
    )
    exit_code: int | None = strawberry.field(default=None, description="For `EXIT`.")
    signal: str | None = strawberry.field(default=None, description="For `EXIT`.")
    message: str | None = strawberry.field(
        default=None, description="For `MESSAGE`, in the form that the group has it."
    )
    hostname: str | None = strawberry.field(default=None, description="For `HOST`.")

    def parse(self) -> Cause:
        """The cause for queries."""
        by = keys_of(self.by)
        by_exit = FailureKey.EXIT in by
        message = self.message if FailureKey.MESSAGE in by else None
        return Cause(
            by,
            self.exit_code if by_exit else None,
            self.signal if by_exit else None,
            None if message is None else form_key(message),
            self.hostname if FailureKey.HOST in by else None,
        )


def keys_of(given: Sequence[FailureKey]) -> Keys:
    """The keys in one order, so that equal groups are equal."""
    # Strawberry passes enum literals as strings.
    found = set(map(FailureKey, given))
    return tuple(key for key in FailureKey if key in found)
