"""The table of the benchmark: what is reached, and that lines which were not measured remain."""

from __future__ import annotations

from bench.environment import Environment
from bench.lines import LINES
from bench.table import HEAD, Goal, Line, Measured, parse, render


def not_measured(_environment: Environment) -> Measured:
    """Stands for a measurement."""
    raise AssertionError


ONE = Line("the one", "12", (Goal("≤", 0.8),), not_measured)
TWO = Line("the other", "0.3 / ?", (Goal("≥", 0.6), Goal("≤", 40, " ms")), not_measured)
BOTH = {1: ONE, 2: TWO}


def test_each_goal_is_reached_or_not() -> None:
    """One word where all goals agree, else one for each."""
    assert ONE.cells(1, Measured((0.8,), "4 ms, 5 ms"), "today") == (
        *("1", "the one", "12", "0.80", "≤ 0.8", "yes", "4 ms, 5 ms", "today"),
    )
    assert TWO.cells(2, Measured((0.59, 39.9), ""), "")[3:6] == (
        *("0.59 / 39.9 ms", "≥ 0.6 / ≤ 40 ms", "no / yes"),
    )
    assert TWO.cells(2, Measured((0.59, 1234.5), ""), "")[3:6:2] == ("0.59 / 1,234 ms", "no")


def test_a_run_of_some_lines_keeps_the_results_of_the_others() -> None:
    """The page is its own memory: a row is read back as it was written."""
    first = {number: line.cells(number, _result(line, 1.0), "1st") for number, line in BOTH.items()}
    page = f"# Results\n\n- a list\n\n{render(BOTH, first)}"
    rows: dict[int, list[str] | tuple[str, ...]] = {**parse(page)}
    assert {number: tuple(row) for number, row in rows.items()} == first

    rows[2] = TWO.cells(2, _result(TWO, 2.0), "2nd")
    found = parse(render(BOTH, rows))
    assert tuple(found[1]) == first[1]
    assert found[2][3] == "2.00 / 2.00 ms"
    assert found[2][-1] == "2nd"


def test_a_line_without_a_result_is_shown_with_its_goal() -> None:
    """The table always has all lines."""
    found = parse(render(BOTH, {}))
    assert found[1] == ["1", "the one", "12", "?", "≤ 0.8", "?", "?", "?"]


def test_lines_are_numbered_as_in_the_results() -> None:
    """No cell of a line breaks the table."""
    assert list(LINES) == list(range(1, 18))
    rows = {n: line.cells(n, _result(line, 1.0), "today") for n, line in LINES.items()}
    found = parse(render(LINES, rows))
    assert [len(row) for row in found.values()] == [len(HEAD)] * 17


def _result(line: Line, figure: float) -> Measured:
    return Measured((figure,) * len(line.goals), "details; more")
