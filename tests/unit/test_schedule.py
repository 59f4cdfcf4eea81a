"""When the jobs of a recorded execution start, where that was not recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.commands.schedule import UnorderedError, replay_times


@st.composite
def executions(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, float]]:
    """Jobs that wait for earlier ones, and how long they ran."""
    names = [f"j{number}" for number in range(draw(st.integers(1, 12)))]
    parents = {
        name: draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }
    return parents, {name: draw(st.floats(0, 1000)) for name in names}


@given(executions(), st.floats(0, 10))
def test_the_makespan_is_kept(
    execution: tuple[dict[str, list[str]], dict[str, float]], delay: float
) -> None:
    """The last job ends at the makespan if there are jobs to delay, and none before its parents."""
    parents, runtimes = execution
    at_once = replay_times(parents, runtimes, {}, None)
    shortest = max(at_once[job].start + runtimes[job] for job in parents)
    makespan = shortest * (1 + delay)
    times = replay_times(parents, runtimes, {}, makespan)
    end = max(times[job].start + runtimes[job] for job in parents)
    assert end == pytest.approx(makespan if len(parents) > 1 else shortest, abs=1e-6)
    for job, found in parents.items():
        assert times[job].start >= times[job].ready
        for parent in found:
            assert times[job].ready >= times[parent].start + runtimes[parent]


def test_jobs_that_wait_for_nothing_real() -> None:
    """A cycle, and a parent that is not there, are refused."""
    with pytest.raises(UnorderedError, match="cycle"):
        replay_times({"a": ["b"], "b": ["a"]}, {"a": 1, "b": 1}, {}, None)
    with pytest.raises(UnorderedError, match="waits for c"):
        replay_times({"a": ["c"]}, {"a": 1}, {}, None)
