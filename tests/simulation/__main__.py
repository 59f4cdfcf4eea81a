"""``python -m tests.simulation``: run seeds, or replay one."""

from __future__ import annotations

import argparse
import sys

from tests.simulation.behaviours import Behaviour
from tests.simulation.seeds import Runner, one_of


def main() -> None:
    """Run the command line; exits 1 where a property was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--seeds", type=int, default=100, help="how many; 100 unless said")
    parser.add_argument("--first", type=int, default=1, help="the first seed; 1 unless said")
    parser.add_argument("--step", type=int, default=1, help="from one seed to the next")
    parser.add_argument("--only", nargs="*", type=one_of, help="these behaviours and faults only")
    parser.add_argument("--without", nargs="*", type=one_of, default=[], help="not these")
    parser.add_argument("--go-on", action="store_true", help="after a violation, too")
    parser.add_argument("--no-shrink", action="store_true", help="show a failing history as it is")
    parser.add_argument("--list", action="store_true", help="list the behaviours and faults")
    chosen = parser.parse_args()
    if chosen.list:
        from tests.simulation.faults import Fault

        for each in (*Behaviour, *Fault):
            print(f"{each.name:20} {each.value}")
        return
    last = chosen.first + chosen.seeds * chosen.step
    seeds = range(chosen.first, last, chosen.step) if chosen.seed is None else [chosen.seed]
    with Runner(chosen.engine, chosen.only, chosen.without) as runner:
        found = runner.run(
            seeds,
            is_replay=chosen.seed is not None,
            go_on=chosen.go_on,
            shrink=not chosen.no_shrink,
        )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
