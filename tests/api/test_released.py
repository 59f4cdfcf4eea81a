"""This version is compatible with the last release, as far as docs/compatibility.md promises."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
from graphql import GraphQLSchema, build_schema, find_breaking_changes

from lamia_gql.domain.settings import Settings
from lamia_gql.rest.routes import OPERATIONS
from tests.support import rest_walk
from tests.support.harness import Server
from tests.support.job_side import job_environment, run_lamia_job, spooled_events

ROOT = Path(__file__).parents[2]
RELEASED = ROOT / "tests" / "released"


def test_operations_of_clients_stay_valid(schema: GraphQLSchema) -> None:
    """No type, field, argument or value is gone or has another type."""
    released = build_schema((RELEASED / "schema.graphql").read_text())
    changes = find_breaking_changes(released, schema)
    assert [change.description for change in changes] == []


def test_breaking_changes_are_found(schema: GraphQLSchema) -> None:
    """The check above sees a field that is gone, and one that has become null."""
    text = (RELEASED / "schema.graphql").read_text()
    for now, before in (
        ("type Server {", "type Server {\n  gone: Int"),
        ("comment: String\n", "comment: String!\n"),
    ):
        assert now in text
        assert find_breaking_changes(build_schema(text.replace(now, before)), schema) != []


def test_settings_keep_their_names() -> None:
    """A file of settings of the release is read by this version."""
    released = (RELEASED / "settings.txt").read_text().split()
    assert "database_url" in released
    assert set(released) <= set(Settings.model_fields)


def walk(server: Server) -> list[dict[str, Any]]:
    """What this version answers to the requests of the released walk, in their order."""
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        return [rest_walk.answer(client, step) for step in rest_walk.load_released()["steps"]]


def test_clients_of_rest_go_on(server: Server) -> None:
    """Addresses, methods, statuses, keys, values and codes are those of the release, or more."""
    released = rest_walk.load_released()
    assert set(released["operations"]) <= set(OPERATIONS)
    changes = [
        f"{step['method']} {step['path']}: {change}"
        for step, found in zip(released["steps"], walk(server), strict=True)
        for change in rest_walk.differences(
            {key: step[key] for key in ("status", "answer", "headers")}, found
        )
    ]
    assert changes == []


def test_breaking_changes_of_rest_are_found() -> None:
    """The check above sees what is gone or has changed, and not what is new."""
    [step] = [
        step
        for step in rest_walk.load_released()["steps"]
        if step["path"] == "/dawn" and step["method"] == "GET"
    ]
    text = json.dumps(step, ensure_ascii=False)

    def changes(before: str, now: str) -> list[str]:
        assert before in text
        return list(rest_walk.differences(step, json.loads(text.replace(before, now))))

    for before, now in (
        ('"status": 200', '"status": 201'),
        ('"username": null, ', ""),
        ('"username": null', '"username": "…"'),
        ('"nJobs": 5', '"jobCount": 5'),
        ('"nJobs": 5', '"nJobs": 5.0'),
        ('"enough": true', '"enough": 1'),
        ('"tags": ["data"]', '"tags": ["data", "data"]'),
        ('"state": "FAILED"', '"state": "failed"'),
    ):
        assert changes(before, now) != [], (before, now)
    assert changes('"username": null', '"username": null, "owner": null') == []


def test_the_walk_goes_everywhere() -> None:
    """It uses each operation of the release, and its answers have all statuses but rare ones."""
    released = rest_walk.load_released()
    taken = [f"{step['method']} /api/v0{step['path']}" for step in released["steps"]]
    assert len(released["operations"]) >= 14
    for operation in released["operations"]:
        pattern = re.sub(r"{\w+}", "[^/?]+", operation) + r"(\?.*)?"
        assert any(re.fullmatch(pattern, step) for step in taken), operation
    statuses = {step["status"] for step in released["steps"]}
    assert statuses >= {200, 201, 400, 403, 404, 405, 409, 421}


def test_migrations_are_not_edited() -> None:
    """Databases of the release are migrated by new files: those of the release are unchanged."""
    for line in (RELEASED / "migrations.sha256").read_text().splitlines():
        digest, name = line.split()
        migration = (ROOT / "alembic" / "versions" / name).read_bytes()
        assert hashlib.sha256(migration).hexdigest() == digest, name


def test_a_spool_of_the_release_is_sent(sqlite_server: Server, tmp_path: Path) -> None:
    """What jobs of the release have left on disk arrives, whole and once."""
    shutil.copytree(RELEASED / "spool", tmp_path / "spool")
    sqlite_server.create("t", {"name": "p", "jobCount": 5})
    environ = job_environment(sqlite_server.url, tmp_path)
    moved = ("flush", "--moved-from", "http://released.invalid:8088")
    assert run_lamia_job(environ, *moved).stdout == b"4 events sent, 0 refused, 0 files left.\n"
    assert spooled_events(tmp_path) == []
    job = sqlite_server.graphql(
        """{ job(task: "t", process: "p", index: 3) { state hostname starts
          events(first: 9) { nodes { eventClass progress payload sentAt } } } }"""
    )["job"]
    assert (job["state"], job["hostname"], job["starts"]) == ("DONE", "n7", 1)
    events = sorted(job["events"]["nodes"], key=lambda event: str(event["sentAt"]))
    assert [(event["eventClass"], event["progress"]) for event in events] == [
        ("STARTED", None),
        ("PROGRESS", 12.5),
        ("BEAT", None),
        ("DONE", None),
    ]
    assert all(event["payload"] == {"text": "größer"} for event in events)
