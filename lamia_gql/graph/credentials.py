"""The fields of ``Query`` and ``Mutation`` that are about credentials."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import strawberry

from lamia_gql.access import job_tokens
from lamia_gql.access.access_tokens import AccessTokenSpec, create, revoke
from lamia_gql.api.audit import Action, audit
from lamia_gql.domain import errors
from lamia_gql.domain.access import JobGrant
from lamia_gql.domain.errors import ErrorCode
from lamia_gql.domain.liveness import MAX_TIME
from lamia_gql.domain.pagination import check_size
from lamia_gql.domain.time_zones import in_utc
from lamia_gql.graph.context import Context, Info
from lamia_gql.graph.reads import Reads
from lamia_gql.graph.types import credential
from lamia_gql.graph.types.arguments import argument
from lamia_gql.graph.types.fields import derived, resolved
from lamia_gql.graph.types.payloads import UserError
from lamia_gql.graph.types.task import Task
from lamia_gql.ingest.task_input import InvalidInput
from lamia_gql.ingest.task_tokens import grant_of, revoke_tokens

INPUT = argument("Input of the mutation.")


def _viewer(reads: Reads) -> credential.Viewer:
    principal = reads.principal
    end = principal.expires_at
    # Whoever signs tokens elsewhere may let them end after the year 9999.
    shown = None if end is None else datetime.fromtimestamp(min(end, MAX_TIME.timestamp()), UTC)
    return credential.Viewer.of(principal, shown)


@strawberry.type
class CredentialQuery:
    """What can be asked about credentials."""

    viewer: credential.Viewer = derived("Who sends the request, and what they may do.", _viewer)

    @resolved(
        "The access tokens, by name. For administrators. Null only with an error, such as FORBIDDEN"
        " for others."
    )
    def access_tokens(
        self,
        info: Info,
        first: Annotated[int, argument("Largest number of tokens.")] = 100,
        after: Annotated[
            str, argument("Name of a token; only those whose names follow. Defaults to all.")
        ] = "",
    ) -> list[credential.AccessToken] | None:
        """Some of the tokens, which are in memory."""
        context = info.context
        context.principal.require_admin()
        check_size("first", first, 0, context.settings.page_limit)
        rows = [row for row in context.services.authentication.tokens.rows() if row.name > after]
        return [credential.AccessToken.of(row) for row in rows[:first]]


@strawberry.type
class CredentialMutation:
    """What can be done with credentials."""

    @resolved(
        "Issue a token with which jobs submit the events of one task, and nothing else. For the"
        " owner of the task, and administrators."
    )
    async def issue_task_token(
        self,
        info: Info,
        input: Annotated[credential.IssueTaskTokenInput, INPUT],  # noqa: A002
    ) -> credential.IssueTaskTokenPayload:
        """Sign a token."""
        context = info.context
        try:
            context.services.authentication.keys.require()
            ends = _end_of(input)
            if ends is not None and ends <= datetime.now(UTC):
                raise errors.UserError(
                    ErrorCode.TIME_INVALID, "expiresAt must lie in the future.", "expiresAt"
                )
            grant = await context.services.change_tasks(
                context.principal, lambda: grant_of(input.task, input.process, context.principal)
            )
        except InvalidInput as invalid:
            return credential.IssueTaskTokenPayload(token=None, user_errors=_shown(invalid))
        except errors.UserError as error:
            user_errors = [UserError.of(error)]
            return credential.IssueTaskTokenPayload(token=None, user_errors=user_errors)
        token = sign(context, grant, None if ends is None else ends.timestamp())
        _audit(context, Action.ISSUE_TASK_TOKEN, input.task)
        return credential.IssueTaskTokenPayload(token=token, user_errors=[])

    @resolved(
        "Revoke all tokens of a task that were issued so far, on all servers at once. For the owner"
        " of the task, and administrators."
    )
    async def revoke_task_tokens(
        self,
        info: Info,
        input: Annotated[credential.RevokeTaskTokensInput, INPUT],  # noqa: A002
    ) -> credential.RevokeTaskTokensPayload:
        """Begin a new generation of tokens."""
        context = info.context
        try:
            task = await context.services.change_tasks(
                context.principal, lambda: revoke_tokens(input.task, context.principal)
            )
        except InvalidInput as invalid:
            return credential.RevokeTaskTokensPayload(task=None, user_errors=_shown(invalid))
        _audit(context, Action.REVOKE_TASK_TOKENS, input.task)
        context.refresh()
        return credential.RevokeTaskTokensPayload(task=Task.of(task), user_errors=[])

    @resolved("Create an access token for a person, a site or a service. For administrators.")
    async def create_access_token(
        self,
        info: Info,
        input: Annotated[credential.CreateAccessTokenInput, INPUT],  # noqa: A002
    ) -> credential.CreateAccessTokenPayload:
        """Create a token, which is known here at once."""
        services, now = info.context.services, datetime.now(UTC)
        info.context.principal.require_admin()
        roles, prefix = frozenset(input.roles), input.prefix or ""
        try:
            spec = AccessTokenSpec(input.name, roles, prefix, _end_of(input))
            token, row = await services.database.write(lambda t: create(t.connection, spec, now))
        except errors.UserError as error:
            return credential.CreateAccessTokenPayload(
                token=None, access_token=None, user_errors=[UserError.of(error)]
            )
        _audit(info.context, Action.CREATE_ACCESS_TOKEN, row.name)
        await services.authentication.tokens.refresh()
        return credential.CreateAccessTokenPayload(
            token=token, access_token=credential.AccessToken.of(row), user_errors=[]
        )

    @resolved(
        "Revoke an access token on all servers, and end the subscriptions of its bearer. For"
        " administrators."
    )
    async def revoke_access_token(
        self,
        info: Info,
        input: Annotated[credential.RevokeAccessTokenInput, INPUT],  # noqa: A002
    ) -> credential.RevokeAccessTokenPayload:
        """Delete a token, which is unknown here at once."""
        services = info.context.services
        info.context.principal.require_admin()
        try:
            row = await services.database.write(lambda t: revoke(t.connection, input.name))
        except errors.UserError as error:
            return credential.RevokeAccessTokenPayload(
                access_token=None, user_errors=[UserError.of(error)]
            )
        _audit(info.context, Action.REVOKE_ACCESS_TOKEN, row.name)
        await services.authentication.tokens.refresh()
        return credential.RevokeAccessTokenPayload(
            access_token=credential.AccessToken.of(row), user_errors=[]
        )


def _end_of(
    token: credential.IssueTaskTokenInput | credential.CreateAccessTokenInput,
) -> datetime | None:
    """When the token ends; None for never. Raises :class:`UserError`."""
    try:
        return None if token.expires_at is None else in_utc(token.expires_at)
    except OverflowError:
        raise errors.UserError(
            ErrorCode.TIME_INVALID, "expiresAt is outside the calendar.", "expiresAt"
        ) from None


def sign(context: Context, grant: JobGrant, expires_at: float | None = None) -> str:
    """A token for this grant. Raises :class:`UserError` with NO_SECRET_KEY."""
    return job_tokens.issue(context.services.authentication.keys, grant, expires_at)


def _audit(context: Context, action: Action, name: str) -> None:
    audit(context.principal, context.client_address, action, [name])


def _shown(invalid: InvalidInput) -> list[UserError]:
    return [UserError.of(error) for error in invalid.errors]
