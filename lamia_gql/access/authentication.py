"""From the credential of a request to its principal, without a query of the database."""

from __future__ import annotations

import binascii
import math
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from lamia_gql.access import job_tokens, sessions
from lamia_gql.access.access_tokens import BEGINNING
from lamia_gql.access.secret_keys import SecretKeys
from lamia_gql.access.token_table import TokenTable
from lamia_gql.access.web_tokens import WebTokens, principal_of
from lamia_gql.domain.access import ANY_READER, ANYONE, NOBODY, Principal
from lamia_gql.domain.addresses import is_loopback
from lamia_gql.domain.errors import AccessDenied, ErrorCode
from lamia_gql.domain.settings import Settings

KNOWN_JOB_TOKENS = 4_096
"""How many verified job tokens are remembered."""
MAX_CREDENTIAL_CHARACTERS = 16_384
"""A longer one is refused before it is looked at."""


class Credential(NamedTuple):
    """What a request brings to say whose it is."""

    token: str | None = None
    """A bearer token, or the password of Basic."""
    session: str | None = None
    """The cookie of a page."""
    user: str | None = None
    """Who has signed in at a trusted proxy."""
    groups: str | None = None
    """The groups of that user, separated by commas."""


NO_CREDENTIAL = Credential()


def credential_ended_error() -> AccessDenied:
    """The error for live connections whose credential is not valid any more."""
    return AccessDenied(
        ErrorCode.UNAUTHENTICATED,
        "The credential has expired or was revoked. Connect again with another one.",
    )


class Authentication:
    """Knows the principal of every credential. Lives as long as the application.

    A server that only its own machine reaches is *open* while there are no credentials: whoever
    reaches it may do everything, and a credential that it does not know is ignored. Any other one
    is open only if it is told to be: to revoke the last token must not open it.
    """

    def __init__(
        self, settings: Settings, keys: SecretKeys, tokens: TokenTable, web_tokens: WebTokens
    ) -> None:
        self._insecure = settings.insecure
        self._is_local = is_loopback(settings.host)
        self._session_time_s = settings.session_time
        self._stranger = ANY_READER if settings.anonymous_read else NOBODY
        self._user_header = settings.proxy_user_header
        self._groups_header = settings.proxy_groups_header
        self._rules = settings.role_rules
        self._web_tokens = web_tokens
        self.keys = keys
        self.tokens = tokens
        self._jobs: dict[str, Principal] = {}
        """Verified job tokens: jobs send the same one with each event, and a key never changes."""
        self._leases: dict[object, tuple[Credential, Principal, Callable[[], None]]] = {}
        tokens.on_refresh = self._end_leases

    @property
    def is_open(self) -> bool:
        """Whether everybody may do everything."""
        if self._insecure or not self._is_local:
            return self._insecure
        return not (self.tokens or self._web_tokens or self._user_header)

    @property
    def anonymous(self) -> Principal:
        """Who asks without a credential."""
        return ANYONE if self.is_open else self._stranger

    def credential(self, headers: Mapping[str, str]) -> Credential:
        """The credential of a request with these headers."""
        authorization, cookie = headers.get("authorization"), headers.get("cookie")
        if authorization is None and cookie is None and self._user_header is None:
            return NO_CREDENTIAL
        token = None if authorization is None else parse_authorization(authorization)
        session = None if cookie is None else _session_of(cookie)
        if self._user_header is None:
            return Credential(token, session)
        # Whoever is not a trusted proxy can't get these headers here.
        groups = headers.get(self._groups_header) if self._groups_header else None
        return Credential(token, session, headers.get(self._user_header) or None, groups)

    def principal(self, credential: Credential) -> Principal:
        """Whose credential it is.

        Raises :class:`AccessDenied` with UNAUTHENTICATED for one that is not valid, unless the
        server is open.
        """
        token, session, user, groups = credential
        if token is None and session is None:
            return self.anonymous if user is None else self._proxied(user, groups)
        found = None
        if token is not None:
            found = self._bearer(token)
        elif session is not None:
            found = self._signed_in(session)
            if found is None:
                # A cookie that has ended is no error: the page asks its user to sign in again.
                return self.anonymous if user is None else self._proxied(user, groups)
        if found is not None and (found.expires_at is None or found.expires_at > time.time()):
            return found
        if self.is_open:
            return ANYONE
        raise AccessDenied(
            ErrorCode.UNAUTHENTICATED,
            "The credential is not valid: it is unknown here, has expired, or was revoked.",
        )

    async def sign_in(self, token: str) -> tuple[str, float]:
        """A session for the bearer of an access token, and when it ends, in seconds since 1970.

        Raises :class:`AccessDenied` for another or an invalid token, :class:`UserError` if the
        server has no key to sign with, and :class:`Unavailable`.
        """
        row = await self.tokens.find_new(token)
        if row is None:
            raise AccessDenied(
                ErrorCode.UNAUTHENTICATED,
                "The access token is not valid: it is unknown here, has expired, or was revoked.",
            )
        principal = row.principal()
        ends = min(principal.expires_at or math.inf, time.time() + self._session_time_s)
        return sessions.begin(self.keys, principal, ends, row.id), ends

    @contextmanager
    def lease(
        self, credential: Credential, principal: Principal, end: Callable[[], None]
    ) -> Iterator[None]:
        """Within the block, call ``end`` once if the credential is no longer this principal's."""
        key = object()
        self._leases[key] = (credential, principal, end)
        try:
            yield
        finally:
            self._leases.pop(key, None)

    def _bearer(self, token: str) -> Principal | None:
        if len(token) > MAX_CREDENTIAL_CHARACTERS:
            return None
        if token.startswith(job_tokens.KIND):
            return self._job(token)
        if token.startswith(BEGINNING):
            row = self.tokens.find(token)
            if row is not None:
                self.tokens.note_use(row)
                return row.principal()
            return None
        return self._web_tokens.find(token) if self._web_tokens else None

    def _job(self, token: str) -> Principal | None:
        known = self._jobs.get(token)
        if known is None:
            known = job_tokens.verify(self.keys, token)
            if known is None:
                return None
            if len(self._jobs) >= KNOWN_JOB_TOKENS:
                del self._jobs[next(iter(self._jobs))]
            self._jobs[token] = known
        return known

    def _proxied(self, user: str, groups: str | None) -> Principal:
        names = [name.strip() for name in (groups or "").split(",") if name.strip()]
        return principal_of(user, {"groups": names, "user": [user]}, self._rules)

    def _signed_in(self, session: str) -> Principal | None:
        found = sessions.verify(self.keys, session)
        if found is None:
            return None
        principal, token_id = found
        if token_id is not None and self.tokens.find_id(token_id) is None:
            return None
        assert principal.expires_at is not None
        return principal if principal.expires_at > time.time() else None

    def _end_leases(self) -> None:
        for key, (credential, principal, end) in list(self._leases.items()):
            try:
                holds = self.principal(credential) == principal
            except AccessDenied:
                holds = False
            if not holds:
                del self._leases[key]
                end()


def parse_authorization(value: str) -> str | None:
    """The token in a header ``Authorization``: Bearer, or the password of Basic.

    None for an empty one, which scripts send whose variable is empty. Of a malformed header the
    whole value, which is not a valid token.
    """
    scheme, _, rest = value.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            with suppress(binascii.Error, UnicodeDecodeError):
                _, colon, password = b64decode(rest, validate=True).decode().partition(":")
                if colon:
                    return password or None
    return value


def _session_of(cookie: str) -> str | None:
    try:
        found = SimpleCookie(cookie).get(sessions.COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value
