"""Job tokens: each lets a job submit the events of one task, and is verified without a look-up.

Whether it was revoked is known where its events are stored: the row of the task, which is locked
then, has the generation of the tokens that are valid.
"""

from __future__ import annotations

from lamia_gql.access.secret_keys import SecretKeys
from lamia_gql.domain.access import JobGrant, Principal

KIND = "lamia_j1"
"""What a job token begins with."""
SCOPE = "events"
"""All that a job token allows."""


def issue(keys: SecretKeys, grant: JobGrant, expires_at: float | None = None) -> str:
    """A token for this grant, which ends at a time in seconds since 1970, or never.

    Raises :class:`UserError` with NO_SECRET_KEY.
    """
    payload = {
        "t": grant.task_id,
        "g": grant.generation,
        "s": SCOPE,
        "p": grant.process,
        "x": expires_at,
    }
    return keys.sign(KIND, {name: value for name, value in payload.items() if value is not None})


def verify(keys: SecretKeys, token: str) -> Principal | None:
    """The bearer of a token; None if the token is not one of ours."""
    payload = keys.verify(KIND, token)
    if payload is None or payload["s"] != SCOPE:
        return None
    grant = JobGrant(payload["t"], payload["g"], payload.get("p"))
    return Principal(grant=grant, expires_at=payload.get("x"))
