"""The connections of this process: how many there may be, how long and how large what they send."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Protocol

from lamia_gql.domain.settings import Settings
from lamia_gql.server.parsing_turns import ParsingTurns

log = logging.getLogger(__name__)

MIN_RATE = 16_384
"""The bytes in a second that a client must send of a body or message, after ``request_timeout``,
and read of an answer, after ``send_timeout``."""
CHECK_INTERVAL_S = 1.0
"""How often the deadlines are checked."""
REFUSALS = ("address", "server", "bytes")
"""Why something is refused: a connection as its address, or the server, has too many; a request, or
an answer that is not read, as all hold too much."""
LOG_INTERVAL_S = 10.0
"""The shortest time between two lines of the log about what was closed and refused."""


class Connection(Protocol):
    """A connection of any protocol."""

    address: str
    """The address of the client's machine."""
    held_bytes: int
    """What :meth:`ConnectionLimits.hold` was last told."""

    def check_deadline(self, now: float) -> None:
        """Close it if its client does not send, or read, in time."""

    def may_let_go(self) -> bool:
        """Whether the server waits for its client: to send the rest, or to read the answer."""

    def let_go(self) -> None:
        """Refuse what is being received, or drop what is not read: too much is held in all."""


class WaitingConnection(Connection, Protocol):
    """A connection that may wait for its client."""

    def give_way(self) -> None:
        """Close it, as another connection needs its place."""


class AddressConnections:
    """The connections from one address."""

    def __init__(self) -> None:
        self.number = 0
        self.waiting: dict[WaitingConnection, None] = {}
        """Those that wait for a request or the rest of one, the longest waiting first."""


class ConnectionLimits:
    """Bounds the connections of this process, by address and in all, and what they hold.

    Where the bound is reached, a new connection takes the place of one that waits for a request, or
    for the rest of one: of the one that has waited for the longest. One address may have half of
    all connections.

    Args:
        settings: the bounds.
        open_files: how many files the process may have open. At most half of them are connections:
            the rest is for the database, and for connections that are not counted yet.
    """

    def __init__(self, settings: Settings, open_files: int) -> None:
        self.request_timeout_s = settings.request_timeout
        self.send_timeout_s = settings.send_timeout
        self.max_number = max(2, min(settings.max_connections, open_files // 2))
        self.max_number_per_address = self.max_number // 2
        self.max_bytes = settings.max_total_request_bytes
        self.end_with_answers = False
        """Whether each connection ends with its next answer, because the server is to stop."""
        self.turns = ParsingTurns()
        self._connections: set[Connection] = set()
        self._addresses: dict[str, AddressConnections] = {}
        self._bytes = 0
        self.refused: Counter[str] = Counter()
        """What was refused, by the :data:`REFUSALS`."""
        self.replaced = 0
        """How many waiting connections gave way to others."""
        self._logged = (0, 0)
        """What of both was in the log already."""
        self._last_check = 0.0
        self._next_log = 0.0

    @property
    def number(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    @property
    def has_waiting(self) -> bool:
        """Whether a connection waits for a request, or the rest of one."""
        return any(found.waiting for found in self._addresses.values())

    def admit(self, connection: WaitingConnection) -> bool:
        """Count a new connection, which waits for a request. False if there is no place for it."""
        found = self._addresses.get(connection.address)
        if found is not None and found.number >= self.max_number_per_address:
            crowd, reason = found, "address"
        elif len(self._connections) >= self.max_number:
            # Whoever has the most connections gives one up.
            crowd = max(self._addresses.values(), key=lambda one: len(one.waiting))
            reason = "server"
        else:
            self.add(connection)
            self.wait(connection)
            return True
        if not crowd.waiting:
            self.refused[reason] += 1
            return False
        longest = next(iter(crowd.waiting))
        self.replaced += 1
        self.remove(longest)
        longest.give_way()
        self.add(connection)
        self.wait(connection)
        return True

    def add(self, connection: Connection) -> None:
        """Count a connection, whatever the bounds."""
        self._connections.add(connection)
        found = self._addresses.get(connection.address)
        if found is None:
            found = self._addresses[connection.address] = AddressConnections()
        found.number += 1

    def remove(self, connection: Connection) -> None:
        """Count a connection no more, nor what it holds; it may have been removed before."""
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self.hold(connection, 0)
        found = self._addresses[connection.address]
        found.number -= 1
        found.waiting.pop(connection, None)  # type: ignore[call-overload] # it may be none of them
        if not found.number:
            del self._addresses[connection.address]

    def wait(self, connection: WaitingConnection) -> None:
        """Note that a connection waits for its client from now on."""
        if connection in self._connections:
            waiting = self._addresses[connection.address].waiting
            waiting.pop(connection, None)
            waiting[connection] = None

    def work(self, connection: WaitingConnection) -> None:
        """Note that a connection has a request."""
        if connection in self._connections:
            self._addresses[connection.address].waiting.pop(connection, None)

    def hold(self, connection: Connection, number: int) -> None:
        """Note how many bytes of requests, and of answers that are not read, a connection holds.

        If all of them are too many, the one that holds the most lets go of it, of those that wait
        for their clients.
        """
        self._bytes += number - connection.held_bytes
        connection.held_bytes = number
        while self._bytes > self.max_bytes:
            waiting = [one for one in self._connections if one.held_bytes and one.may_let_go()]
            if not waiting:
                return
            largest = max(waiting, key=lambda one: one.held_bytes)
            self._bytes -= largest.held_bytes
            largest.held_bytes = 0
            self.refused["bytes"] += 1
            largest.let_go()

    def check_deadlines(self, now: float) -> None:
        """Close the connections that are late. To be called every :data:`CHECK_INTERVAL_S`."""
        on_time = now < self._last_check + 2 * CHECK_INTERVAL_S
        self._last_check = now
        # Else the event loop was busy, and has not yet read what clients have sent in time.
        if on_time:
            for connection in list(self._connections):
                connection.check_deadline(now)
        counted = self.replaced, self.refused.total()
        if counted != self._logged and now >= self._next_log:
            log.warning(
                "too much at once: closed %d waiting connections, refused %d connections or"
                " requests; %d connections are open",
                counted[0] - self._logged[0],
                counted[1] - self._logged[1],
                self.number,
            )
            self._logged = counted
            self._next_log = now + LOG_INTERVAL_S
