"""A request of REST: its address, its body, and what it may read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope

from lamia_gql.api.accept import parse_media_type
from lamia_gql.api.answer_budget import AnswerBudget
from lamia_gql.api.client_clock import HEADER as CLOCK
from lamia_gql.api.client_clock import clock_offset
from lamia_gql.api.rate_limits import Client
from lamia_gql.api.read_position import HEADER as POSITION
from lamia_gql.api.read_position import wanted_position
from lamia_gql.api.request_body import HttpError, parse_json, read_body
from lamia_gql.api.request_headers import request_headers
from lamia_gql.api.services import Services
from lamia_gql.domain.access import NOBODY, Principal
from lamia_gql.storage.operation_reads import OperationReads
from lamia_gql.storage.read_sources import Freshness
from lamia_gql.storage.transaction import ReadConnection

T = TypeVar("T")

JSON = "application/json"
LINES = "application/x-ndjson"
"""The media type of lines that each have a JSON value: NDJSON."""
NO_QUERY = QueryParams()


class RestRequest:
    """One request, with its time, and with the task and process in its address."""

    def __init__(self, scope: Scope, receive: Receive, task: str, process: str) -> None:
        self.services: Services = scope["state"]["services"]
        self.now = datetime.now(UTC)
        self.query = QueryParams(scope["query_string"]) if scope["query_string"] else NO_QUERY
        self.task = task
        self.process = process
        self.method: str = scope["method"]
        self.client_address: str | None = scope["client"][0] if scope["client"] else None
        self.principal: Principal = NOBODY
        """Who asks, as soon as it is authenticated."""
        self.headers = request_headers(scope)
        self._scope = scope
        self._receive = receive

    @cached_property
    def budget(self) -> AnswerBudget:
        """What the answer may take."""
        return self.services.answer_budget()

    @property
    def clock_offset(self) -> timedelta | None:
        """What to add to the client's times, if its clock is wrong."""
        return clock_offset(self.headers.get(CLOCK), self.now)

    def close(self) -> None:
        """Give back what the answer has taken."""
        if "budget" in self.__dict__:
            self.budget.close()

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.method in ("GET", "HEAD")

    @property
    def path(self) -> str:
        """The path of the address, percent-encoded, with the prefix of a proxy."""
        return quote(self._scope["path"])

    @property
    def root(self) -> str:
        """The prefix of a proxy, with which paths in answers begin; or nothing."""
        root: str = self._scope["root_path"]
        return root

    @property
    def has_lines(self) -> bool:
        """Whether the body is declared as lines of JSON."""
        return self._media_type == LINES

    @property
    def _media_type(self) -> str:
        return parse_media_type(self.headers.get("content-type", ""))[0]

    async def read(self, work: Callable[[ReadConnection], T]) -> T:
        """The result of a read of the database, which is stopped after ``max_operation_time``.

        Raises :class:`LimitExceeded`, :class:`Unavailable`, and what the work raises.
        """
        services = self.services
        reads = OperationReads(
            services.database,
            services.settings.max_operation_time,
            self.client_address,
            self.principal,
            wanted_position(self.headers.get(POSITION)) if self.is_read else Freshness.PRIMARY,
        )

        def count_anew(connection: ReadConnection) -> T:
            # It may be called again, where a database fails.
            if "budget" in self.__dict__:
                self.budget.restart()
            return work(connection)

        await self.take_turn()
        return await reads.read_in_time(count_anew)

    async def raw_body(self) -> bytes:
        """The body, when it is the turn of this request.

        Raises :class:`HttpError` if it is too large, or sent by a web page as anything but JSON.
        """
        if "origin" in self.headers:
            _require_json(self._media_type)
        body = await read_body(self._receive, self.services.settings.max_request_bytes)
        await self.take_turn()
        return body

    async def take_turn(self, *, goes_on: bool = False) -> None:
        """Wait until it is the turn of this request, or of another part of the work on it."""
        client = Client.of(self.principal, self.client_address)
        await self.services.request_turns.take(client, goes_on=goes_on)

    async def json_body(self) -> Any:
        """The body, parsed as JSON. Raises :class:`HttpError`."""
        return parse_json(await self.raw_body(), "The body")


def _require_json(media_type: str) -> None:
    # Pages may send forms and plain text anywhere, without asking first. Other programs have no
    # origin; curl declares a form where it sends JSON.
    if media_type not in (JSON, LINES):
        raise HttpError(
            415, "UNSUPPORTED_MEDIA_TYPE", "Web pages must send their requests as application/json."
        )
