"""What a follower reads: the interface that each system implements.

A source turns the records of a batch system, in a log or from a command, into events. To add one:

1. Write a class with the members of :class:`Source`. :meth:`Source.read` reads what stands behind a
   place, makes events with :func:`lamia_gql.adapters.batch_event.batch_event`, and returns them
   with the place behind them. The place is plain JSON. It is None at first, and holds whatever the
   source needs to go on later in a new process: a position, counts of restarts.
2. Each event gets an id by :func:`lamia_gql.adapters.event_id.event_id` from the record itself, and
   not from who reads it or when. Then it does not matter if a record is read twice.
3. Hand it to :class:`lamia_gql.adapters.follower.Follower`, from a command in
   ``lamia_gql/commands/follow_commands.py``.

The follower remembers a place only after the server has answered for all events before it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from lamia_gql.client.event import Event

PORTION_EVENTS = 1000
"""About how many events a source returns at once."""


class SourceError(Exception):
    """The records can't be read now; one sentence for the user. Reading is tried again."""


class Portion(NamedTuple):
    """What was read at once."""

    events: list[Event]
    """The events, in the order in which they happened."""
    place: Any
    """Where to read on, as plain JSON."""
    is_last: bool
    """Whether there is nothing more to read now. If not, it is read again at once, or soon if
    there were no events."""
    problems: tuple[str, ...] = ()
    """What could not be read, and was skipped; one sentence each."""


class Source(Protocol):
    """Records that become events."""

    @property
    def key(self) -> str:
        """What is read, and for whom: the same text means that a remembered place can be used."""

    @property
    def interval_s(self) -> float:
        """How long to wait before reading again when there was nothing more, in seconds."""

    def read(self, place: Any) -> Portion:
        """Return what stands behind a place; None is the beginning. Raises :class:`SourceError`."""

    def close(self) -> None:
        """Free what is open."""
