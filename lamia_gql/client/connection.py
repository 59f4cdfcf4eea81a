"""One kept connection to a server, and what its answers mean."""

from __future__ import annotations

import encodings.idna  # noqa: F401  # or the first look-up of a name would, in a thread: see Job
import http.client
import json
import socket
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lamia_gql.client.address import Server
from lamia_gql.client.event import to_json
from lamia_gql.client.watchdog import Lookout

SILENCE = 5.0
"""Seconds without a byte after which the server is given up."""
LONGEST = 15.0
"""Seconds that a whole exchange may take, however slowly its bytes drip."""
HESITATION = 1.0
"""Seconds that a server may take as a matter of course."""
LARGEST_ANSWER = 16 * 1024 * 1024
DOCUMENT = """\
mutation SubmitEvents($input: SubmitEventsInput!) {
  submitEvents(input: $input) {
    results {
      duplicate
      enough
      userErrors {
        code
        field
        message
      }
    }
    userErrors {
      code
      field
      message
    }
  }
}
"""
"""``schema/operations/submit_events.graphql``: a single file on a node has no such folder."""
FAULTS = {"BAD_REQUEST", "BAD_USER_INPUT", "REQUEST_TOO_LARGE", "TOO_COSTLY", "TOO_DEEP"}
"""The codes of errors that an event has brought about, and not the server or its state."""


class AwayError(Exception):
    """The events were not taken, for a reason that may pass; one sentence for people."""


class FaultError(Exception):
    """The request was refused because of one of its events, but not of which."""


class Answer(NamedTuple):
    """What became of one event: stored, where there is no code."""

    code: str | None
    message: str
    enough: bool


class Connection:
    """A connection that is made when it is needed, and kept. For one thread at a time.

    While a server takes its time ``hesitate`` is called, in another thread, about every second.
    """

    def __init__(self, server: Server, hesitate: Callable[[], object] = lambda: None) -> None:
        self._server = server
        self._address = urllib.parse.urlsplit(server.url)
        self._http: http.client.HTTPConnection | None = None
        self._hesitate = hesitate
        self._lookout = Lookout(self._look, HESITATION)

    def submit(self, events: Sequence[dict[str, Any]]) -> list[Answer]:
        """Send events; the answers are in their order.

        Raises :class:`AwayError` or :class:`FaultError`; then it is not known what was stored.
        """
        body = to_json({"query": DOCUMENT, "variables": {"input": {"events": events}}})
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            with self._lookout:
                token = self._token()
                if token:
                    headers["Authorization"] = f"Bearer {token}"
                status, answer = self._post(body, headers)
        except (OSError, http.client.HTTPException, ValueError, ImportError) as error:
            self._drop()
            reason = str(error) or type(error).__name__
            message = f"The server at {self._server.url} can't be reached: {reason}."
            raise AwayError(message) from error
        return self._read(status, answer, len(events))

    def close(self) -> None:
        """Give the connection up for good."""
        self._drop()
        self._lookout.end()

    def _drop(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def _look(self, passed: float) -> None:
        sock = self._http.sock if self._http is not None else None
        if sock is not None and passed >= LONGEST:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has been closed already
        self._hesitate()

    def _token(self) -> str | None:
        if self._server.token or not self._server.token_file:
            return self._server.token
        try:
            # Anew for every request: tokens are renewed while jobs run.
            with open(self._server.token_file, encoding="utf-8") as file:
                return file.read(65536).strip()
        except (OSError, ValueError) as error:
            raise AwayError(f"The token can't be read: {error}.") from error

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        kept = self._http is not None and self._http.sock is not None
        try:
            return self._exchange(body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            # Servers close connections that have been idle: that is no sign of trouble. An event
            # that did arrive is known by its id.
            self._drop()
            if not kept:
                raise
        return self._exchange(body, headers)

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._http is None or self._http.sock is None:
            self._http = self._connect()
        self._http.request("POST", self._address.path, body, headers)
        response = self._http.getresponse()
        answer = response.read(LARGEST_ANSWER)
        if not response.isclosed():
            self._drop()
        return response.status, answer

    def _connect(self) -> http.client.HTTPConnection:
        made: http.client.HTTPConnection
        # Without a port, the last digits of an address of IPv6 would be taken for one.
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme == "https":
            import ssl  # some Pythons on nodes are built without

            context = ssl.create_default_context()
            made = http.client.HTTPSConnection(host, port or 443, timeout=SILENCE, context=context)
        else:
            made = http.client.HTTPConnection(host, port or 80, timeout=SILENCE)
        made.connect()
        return made

    def _read(self, status: int, answer: bytes, number: int) -> list[Answer]:
        url = self._server.url
        if status in (401, 403):
            raise AwayError(f"The server at {url} does not let us in (status {status}).")
        try:
            body = json.loads(answer)
            errors = body.get("errors")
            if errors:
                codes = {(error.get("extensions") or {}).get("code") for error in errors}
                message = str(errors[0].get("message"))
                if status < 500 and codes <= FAULTS:
                    raise FaultError(message)
                raise AwayError(f"The server at {url} can't take it just now: {message}")
            if status != 200:
                raise AwayError(f"The server at {url} answers with status {status}.")
            payload = body["data"]["submitEvents"]
            if payload["userErrors"]:
                raise FaultError(str(payload["userErrors"][0]["message"]))
            answers = [_answer(result) for result in payload["results"]]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise AwayError(f"What answers at {url} is not lamia-gql (status {status}).") from error
        if len(answers) != number:
            raise AwayError(f"What answers at {url} has not read all of the events.")
        return answers


def _answer(result: dict[str, Any]) -> Answer:
    for error in result["userErrors"]:
        return Answer(str(error["code"]), str(error["message"]), False)
    return Answer(None, "", result["enough"] is True)
