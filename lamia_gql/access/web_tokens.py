"""JSON Web Tokens of issuers that the operator trusts: of people, services and WLCG jobs.

The profile is that of OpenID Connect and of WLCG: the claims ``iss``, ``aud`` and ``exp`` are
required, ``nbf`` and ``iat`` are checked if they are there, and the signature is RS256 or ES256.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lamia_gql.domain.access import Principal, Role
from lamia_gql.domain.access_settings import EVERYBODY, RoleRule, TokenIssuer
from lamia_gql.domain.background_task import BackgroundTask

if TYPE_CHECKING:
    from jwt import PyJWK

log = logging.getLogger(__name__)

REFRESH_INTERVAL_S = 300.0
"""How often the keys of an issuer are read again."""
RETRY_INTERVAL_S = 10.0
"""How often, at most, an unknown key or a failure may have them read again."""
FETCH_TIMEOUT_S = 10.0
MAX_KEYS_BYTES = 1_048_576
LEEWAY_S = 30
"""By how much the clocks of issuer and server may differ."""
KNOWN_TOKENS = 4_096
"""How many verified tokens are remembered: a signature takes longer than all the rest."""
MAX_NAME_CHARACTERS = 255


class IssuerKeys:
    """The public keys of one issuer, kept up to date. A key that it removed is not valid here."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self.issuer = issuer
        self._keys: dict[str | None, PyJWK] = {}
        self._wanted = asyncio.Event()

    def find(self, key_id: str | None) -> PyJWK | None:
        """The key with this id; for None the only one. An unknown one is soon looked for."""
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        found = self._keys.get(key_id)
        if found is None:
            self._wanted.set()
        return found

    async def follow(self) -> None:
        """Read the keys at regular intervals, without an end."""
        while True:
            is_read = await self.read()
            self._wanted.clear()
            await asyncio.sleep(RETRY_INTERVAL_S)
            if is_read:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), REFRESH_INTERVAL_S)

    async def read(self) -> bool:
        """Read the keys; whether that has succeeded. After a failure, the former ones are valid."""
        # Few servers trust an issuer, and all others start faster without these.
        import httpx
        from jwt import PyJWKSet, PyJWTError

        try:
            found = PyJWKSet.from_json(await self._text())
        except (OSError, ValueError, httpx.HTTPError, PyJWTError) as error:
            reason = str(error) or type(error).__name__
            log.warning("the keys of %s can't be read: %s", self.issuer.issuer, reason)
            return False
        self._keys = {key.key_id: key for key in found.keys}
        return True

    async def _text(self) -> str:
        if self.issuer.keys_file is not None:
            return await asyncio.to_thread(self.issuer.keys_file.read_text)
        assert self.issuer.keys_url is not None
        import httpx

        async with (
            httpx.AsyncClient(timeout=FETCH_TIMEOUT_S) as client,
            client.stream("GET", self.issuer.keys_url) as answer,
        ):
            answer.raise_for_status()
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_KEYS_BYTES:
                    raise ValueError("the answer is too large")
        return body.decode()


class WebTokens:
    """Knows the bearers of JSON Web Tokens. Lives as long as the application."""

    def __init__(self, issuers: Sequence[TokenIssuer], rules: Sequence[RoleRule]) -> None:
        self._issuers = {issuer.issuer: IssuerKeys(issuer) for issuer in issuers}
        self._rules = rules
        self._known: dict[str, Principal] = {}
        """Verified tokens, the oldest first."""
        self._known_until = 0.0
        self._tasks = [
            BackgroundTask("keys of an issuer", keys.follow) for keys in self._issuers.values()
        ]

    def __len__(self) -> int:
        return len(self._issuers)

    async def start(self) -> None:
        """Begin to read the keys; the first time is waited for."""
        await asyncio.gather(*(keys.read() for keys in self._issuers.values()))
        for task in self._tasks:
            task.start()

    async def stop(self) -> None:
        """Stop to read the keys."""
        for task in self._tasks:
            await task.stop()

    def find(self, token: str) -> Principal | None:
        """The bearer of a token; None for one that is not valid."""
        now = time.monotonic()
        if now > self._known_until:
            # A key may have been removed.
            self._known.clear()
            self._known_until = now + REFRESH_INTERVAL_S
        known = self._known.get(token)
        if known is None:
            known = self._verify(token)
            if known is None:
                return None
            if len(self._known) >= KNOWN_TOKENS:
                del self._known[next(iter(self._known))]
            self._known[token] = known
        return known

    def _verify(self, token: str) -> Principal | None:
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
            keys = self._issuers.get(claimed) if isinstance(claimed, str) else None
            key = None if keys is None else keys.find(header.get("kid"))
            if keys is None or key is None:
                return None
            issuer = keys.issuer
            claims = jwt.decode(
                token,
                key,
                algorithms=list(issuer.algorithms),
                audience=issuer.audience,
                issuer=issuer.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        subject = claims.get(issuer.subject_claim)
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_NAME_CHARACTERS:
            return None
        return principal_of(subject, claims, self._rules, float(claims["exp"]))


def principal_of(
    subject: str,
    claims: Mapping[str, Any],
    rules: Iterable[RoleRule],
    expires_at: float | None = None,
) -> Principal:
    """Who has these claims, with the roles of all rules that match.

    The prefix is that of the matching rules; if they have different ones, the first that is given
    with a role to change or report: who is to have several needs several tokens.
    """
    roles: set[Role] = set()
    prefixes: list[str] = []
    for rule in rules:
        if _matches(claims.get(rule.claim), rule.value):
            roles.add(rule.role)
            if rule.role is not Role.READ:
                prefixes.append(rule.prefix)
    # Whoever may act on all tasks by one rule is not restricted by another.
    prefix = "" if "" in prefixes or not prefixes else prefixes[0]
    return Principal(subject, frozenset(roles), prefix, expires_at=expires_at)


def _matches(claim: Any, value: str) -> bool:
    words = claim.split() if isinstance(claim, str) else claim
    if not isinstance(words, list) or not words:
        return False
    return value == EVERYBODY or value in words
