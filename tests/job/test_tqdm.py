"""The class that takes the place of tqdm, beside the real one."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client import Job, progress_counter
from lamia_gql.client.tqdm import tqdm, trange
from tests.support.job_side import ROOT, FaultyServer, job_environment

REAL: Any = importlib.import_module("tqdm")
FOR_SCREENS = {
    *("format_interval", "format_meter", "format_num", "format_sizeof", "moveto", "sp"),
    *("status_printer", "get_lock", "set_lock", "monitor", "monitor_interval", "pandas"),
    *("wrapattr", "ascii", "bar_format", "colour", "delay", "dynamic_miniters", "dynamic_ncols"),
    *("fp", "gui", "last_print_n", "last_print_t", "lock_args", "maxinterval", "mininterval"),
    *("miniters", "ncols", "nrows", "smoothing", "start_t", "unit_divisor", "unit_scale"),
    "postfix",
}
"""What the real one has for its screen, its speed, and other libraries."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A server that takes all events; each step of a bar is reported."""
    monkeypatch.setattr(
        progress_counter.ProgressCounter.__init__,
        "__kwdefaults__",
        {"is_count": False, "interval": 0.0},
    )
    with FaultyServer("good") as one:
        yield one


@pytest.fixture
def job(server: FaultyServer, tmp_path: Path) -> Iterator[Job]:
    """A job of the server."""
    made = Job(environ=job_environment(server.url, tmp_path))
    yield made
    made.close()


def told(server: FaultyServer) -> list[float]:
    """The progress that a server has got."""
    return [
        event["progress"]
        for _headers, batch in server.requests
        for event in batch
        if event["eventClass"] == "PROGRESS"
    ]


def use_as_loop(bar: Callable[..., Any]) -> list[Any]:
    """Iterate over a bar."""
    made = bar("abc", "letters", leave=False, ncols=80)
    return [list(made), made.n, made.total, len(made), bool(made), "b" in made]


def use_by_hand(bar: Callable[..., Any]) -> list[Any]:
    """Count, change and close a bar."""
    with bar(total=10, initial=2, unit="B", postfix={"loss": 1}) as made:
        made.update()
        made.update(2.5)
        made.n += 1
        made.refresh()
        made.set_description("words")
        made.set_postfix({"a": 1}, b=2)
        made.set_postfix_str("c")
        made.display()
        made.clear()
        made.unpause()
        seen = [made.n, made.total, made.initial, made.unit]
        made.reset(total=3)
        seen += [made.n, made.total]
    made.close()
    return seen


def use_without_a_length(bar: Callable[..., Any]) -> list[Any]:
    """Iterate over what has no length, and over nothing."""
    made = bar(iter("ab"))
    seen = [list(made), made.n, made.total, list(bar([])), bool(bar([], disable=True))]
    with pytest.raises(TypeError, match="bool"):
        bool(bar())
    return seen


@pytest.mark.parametrize("use", [use_as_loop, use_by_hand, use_without_a_length])
def test_it_does_what_tqdm_does(job: Job, use: Callable[[Callable[..., Any]], list[Any]]) -> None:
    """Loops, counters and attributes are the same."""

    def ours(*arguments: Any, **options: Any) -> Any:
        return tqdm(*arguments, job=job, **options)

    assert use(ours) == use(REAL.tqdm)


def test_it_has_what_tqdm_has(job: Job) -> None:
    """All arguments are taken, and all methods are there but those for a screen."""
    real = inspect.signature(REAL.tqdm.__init__).parameters
    options: dict[str, Any] = dict.fromkeys(real.keys() - {"self", "iterable", "kwargs"})
    made = tqdm([1], job=job, **options)
    there = {name for name in dir(REAL.tqdm([1])) if not name.startswith("_")}
    assert there - {name for name in dir(made) if not name.startswith("_")} == FOR_SCREENS


def test_only_the_outermost_bar_reports(server: FaultyServer, job: Job) -> None:
    """The progress is that of the outer loop, with its description; then that of the next loop."""
    for outer in trange(2, desc="outer", job=job):
        for _ in tqdm("ab", job=job):
            pass
        assert outer in (0, 1)
    disabled: tqdm[int]
    bar: tqdm[int]
    with tqdm(total=4, job=job, disable=True) as disabled:
        disabled.update(3)
    with tqdm(total=4, job=job, is_count=True) as bar:
        bar.set_postfix(loss=0.5)
        bar.update(3)
    job.close()
    assert told(server) == [50, 100, 0, 3]
    payloads = [event.get("payload") for _headers, batch in server.requests for event in batch]
    assert payloads == [{"description": "outer"}, {"description": "outer"}, *[{"loss": 0.5}] * 2]


def test_a_bar_that_nobody_closes(server: FaultyServer, job: Job) -> None:
    """Once it is gone, the next one is the outermost."""
    bar: tqdm[int] = tqdm(total=2, job=job)
    bar.update()
    del bar
    for item in tqdm("abc", job=job):
        if item == "b":
            break
    assert list(tqdm("x", job=job)) == ["x"]
    job.close()
    assert told(server) == [50, 33.333, 100]


def test_a_program_only_changes_its_import(tmp_path: Path) -> None:
    """The environment tells which job it is; what the program prints stays."""
    source = """
from lamia_gql.client.tqdm import tqdm, trange
for number in trange(2, 8, 2):
    tqdm.write(f"at {number}")
    with tqdm.external_write_mode():
        print("here")
"""
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path)
        done = subprocess.run(
            [sys.executable, "-c", source], env=environ, cwd=ROOT, capture_output=True, check=True
        )
        assert done.stdout == b"at 2\nhere\nat 4\nhere\nat 6\nhere\n"
        assert (done.stderr, told(server)) == (b"", [100])
