"""HTCondor's job event logs as the source of a follower."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamia_gql.adapters.condor.followed_log import FollowedLog
from lamia_gql.adapters.condor.job_target import JobTarget
from lamia_gql.adapters.source import PORTION_EVENTS, Portion, SourceError
from lamia_gql.client.event import Event


class CondorLogs:
    """Several logs: of users, or of whole access points.

    Args:
        paths: the logs. Those that do not exist yet are waited for.
        target: which jobs their jobs are.
    """

    interval_s = 1.0

    def __init__(self, paths: Sequence[Path], target: JobTarget) -> None:
        self._logs = {str(path.absolute()): FollowedLog(path, target) for path in paths}
        self._target = target
        self._place: Any = None
        self._opened: set[str] = set()
        self._missing: dict[str, str] = {}
        """By log: why it can't be read."""

    @property
    def key(self) -> str:
        """The logs, and which jobs they are about."""
        clusters = sorted(self._target.clusters)
        target = self._target._replace(clusters=frozenset())
        return f"condor {json.dumps([sorted(self._logs), *target[:3], clusters])}"

    def read(self, place: Any) -> Portion:
        """Return the next events of the logs. Raises :class:`SourceError` if none can be read."""
        if place is not self._place:
            self._opened.clear()
        places: dict[str, Any] = dict(place or {})
        events: list[Event] = []
        problems: list[str] = []
        is_last = True
        share = PORTION_EVENTS // len(self._logs) + 1
        for name, log in self._logs.items():
            try:
                if name not in self._opened:
                    log.open(places.get(name))
                    self._opened.add(name)
                is_last = log.read(events, len(events) + share) and is_last
            except OSError as error:
                self._opened.discard(name)
                text = f"{name} can't be read: {error.strerror or error}."
                if name not in self._missing and len(self._logs) > 1:
                    problems.append(text)
                self._missing[name] = text
            else:
                self._missing.pop(name, None)
                places[name] = log.place()
                problems += log.take_problems()
        if len(self._missing) == len(self._logs):
            raise SourceError(" ".join(self._missing.values()))
        self._place = places
        return Portion(events, places, is_last, tuple(problems))

    def close(self) -> None:
        """Close the logs."""
        for log in self._logs.values():
            log.close()
