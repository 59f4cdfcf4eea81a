"""A job's state is a function of the set of its events, and of nothing else."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.lifecycle import (
    EMPTY,
    ENDED,
    EventClass,
    JobState,
    Occurrence,
    Summary,
    add,
    event_time,
    is_needed,
    summarise,
)
from tests.support.strategies import NOON, job_histories


def summary_of(*story: str) -> Summary:
    """The summary of events in a line: ``"STARTED@1 PROGRESS@2=40 DONE@3#1"`` (minute, attempt)."""
    events = []
    for place, word in enumerate(" ".join(story).split()):
        word, _, attempt = word.partition("#")
        word, _, value = word.partition("=")
        kind, _, minute = word.partition("@")
        time = NOON + timedelta(minutes=float(minute or place))
        progress = float(value) if value else None
        events.append(
            Occurrence(f"{place:032d}", EventClass(kind), time, int(attempt or 0), progress)
        )
    return summarise(events)


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ("", "PENDING"),
        ("SUBMITTED", "SUBMITTED"),
        ("SUBMITTED STARTED", "RUNNING"),
        ("STARTED@1 SUBMITTED@2", "SUBMITTED"),  # it is queued once more
        ("STARTED@1 SUBMITTED@1", "RUNNING"),
        ("BEAT", "RUNNING"),
        ("READY", "RUNNING"),
        ("PROGRESS=1", "RUNNING"),
        ("DONE", "DONE"),
        ("FAILED", "FAILED"),
        ("TERMINATED", "TERMINATED"),
        ("SUBMITTED@0 BEAT@5", "RUNNING"),  # the STARTED was lost
        ("STARTED@1 DONE@2 BEAT@3", "DONE"),  # a straggler changes nothing
        ("STARTED@1 DONE@2 PROGRESS@3=5", "DONE"),
        ("STARTED@1 DONE@1", "DONE"),  # a clock without seconds
        ("STARTED@1 FAILED@2 STARTED@3", "RUNNING"),  # a retry reopens it
        ("STARTED@1 FAILED@2 SUBMITTED@3", "SUBMITTED"),
        ("STARTED@1 FAILED@2 STARTED@3 DONE@4", "DONE"),
        ("STARTED@1 FAILED@2 DONE@3", "DONE"),  # the later end counts
        ("DONE@3 FAILED@2", "DONE"),
        ("FAILED@9#0 STARTED@1#1", "RUNNING"),  # attempts come before clocks
        ("DONE@1#1 STARTED@9#0", "DONE"),
        ("HELD", "HELD"),
        ("SUBMITTED@1 HELD@2", "HELD"),
        ("STARTED@1 HELD@2 BEAT@3", "HELD"),  # a straggler: it was suspended
        ("STARTED@1 FAILED@2 HELD@3", "HELD"),  # the batch system holds what has failed
        ("SUBMITTED@1 HELD@2 SUBMITTED@3", "SUBMITTED"),
        ("SUBMITTED@1 HELD@2 STARTED@3", "RUNNING"),
        ("HELD@2 TERMINATED@3", "TERMINATED"),
        ("HELD@2 TERMINATED@2", "TERMINATED"),
        ("STARTED@1#1 HELD@2#0", "RUNNING"),
    ],
)
def test_state(story: str, state: str) -> None:
    """Each rule of the state, by an example."""
    assert summary_of(story).state == JobState(state)


@pytest.mark.parametrize(
    ("story", "progress"),
    [
        ("STARTED", None),
        ("PROGRESS=5", 5),
        ("STARTED@1 PROGRESS@2=40 PROGRESS@3=30", 30),  # the latest, not the largest
        ("STARTED@1 PROGRESS@3=30 PROGRESS@2=40", 30),
        ("STARTED@1 PROGRESS@2=40 STARTED@3", None),  # a restart forgets it
        ("STARTED@1 PROGRESS@2=40 STARTED@3 PROGRESS@4=1", 1),
        ("PROGRESS@1=40 STARTED@1", 40),
        ("PROGRESS@1=40#1 STARTED@9#0", 40),
        ("STARTED@1 PROGRESS@2=40 DONE@3", 40),
        ("BEAT=7", 7),  # an event of any class carries it
        ("STARTED=7", 7),
        ("STARTED@1 PROGRESS@2=40 DONE@3=100", 100),
        ("STARTED@1 DONE@3=100 PROGRESS@2=40", 100),
        ("STARTED@1 FAILED@2=60 STARTED@3", None),
        ("PROGRESS@1=4 PROGRESS@2", 4),
    ],
)
def test_progress(story: str, progress: float | None) -> None:
    """The latest number since the latest start."""
    assert summary_of(story).progress == progress


def test_start_and_end_of_a_job() -> None:
    """A job has the start of its latest attempt, and an end only while it has ended."""
    life = summary_of("STARTED@1 FAILED@2")
    assert (life.started_at, life.finished_at) == (
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=2),
    )
    again = summary_of("STARTED@1 FAILED@2 STARTED@3")
    assert again.started_at == NOON + timedelta(minutes=3)
    assert again.finished_at is None
    assert again.starts == 2


def test_client_clock_far_ahead_is_ignored() -> None:
    """A client's time is used unless it is too far ahead of the server's."""
    spooled = NOON - timedelta(days=40)
    assert event_time(spooled, NOON) == spooled
    assert event_time(NOON + timedelta(minutes=5), NOON) == NOON + timedelta(minutes=5)
    assert event_time(NOON + timedelta(minutes=5, seconds=1), NOON) == NOON
    assert event_time(None, NOON) == NOON


@given(job_histories, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(life: list[Occurrence], chance: random.Random) -> None:
    """Any order and any replay of the same events gives the same summary."""
    replayed = life + chance.choices(life, k=len(life)) if life else []
    chance.shuffle(replayed)
    assert summarise(replayed) == summarise(life)


@given(job_histories, st.randoms(use_true_random=False))
def test_splitting_does_not_matter(life: list[Occurrence], chance: random.Random) -> None:
    """Adding events one by one gives the same summary as all at once."""
    known = summarise(life[: len(life) // 2])
    rest = life[len(life) // 2 :]
    chance.shuffle(rest)
    for event in rest:
        known = add(known, event)
    assert known == summarise(life)


@given(job_histories)
def test_state_agrees_with_the_events(life: list[Occurrence]) -> None:
    """A job is ended only by an end event, and PENDING only without events."""
    summary = summarise(life)
    classes = {event.event_class for event in life}
    assert (summary == EMPTY) == (not life)
    assert summary.events == len(life)
    if summary.state in ENDED:
        assert EventClass(summary.state) in classes
        assert summary.finished_at is not None
    if summary.progress is not None:
        assert summary.progress in {event.progress for event in life}
    assert summary.reported == any(event.progress for event in life)
    if summary.state is JobState.HELD:
        assert EventClass.HELD in classes
    if classes <= {EventClass.SUBMITTED, EventClass.STARTED} and life:
        assert summary.state in {JobState.SUBMITTED, JobState.RUNNING}


@given(job_histories)
def test_facts_do_not_depend_on_thinned_beats(events: list[Occurrence]) -> None:
    """Without all BEATs that are not needed, everything but the number of events is the same."""
    summary = summarise(events)
    kept = [event for event in events if is_needed(summary, event)]
    assert summarise(kept) == summary._replace(events=len(kept))
    assert {event.event_class for event in events if event not in kept} <= {EventClass.BEAT}


def test_most_beats_are_not_needed() -> None:
    """Of a long run, the last BEAT remains; where more came after it, none does."""
    beats = [Occurrence(f"{n:032d}", EventClass.BEAT, NOON + timedelta(n)) for n in range(1, 9)]
    begin = Occurrence("0" * 32, EventClass.STARTED, NOON)
    end = Occurrence("f" * 32, EventClass.DONE, NOON + timedelta(9))
    for story, left in ([begin, *beats], 2), ([begin, *beats, end], 3):
        summary = summarise(story)
        assert len([event for event in story if is_needed(summary, event)]) == left
    late = Occurrence("f" * 32, EventClass.PROGRESS, NOON + timedelta(9), progress=1.0)
    summary = summarise([begin, *beats, late])
    assert [event for event in beats if is_needed(summary, event)] == []
