"""The types of credentials: who asks, access tokens, and what their mutations take and return."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from lamia_gql.access.access_tokens import AccessTokenRow
from lamia_gql.domain.access import Principal, Role
from lamia_gql.graph.types.fields import field
from lamia_gql.graph.types.payloads import USER_ERRORS, UserErrors
from lamia_gql.graph.types.task import Task

TASK_NAME = "Name of the task."


@strawberry.type(description="Who sends the request, as its credential tells.")
class Viewer:
    """The :class:`Principal` of the request."""

    name: str | None = field(
        "Name by which the viewer owns tasks. Null for a request without a credential."
    )
    roles: list[Role] = field("What the viewer may do, in the order of the enum.")
    prefix: str | None = field(
        "What the names of the tasks begin with that the viewer may create, change or submit events"
        " to. Null if they may have any name."
    )
    expires_at: datetime | None = field("When the credential ends. Null if it does not.")

    @classmethod
    def of(cls, principal: Principal, expires_at: datetime | None) -> Self:
        """The viewer of a request."""
        return cls(
            name=principal.subject,
            roles=[role for role in Role if role in principal.roles],
            prefix=principal.prefix or None,
            expires_at=expires_at,
        )


@strawberry.type(
    description="A credential of a person, a site or a service. The token itself is not stored."
)
class AccessToken:
    """A row of ``access_token``, without what is secret."""

    name: str = field("Name of the token, which also owns the tasks that are created with it.")
    roles: list[Role] = field("What its bearer may do, in the order of the enum.")
    prefix: str | None = field(
        "What the names of the tasks begin with that its bearer may create, change or submit events"
        " to. Null if they may have any name."
    )
    created_at: datetime = field("When the token was created.")
    expires_at: datetime | None = field("When the token ends. Null if it does not.")
    last_used_at: datetime | None = field(
        "When the token was used last, up to an hour too early. Null if it was never used."
    )

    @classmethod
    def of(cls, row: AccessTokenRow) -> Self:
        """The token of a row."""
        return cls(
            name=row.name,
            roles=[role for role in Role if role in row.role_set],
            prefix=row.prefix or None,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
        )


@strawberry.input(description="A token to issue, with which jobs submit the events of one task.")
class IssueTaskTokenInput:
    """The input of ``issueTaskToken``."""

    task: str = strawberry.field(description=TASK_NAME)
    process: str | None = strawberry.field(
        default=None,
        description="Name of the only process whose events the token allows. Defaults to all.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="When the token ends. By default never: how long jobs wait in a queue is"
        " unknown.",
    )


@strawberry.type(description="Result of `issueTaskToken`.")
class IssueTaskTokenPayload:
    """What ``issueTaskToken`` returns."""

    token: str | None = field(
        "The token, for `LAMIA_TOKEN` of the jobs. The server does not store it. Null if there are"
        " user errors."
    )
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.input(description="A task whose tokens are to be revoked.")
class RevokeTaskTokensInput:
    """The input of ``revokeTaskTokens``."""

    task: str = strawberry.field(description=TASK_NAME)


@strawberry.type(description="Result of `revokeTaskTokens`.")
class RevokeTaskTokensPayload:
    """What ``revokeTaskTokens`` returns."""

    task: Task | None = field("The task. Null if there are user errors.")
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.input(description="An access token to create.")
class CreateAccessTokenInput:
    """The input of ``createAccessToken``."""

    name: str = strawberry.field(description="Name of the token, unique on this server.")
    roles: list[Role] = strawberry.field(description="What its bearer may do, at least one.")
    prefix: str | None = strawberry.field(
        default=None,
        description="What the names of the tasks begin with that its bearer may create, change or"
        " submit events to. Defaults to any name.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When the token ends. Defaults to never."
    )


@strawberry.type(description="Result of `createAccessToken`.")
class CreateAccessTokenPayload:
    """What ``createAccessToken`` returns."""

    token: str | None = field(
        "The token. It is shown only now: the server stores its SHA-256. Null if there are user"
        " errors."
    )
    access_token: AccessToken | None = field(
        "What is known of the token. Null if there are user errors."
    )
    user_errors: UserErrors = field(USER_ERRORS)


@strawberry.input(description="An access token to revoke.")
class RevokeAccessTokenInput:
    """The input of ``revokeAccessToken``."""

    name: str = strawberry.field(description="Name of the token.")


@strawberry.type(description="Result of `revokeAccessToken`.")
class RevokeAccessTokenPayload:
    """What ``revokeAccessToken`` returns."""

    access_token: AccessToken | None = field("The revoked token. Null if there are user errors.")
    user_errors: UserErrors = field(USER_ERRORS)
