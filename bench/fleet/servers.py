"""The servers that a client of the fleet may use."""

from __future__ import annotations

from collections.abc import Sequence

from bench.http_client import request


class Servers:
    """Servers, of which a client uses one until it fails.

    Args:
        urls: their addresses, without a path.
        token: the credential, if they want one.
        place: which of them comes first.
    """

    def __init__(self, urls: Sequence[str], token: str | None = None, place: int = 0) -> None:
        self._urls, self._token, self._place = urls, token, place

    @property
    def url(self) -> str:
        """The address of the one that is used."""
        return self._urls[self._place % len(self._urls)]

    @property
    def credential(self) -> dict[str, str]:
        """The header with the credential, if there is one."""
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def for_client(self, number: int) -> Servers:
        """The same servers for one of many clients, which begin with each of them in turn."""
        return Servers(self._urls, self._token, number)

    def move_on(self) -> None:
        """Use the next one."""
        self._place += 1

    def request(self, body: bytes, **headers: str) -> bytes:
        """A GraphQL request to the one that is used."""
        lines = (f"{name}: {value}\r\n" for name, value in (self.credential | headers).items())
        return request(self.url, "/graphql", body, headers="".join(lines))
