"""Measures lines of the table, prints it, and writes ``bench/RESULTS.md``.

Lines that are not measured keep the results that are there. Lines 11, 12 and 17 fill databases with
millions of events when they run for the first time: that takes some twenty minutes and 25 GB.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench.environment import FULL, QUICK, cache_folder, environment
from bench.lines import LINES
from bench.machine import describe, now
from bench.table import parse, render

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = """# Results of the benchmark

`make bench` writes this page; [performance](../docs/performance.md#how-to-measure) describes how it
measures. "Before" is what was measured before queries and events were compiled. Where two values
are compared, "measured" has the medians of both, and "now" the median of their ratios.

The latest run:

"""


def main() -> None:
    """Measure the lines that the command names, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("lines", metavar="LINE", nargs="*", type=int, help="the number of a line")
    parser.add_argument(
        "--quick", action="store_true", help="only see that it works; RESULTS.md is not written"
    )
    options = parser.parse_args()
    numbers: list[int] = options.lines or list(LINES)
    if unknown := set(numbers) - set(LINES):
        parser.error(f"there is no line {min(unknown)}")
    print(f"The databases are in {cache_folder()}.", flush=True)
    measured: dict[int, list[str] | tuple[str, ...]] = {}
    with environment(QUICK if options.quick else FULL) as where:
        machine = describe(where.postgresql)
        if not options.quick and RESULTS.exists():
            measured.update(parse(RESULTS.read_text()))
        for number in numbers:
            begin = time.perf_counter()
            result = LINES[number].measure(where)
            measured[number] = LINES[number].cells(number, result, now())
            took = time.perf_counter() - begin
            print(f"{number}: {measured[number][3]} ({result.details}), {took:.0f} s", flush=True)
            if not options.quick:
                RESULTS.write_text(f"{HEAD}{machine}\n{render(LINES, measured)}")
    print(f"\n{machine}\n{render(LINES, measured)}")


if __name__ == "__main__":
    main()
