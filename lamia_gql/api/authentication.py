"""Who makes an HTTP request, shared by GraphQL and REST."""

from __future__ import annotations

from collections.abc import Mapping

from lamia_gql.access.authentication import Credential
from lamia_gql.api.request_body import HttpError
from lamia_gql.api.services import Services
from lamia_gql.domain.access import NOBODY, Principal
from lamia_gql.domain.errors import AccessDenied, ErrorCode

CHALLENGE = {"www-authenticate": 'Bearer realm="lamia-gql"'}
"""The header of every answer 401. It does not offer Basic, which is taken as well: browsers would
open a window of their own for it, over the page's."""


def authenticate(services: Services, headers: Mapping[str, str]) -> tuple[Principal, Credential]:
    """Who makes the request with these headers, and by which credential.

    Raises :class:`HttpError` with status 401 if there is no valid credential, but one is needed.
    """
    credential = services.authentication.credential(headers)
    try:
        principal = services.authentication.principal(credential)
    except AccessDenied as error:
        raise HttpError(401, error.code, error.message, **CHALLENGE) from error
    if principal == NOBODY:
        raise HttpError(
            401,
            ErrorCode.UNAUTHENTICATED,
            "This server needs a credential: send a token as “Authorization: Bearer TOKEN”.",
            **CHALLENGE,
        )
    return principal, credential


def denied_status(error: AccessDenied) -> int:
    """The HTTP status of an error."""
    return 401 if error.code is ErrorCode.UNAUTHENTICATED else 403
