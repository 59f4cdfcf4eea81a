"""Where queries read: a replica that has what the client must see, else the primary."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from enum import Enum
from time import monotonic
from typing import NamedTuple, TypeAlias

from lamia_gql.storage.read_position import Position, Replayed, Timeline
from lamia_gql.storage.read_replica import ReadReplica, ReadSource


class Freshness(Enum):
    """What a read must see, where that is not a position."""

    COMMITTED = "committed"
    """Everything that is committed when it is asked for."""
    PRIMARY = "primary"
    """The primary itself: what follows from it is compared with, or sent to, others at once."""


Wanted: TypeAlias = Position | Freshness
"""What a read must see: everything up to a position, 0 for whatever there is, or more."""

POSITION_WAIT_S = 0.3
"""How long a read waits at most until a replica has what it must see."""

FAILOVER_PAUSE_S = 5.0
"""How long after a failover no replica is read. One that follows the former primary may still
replay what it has from that, and would pass for one that follows the new one."""

MAX_SAMPLES = 1_000
"""About how many positions of the primary are kept, however often it is asked."""


class Outcome(Enum):
    """How a query came to be read where it was."""

    REPLICA = "replica"
    """A replica had what was wanted."""
    LATE = "late"
    """No replica had it in time: read from the primary."""
    UNUSABLE = "unusable"
    """No replica could be used: read from the primary."""
    FAILED = "failed"
    """A replica has failed: read once more, from the primary."""


class _Waiting(NamedTuple):
    position: Position
    found: asyncio.Future[ReadReplica]


class ReadSources:
    """Chooses where a query reads. Lives as long as the application.

    What it knows of the databases is told by :class:`lamia_gql.live.replica_watch.ReplicaWatch`.
    Its methods must be called in the thread of the event loop.

    Args:
        primary: how the primary is read.
        replicas: those that may be read in place of it.
        max_lag_s: a replica that is further behind, in seconds, is not used.
    """

    def __init__(
        self, primary: ReadSource, replicas: Sequence[ReadReplica], max_lag_s: float
    ) -> None:
        self.primary = primary
        self.replicas = replicas
        self.outcomes: Counter[Outcome] = Counter()
        """How many queries were read where; nothing is counted where there are no replicas."""
        self.primary_asked = asyncio.Event()
        """Set when somebody waits for the position of the primary."""
        self._max_lag_s = max_lag_s
        self._samples: deque[tuple[float, Position]] = deque()
        """When the primary had which position. The first one is old enough for every replica to
        have reached it; what was committed before the server has begun, all must have. So they must
        after a failover: else a replica may still follow the former primary."""
        self._timeline: Timeline | None = None
        """That of the primary."""
        self._sampled_from = 0.0
        """From when on samples are taken."""
        self._may_be_another = False
        """Whether another primary may have taken over since its position was read."""
        self._asking: list[asyncio.Future[Position | None]] = []
        self._waiting: list[_Waiting] = []

    @property
    def has_waiting(self) -> bool:
        """Whether reads wait until a replica has what they must see."""
        return bool(self._waiting)

    async def choose(self, wanted: Wanted) -> ReadSource:
        """Where to read, perhaps after a wait of at most :data:`POSITION_WAIT_S`."""
        if not self.replicas or wanted is Freshness.PRIMARY:
            return self.primary
        usable = [replica for replica in self.replicas if self.is_usable(replica)]
        found = await self._reach(wanted) if usable else None
        if found is None:
            self.outcomes[Outcome.LATE if usable else Outcome.UNUSABLE] += 1
            return self.primary
        self.outcomes[Outcome.REPLICA] += 1
        found.reads += 1
        return found.source

    def is_usable(self, replica: ReadReplica) -> bool:
        """Whether a replica answers, follows the primary, and is not too far behind."""
        position = replica.position
        if position is None or replica.is_ahead or not self._samples:
            return False
        return position >= self._samples[0][1]

    def lag_s(self, replica: ReadReplica) -> float | None:
        """How long ago, in seconds, the primary had more than the replica has; None if unknown.

        It is known to half a second, or a thousandth of ``max_lag_s``, and not much more than that.
        """
        if replica.position is None or not self._samples:
            return None
        for moment, position in self._samples:
            if position > replica.position:
                return monotonic() - moment
        return 0.0

    def ask(self) -> list[asyncio.Future[Position | None]]:
        """Those who wait for a position of the primary that is read from now on."""
        self.primary_asked.clear()
        asking, self._asking = self._asking, []
        return asking

    def see_primary(
        self,
        position: Position,
        timeline: Timeline,
        before: Mapping[ReadReplica, Position | None],
    ) -> None:
        """Note the position of the primary.

        Args:
            position: what is committed.
            timeline: that of the primary.
            before: what the replicas had replayed before it was asked for.
        """
        now = monotonic()
        self._may_be_another = False
        if timeline != self._timeline:
            if self._timeline is not None:
                self._sampled_from = now + FAILOVER_PAUSE_S
            self._timeline = timeline
            self._samples.clear()
            for replica in self.replicas:
                replica.is_ahead = False
        for replica, replayed in before.items():
            if replayed is not None and replayed > position:
                replica.is_ahead = True
        if now < self._sampled_from:
            return
        if len(self._samples) > 1 and now - self._samples[-2][0] < self._max_lag_s / MAX_SAMPLES:
            # The last one tells little more than that before it.
            self._samples.pop()
        self._samples.append((now, position))
        while len(self._samples) > 1 and self._samples[1][0] <= now - self._max_lag_s:
            self._samples.popleft()

    def lose_primary(self) -> None:
        """Note that the primary was gone, so that another one may take over, or has done so.

        Reads that must see what it has written do not trust a position of a replica, until that of
        the primary is known again.
        """
        self._may_be_another = True

    def see_replica(self, replica: ReadReplica, replayed: Replayed | None) -> None:
        """Note what a replica has replayed; None if it can't be read."""
        replica.position = None if replayed is None else replayed.position
        if replayed is not None and replayed.started_at != replica.started_at:
            # To follow another primary than the one it is ahead of, it must restart.
            replica.started_at, replica.is_ahead = replayed.started_at, False
        if self._waiting and self.is_usable(replica):
            self._waiting = [one for one in self._waiting if not self._hand_over(one, replica)]

    async def _reach(self, wanted: Wanted) -> ReadReplica | None:
        """A replica that has what is wanted; None if there is none in time."""
        try:
            async with asyncio.timeout(POSITION_WAIT_S):
                position = await self._committed() if isinstance(wanted, Freshness) else wanted
                # At the same position, another primary has something else.
                if position is None or (position and self._may_be_another):
                    return None
                return self._ready(position) or await self._wait_for(position)
        except TimeoutError:
            return None

    async def _committed(self) -> Position | None:
        answer: asyncio.Future[Position | None] = asyncio.get_running_loop().create_future()
        self._asking.append(answer)
        self.primary_asked.set()
        try:
            return await answer
        finally:
            # Nobody answers while the primary can't be asked.
            if answer in self._asking:
                self._asking.remove(answer)

    def _ready(self, position: Position) -> ReadReplica | None:
        """The least busy replica that has this already."""
        ready = [
            replica
            for replica in self.replicas
            if self.is_usable(replica) and (replica.position or 0) >= position
        ]

        def load(replica: ReadReplica) -> tuple[int, int]:
            readers = replica.source.readers
            return readers.running + readers.waiting, replica.reads

        return min(ready, key=load, default=None)

    async def _wait_for(self, position: Position) -> ReadReplica:
        found: asyncio.Future[ReadReplica] = asyncio.get_running_loop().create_future()
        one = _Waiting(position, found)
        self._waiting.append(one)
        for replica in self.replicas:
            replica.asked.set()
        try:
            return await found
        finally:
            if one in self._waiting:
                self._waiting.remove(one)

    def _hand_over(self, one: _Waiting, replica: ReadReplica) -> bool:
        """Whether this read waits no more."""
        if not one.found.done():
            position = None if self._may_be_another else replica.position
            if position is None or position < one.position:
                return False
            one.found.set_result(replica)
        return True
