"""The tasks of several people, some in trouble, for pictures of many tasks."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.harness import Server

KINDS = ("skim", "fit", "toys", "calibration", "unfolding", "alignment")
PEOPLE = {"ada": ["physics"], "emmy": ["prod", "2026B"], "grace": ["run-7"], "lise": []}
CAUSES: tuple[dict[str, Any], ...] = (
    {"message": "std::bad_alloc", "exitCode": 134, "signal": "SIGABRT"},
    {"message": "No space left on device: /scratch/ntuple.root", "exitCode": 74},
    {"message": "no convergence after 90 steps", "exitCode": 1},
)
TASKS = 35
TROUBLED = {4: 9, 11: 2, 17: 1, 23: 6, 28: 0}
"""How many jobs failed of those that have failures, or for 0 are silent."""


def create_crowd(server: Server) -> None:
    """Create tasks with jobs in all states, the latest a few minutes old."""
    chance = random.Random(5)
    now = datetime.now(UTC)
    for number in range(TASKS):
        name = f"{KINDS[number % len(KINDS)]}-{number + 1:02}"
        user = chance.choice(sorted(PEOPLE))
        jobs = chance.choice((40, 120, 200, 500))
        server.create(
            name,
            {"name": "run", "jobCount": jobs, "failureTolerance": 4, "beatInterval": 120},
            username=user,
            tags=PEOPLE[user],
            submittedAt=(now - timedelta(minutes=20 * (TASKS - number))).isoformat(),
        )
        events = _events(name, jobs, number, chance, now)
        assert all(result["userErrors"] == [] for result in server.submit_many(events))


def _events(
    name: str, jobs: int, number: int, chance: random.Random, now: datetime
) -> list[dict[str, Any]]:
    done = jobs if number % 4 == 1 else chance.randrange(jobs // 10, jobs - 30)
    failed = TROUBLED.get(number, 0)
    silent = TROUBLED.get(number) == 0
    events: list[dict[str, Any]] = []
    for index in range(min(jobs, done + failed + 15)):
        host = f"node{chance.randrange(1, 33):02}.example.org"
        event = {"task": name, "process": "run", "index": index, "hostname": host}
        begin = now - timedelta(minutes=chance.uniform(12, 90) if silent else 1)
        events.append(event | {"eventClass": "STARTED", "sentAt": begin.isoformat()})
        if index < failed:
            events.append(event | {"eventClass": "FAILED"} | CAUSES[number % len(CAUSES)])
        elif index < done:
            events.append(event | {"eventClass": "DONE"})
    return events
