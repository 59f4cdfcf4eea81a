"""Access tokens of people, sites and services: random, and stored as their SHA-256 only."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from lamia_gql.domain.access import Principal, Role
from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.text_checks import check_name
from lamia_gql.storage.change_feed import ACCESS_CHANNEL
from lamia_gql.storage.rows import columns
from lamia_gql.storage.service_models import AccessToken

BEGINNING = "lamia_a1_"
"""What an access token begins with."""
MAX_TOKENS = 10_000
"""So many fit in the memory of each server without a thought."""
MAX_NAME_CHARACTERS = 200


class AccessTokenRow(NamedTuple):
    """A row of ``access_token``."""

    id: int
    name: str
    digest: str
    roles: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @property
    def role_set(self) -> frozenset[Role]:
        """The roles."""
        return frozenset(map(Role, self.roles.split(",")))

    def principal(self) -> Principal:
        """Whoever has the token."""
        expires_at = None if self.expires_at is None else self.expires_at.timestamp()
        return Principal(self.name, self.role_set, self.prefix, expires_at=expires_at)


@dataclass(frozen=True, slots=True)
class AccessTokenSpec:
    """An access token to create."""

    name: str
    roles: Collection[Role]
    prefix: str = ""
    expires_at: datetime | None = None


def digest_of(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    connection: Connection, spec: AccessTokenSpec, now: datetime
) -> tuple[str, AccessTokenRow]:
    """Create a token, and return it with its row. Raises :class:`UserError`."""
    check_name(spec.name, MAX_NAME_CHARACTERS, "name")
    if spec.prefix:
        check_name(spec.prefix, MAX_NAME_CHARACTERS, "prefix")
    if not spec.roles:
        raise UserError(
            ErrorCode.ROLES_INVALID, f"Give at least one role: {', '.join(Role)}.", "roles"
        )
    if spec.expires_at is not None and spec.expires_at <= now:
        raise UserError(ErrorCode.TIME_INVALID, "expiresAt must lie in the future.", "expiresAt")
    if connection.scalar(select(AccessToken.id).where(AccessToken.name == spec.name)) is not None:
        raise UserError(
            ErrorCode.NAME_TAKEN, f"There is an access token “{spec.name}” already.", "name"
        )
    if read_version(connection)[0] >= MAX_TOKENS:
        raise UserError(
            ErrorCode.TOO_MANY, f"There are {MAX_TOKENS} access tokens: revoke unused ones.", "name"
        )
    token = BEGINNING + secrets.token_urlsafe(32)
    row = connection.execute(
        insert(AccessToken)
        .values(
            name=spec.name,
            digest=digest_of(token),
            roles=",".join(role for role in Role if role in spec.roles),
            prefix=spec.prefix,
            created_at=now,
            expires_at=spec.expires_at,
        )
        .returning(*COLUMNS)
    ).one()
    _notify(connection)
    return token, AccessTokenRow._make(row)


def revoke(connection: Connection, name: str) -> AccessTokenRow:
    """Delete a token. Raises :class:`UserError` if there is none of this name."""
    row = connection.execute(
        delete(AccessToken).where(AccessToken.name == name).returning(*COLUMNS)
    ).one_or_none()
    if row is None:
        raise UserError(ErrorCode.TOKEN_NOT_FOUND, f"There is no access token “{name}”.", "name")
    _notify(connection)
    return AccessTokenRow._make(row)


def read_all(connection: Connection) -> list[AccessTokenRow]:
    """All tokens, by name."""
    rows = connection.execute(select(*COLUMNS).order_by(AccessToken.name))
    return [AccessTokenRow._make(row) for row in rows]


def read_version(connection: Connection) -> tuple[int, int]:
    """What is different whenever a token was created or revoked: their number and largest id."""
    number, largest = connection.execute(select(func.count(), func.max(AccessToken.id))).one()
    return number, largest or 0


def any_exist(engine: Engine) -> bool:
    """Whether there is any token."""
    with engine.connect() as connection:
        return read_version(connection)[0] > 0


def note_use(connection: Connection, ids: Collection[int], now: datetime) -> None:
    """Set the time of the last use of these tokens."""
    connection.execute(update(AccessToken).where(AccessToken.id.in_(ids)).values(last_used_at=now))


def _notify(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(ACCESS_CHANNEL, "")))


COLUMNS = columns(AccessToken, AccessTokenRow)
