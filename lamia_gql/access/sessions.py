"""Sessions of the pages: what the cookie of somebody holds who has signed in."""

from __future__ import annotations

from lamia_gql.access.secret_keys import SecretKeys
from lamia_gql.domain.access import Principal, Role

KIND = "lamia_s1"
"""What a session begins with."""
COOKIE = "lamia_session"
"""The name of the cookie."""


def begin(
    keys: SecretKeys, principal: Principal, expires_at: float, token_id: int | None = None
) -> str:
    """A session of this principal.

    Args:
        keys: what it is signed with.
        principal: who has signed in.
        expires_at: when it ends, in seconds since 1970.
        token_id: the id of the access token; the session ends when that is revoked.

    Raises :class:`UserError` with NO_SECRET_KEY.
    """
    payload = {
        "u": principal.subject,
        "r": sorted(principal.roles),
        "f": principal.prefix,
        "x": expires_at,
        "i": token_id,
    }
    return keys.sign(KIND, payload)


def verify(keys: SecretKeys, session: str) -> tuple[Principal, int | None] | None:
    """Who has signed in, and the id of the access token, if any; None if it is none of ours."""
    payload = keys.verify(KIND, session)
    if payload is None:
        return None
    principal = Principal(
        payload["u"], frozenset(map(Role, payload["r"])), payload["f"], expires_at=payload["x"]
    )
    return principal, payload["i"]
