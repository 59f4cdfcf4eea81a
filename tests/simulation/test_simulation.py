"""Seeds of the simulator: some that are always the same, and some that nobody has tried."""

from __future__ import annotations

import os
import time

import pytest

from tests.simulation.behaviours import Behaviour
from tests.simulation.history import make
from tests.simulation.mutants.__main__ import Mutant, is_found, mutants
from tests.simulation.seeds import Runner
from tests.simulation.steps import show

ENGINES = ("sqlite", "postgresql")
NEW_SEEDS_S = 30.0
"""How long new seeds are run, on each engine."""


@pytest.mark.parametrize(
    ("engine", "seeds"),
    [
        ("sqlite", range(1, 11)),
        pytest.param("sqlite", range(11, 21), marks=pytest.mark.slow),
        ("postgresql", range(1, 5)),
        pytest.param("postgresql", range(5, 9), marks=pytest.mark.slow),
    ],
)
def test_fixed_seeds(engine: str, seeds: range) -> None:
    """No history of these violates a property."""
    with Runner(engine) as runner:
        for seed in seeds:
            failure = runner.try_seed(seed)
            assert failure is None, runner.explain(failure)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
def test_new_seeds(engine: str) -> None:
    """Nor does any that nobody has seen; what fails says how it is replayed."""
    # CI runs the same seeds for everybody, as it runs the same examples of Hypothesis.
    seed = 1_000_000 if "CI" in os.environ else time.time_ns() // 1_000
    deadline = time.monotonic() + NEW_SEEDS_S
    with Runner(engine) as runner:
        while time.monotonic() < deadline:
            seed += 1
            failure = runner.try_seed(seed)
            assert failure is None, runner.explain(failure)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("mutant", mutants([]), ids=lambda mutant: mutant.patch.stem)
def test_mended_faults_would_be_found(mutant: Mutant) -> None:
    """Each fault that the simulator can express is found once it is brought back."""
    why_not = is_found(mutant)
    assert why_not is None, why_not


def test_a_seed_is_a_history() -> None:
    """The same seed gives the same steps; another seed, or fewer behaviours, give others."""
    shown = list(show(make(7, "sqlite")))
    assert shown == list(show(make(7, "sqlite")))
    assert shown != list(show(make(8, "sqlite")))
    without = "\n".join(show(make(7, "sqlite", [Behaviour.RESEND])))
    assert "under" not in without
    assert "Walk" not in without
