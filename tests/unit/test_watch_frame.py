"""The picture of `lamia-gql watch` in terminals of any size."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.screen import Screen

from lamia_gql.commands.cause_text import make_printable
from lamia_gql.commands.rendering import picture_task, picture_tasks
from lamia_gql.commands.viewport import Viewport
from lamia_gql.commands.watch_frame import WatchFrame

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
STALLED = "2026-11-28T10:00:00Z"
STATES = ("pending", "submitted", "held", "running", "late", "lost", "done", "failed", "terminated")
KEYS = ("up", "down", "page up", "page down", "home", "end")


def make_row(name: str, numbers: list[int], outlook: str, stalled: bool) -> dict[str, Any]:
    """A task or process as an answer has it."""
    counts = dict(zip(STATES, numbers, strict=True))
    return {
        "id": name,
        "name": name,
        "username": "ada",
        "state": "RUNNING",
        "outlook": outlook,
        "startedAt": "2026-11-28T09:00:00Z",
        "finishedAt": None,
        "estimatedFinishAt": None if stalled else "2026-11-28T13:00:00Z",
        "rate": 12.5,
        "stalledSince": STALLED if stalled else None,
        "progress": {"ratio": 0.995},
        "counts": counts,
    }


def make_array(place: int, name: str, row: dict[str, Any]) -> dict[str, Any]:
    """An array as an answer has it, whose indices and causes are as its counts say."""
    counts = row["counts"]
    failures = counts["failed"] + counts["terminated"]
    cause = {"count": failures, "exitCode": 1, "signal": None, "message": "no space" * 20}
    return {
        **row,
        "id": str(place),
        "name": name,
        "failing": ",".join(map(str, range(0, 3 * min(failures, 400), 3))),
        "held": "7" if counts["held"] else "",
        "lost": "5-8" if counts["lost"] else "",
        "causes": [cause | {"hostCount": 1, "hosts": [{"hostname": "n1", "count": failures}]}]
        if failures
        else [],
    }


numbers = st.lists(st.sampled_from([0, 0, 1, 37, 1_000_000]), min_size=9, max_size=9)
names = st.sampled_from(["fill", "夜" * 30, "👩‍🔬" * 20, "merge-of-the-second-night-2026-11-27"])
outlooks = st.sampled_from(["ON_TRACK", "AT_RISK", "CANNOT_SUCCEED"])
rows = st.builds(make_row, names, numbers, outlooks, st.booleans())


@settings(max_examples=50)
@given(
    task=rows,
    processes=st.lists(st.tuples(names, rows), min_size=1, max_size=30),
    columns=st.integers(60, 200),
    height=st.integers(10, 80),
    problem=st.sampled_from(["", "The server can't be reached. Trying again …"]),
    keys=st.lists(st.sampled_from(KEYS), max_size=4),
)
def test_every_size(
    task: dict[str, Any],
    processes: list[tuple[str, dict[str, Any]]],
    columns: int,
    height: int,
    problem: str,
    keys: list[str],
) -> None:
    """Title, headings, at least one row, trouble, what the problem is, and the footer are there."""
    arrays = [make_array(place, *array) for place, array in enumerate(processes)]
    picture = picture_task({**task, "processes": {"nodes": arrays}}, NOW)
    viewport = Viewport()
    viewport.show(picture.table.rows)
    frame = WatchFrame(picture, viewport, problem, "q: quit")
    console = Console(file=StringIO(), width=columns, height=height, color_system=None)
    for key in ["", *keys]:
        viewport.move(key)
        with console.capture() as shown:
            console.print(Screen(frame), end="")
        lines = shown.get().split("\n")
        assert len(lines) == height
        assert all(cell_len(line) <= columns for line in lines)
        assert re.search("  (cannot succeed|at risk|running)", lines[0])
        assert lines[1].startswith("process")
        assert "%" in lines[2]
        assert any(line.startswith("all ") for line in lines[3:])
        assert re.search("process(es)?, trouble first", lines[-1])
        assert problem in lines[-2]
        if picture.trouble:
            words = ("unsuccessful ", "held ", "lost ", "stalled ")
            assert any(line.startswith(words) for line in lines[3:-1])
    worst = {"CANNOT_SUCCEED": 0, "AT_RISK": 1, "ON_TRACK": 2}
    ranks = [worst[row["outlook"]] for row in picture.table.rows]
    assert ranks == sorted(ranks)


def test_emoji_stay_whole() -> None:
    """Of what is invisible, only the joiners in an emoji reach the terminal."""
    assert make_printable("👩‍🔬 🏳️‍🌈 night") == "👩‍🔬 🏳️‍🌈 night"
    assert make_printable("a\u200db \x1b[2J 👩\u200d\n") == "a b  [2J 👩  "


def test_rows_stay_where_they_are() -> None:
    """Whoever has scrolled sees the same rows when others come before them, or go."""
    viewport = Viewport()
    viewport.show([{"id": str(number)} for number in range(50)])
    assert viewport.fit(10) == slice(0, 10)
    viewport.move("page down")
    assert viewport.fit(10) == slice(10, 20)
    viewport.show([{"id": "new"}, *({"id": str(number)} for number in range(50))])
    assert viewport.fit(10) == slice(11, 21)
    viewport.show([{"id": str(number)} for number in range(50) if number != 10])
    assert viewport.fit(10) == slice(10, 20)
    viewport.move("end")
    assert viewport.fit(10) == slice(39, 49)
    # In a larger terminal more is shown, and what has gone leaves no gap.
    assert viewport.fit(30) == slice(19, 49)
    viewport.show([{"id": "0"}])
    assert viewport.fit(30) == slice(0, 30)


@pytest.mark.parametrize(
    ("shown", "total", "is_exact", "summary"),
    [
        (1, 1, True, "1 task, newest first"),
        (1_200, 1_200, True, "1,200 tasks, newest first"),
        (1_200, 3_000, True, "1,200 of 3,000 tasks, newest first"),
        (2, 2, False, "2 of 2+ tasks, newest first"),
        (0, 0, True, "none"),
    ],
)
def test_how_many_there_are(shown: int, total: int, is_exact: bool, summary: str) -> None:
    """Those that are shown are only called all if it is known that there are no others."""
    row = make_row("t", [0] * 9, "ON_TRACK", stalled=False)
    page = {"nodes": [row] * shown, "totalCount": total, "isTotalCountExact": is_exact}
    assert picture_tasks(page, NOW, order="newest first", none="none").summary == summary
