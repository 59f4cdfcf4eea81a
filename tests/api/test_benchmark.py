"""The benchmark runs, on both engines, to its end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from bench.table import parse
from lamia_gql.domain.access import Role
from tests.support.credentials import SECRET, Credentials
from tests.support.harness import StartServer
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "RESULTS.md"
SOME = [3, 7, 10, 16, 17]
"""Quick ones on both engines, and one that fills a database with ranges; lines 1 and 2 need
PostGraphile, which comes from npm."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_quick_run_measures_lines_and_keeps_the_results() -> None:
    """It prints what it measured, and writes nothing."""
    before = RESULTS.read_text()
    told = run("-m", "bench", "--quick", *map(str, SOME))
    found = parse(told)
    assert [number for number, row in found.items() if row[3] != "?"] == SOME
    assert RESULTS.read_text() == before


@pytest.mark.slow
def test_what_an_event_costs_is_measured() -> None:
    """It is what server and PostgreSQL have taken while a fleet reported."""
    small = "--jobs 40 --tasks 2 --beat 1 --duration 3 --viewers 0 --followers 1"
    told = run("-m", "bench.costs", *small.split())
    [costs] = re.findall(r"CPU time for an event: server ([\d,]+) µs, PostgreSQL ([\d,]+) µs", told)
    assert all(int(cost.replace(",", "")) > 10 for cost in costs)


def run(*arguments: str) -> str:
    """What a command of the benchmark prints."""
    # Not below pytest's own folder: PostgreSQL runs as a user that may not enter there.
    with tempfile.TemporaryDirectory(prefix="lamia-bench-") as folder:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | {"XDG_CACHE_HOME": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_fleet_loses_nothing(start_server: StartServer, postgres_url: str) -> None:
    """One of two servers is killed: nothing is lost, and who follows it goes on with the other."""
    credentials = Credentials(postgres_url)
    token = credentials.token("fleet", Role.ADMIN)
    credentials.close()
    servers = [start_server(postgres_url, secret_keys=SECRET) for _ in range(2)]
    options = "--jobs 200 --tasks 4 --beat 1 --run 2 --duration 6 --batch 20 --connections 4"
    command = [sys.executable, "-m", "bench.fleet", *(server.url for server in servers)]
    command += [*options.split(), "--viewers=4", "--followers=4", f"--database={postgres_url}"]
    environment = os.environ | {"LAMIA_TOKEN": token}

    def reports() -> bool:
        """Whether the last task has events."""
        with psycopg.connect(postgres_url) as connection:
            found = (
                "SELECT FROM event JOIN task ON task.id = task_id WHERE name = 'fleet-3' LIMIT 1"
            )
            return connection.execute(found).fetchone() is not None

    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as fleet:
        until(reports, "the fleet sends no events", 30)
        servers[0].kill()
        told, _ = fleet.communicate(timeout=60)
    assert fleet.returncode == 0, told
    found = dict(line.split(": ", 1) for line in told.splitlines())
    assert found["acknowledged events that are missing"] == "0"
    assert found["events that followers missed"] == found["events that followers got again"] == "0"
    assert found["requests that failed"] != "0"
    assert int(found["subscriptions begun anew"]) >= 2
    assert all(
        int(size) > 0 for size in re.findall(r"\d+", found["bytes in the database for an event"])
    )
