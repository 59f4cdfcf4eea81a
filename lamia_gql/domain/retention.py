"""How long tasks and BEATs are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple, Self

from lamia_gql.domain.progress import FINISHED, State
from lamia_gql.domain.retention_settings import RetentionSettings


class Retention(NamedTuple):
    """The policy of the settings. None means for ever."""

    states: Mapping[State, timedelta | None]
    """By the state of the task, how long it is kept after its last event."""
    tags: Mapping[str, timedelta]
    """Likewise, by its tags."""
    beats: timedelta | None
    """How long BEATs are kept after they were received."""

    @classmethod
    def of(cls, settings: RetentionSettings) -> Self:
        """The policy that the settings describe."""
        unfinished = _days(settings.retention_unfinished_days)
        states = dict.fromkeys(State, unfinished) | {
            State.SUCCEEDED: _days(settings.retention_succeeded_days),
            State.FAILED: _days(settings.retention_failed_days),
        }
        tags = {name: timedelta(days=days) for name, days in settings.retention_tags.items()}
        return cls(states, tags, _days(settings.beat_retention_days))

    def of_task(self, state: State, tags: Iterable[str]) -> timedelta | None:
        """How long a task is kept after its last event.

        What its tags say, the longest of it, takes the place of what its state says. But a task
        that has not finished is never removed because of a tag.
        """
        of_state = self.states[state]
        of_tags = max((self.tags[tag] for tag in tags if tag in self.tags), default=None)
        if of_tags is None:
            return of_state
        if state in FINISHED:
            return of_tags
        return None if of_state is None else max(of_state, of_tags)

    @property
    def removes_anything(self) -> bool:
        """Whether anything is ever removed."""
        return self.shortest is not None or self.beats is not None

    @property
    def shortest(self) -> timedelta | None:
        """The shortest time for which a task may be kept; None if no task is removed."""
        return min((*self._of_states(), *self.tags.values()), default=None)

    @property
    def longest(self) -> timedelta | None:
        """The longest time for which a task is kept because of its state, or else of its tags."""
        return max(self._of_states() or self.tags.values(), default=None)

    def _of_states(self) -> list[timedelta]:
        return [time for time in self.states.values() if time is not None]


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
