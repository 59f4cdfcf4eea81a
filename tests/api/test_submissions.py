"""Events that are submitted by a plan get the answers that resolving field by field gives."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from lamia_gql.domain.errors import ErrorCode, OutcomeUnknown, Unavailable
from lamia_gql.domain.settings import load
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.migrations import migrate
from tests.conftest import make_postgres
from tests.support.engines import quick_on
from tests.support.harness import CREATE_TASK
from tests.support.in_process_server import InProcessServer, serve_in_process
from tests.support.random_events import FRAGMENTS, RESULTS, STRANGE, RandomEvents

REQUESTS = 80
MANY_REQUESTS = 300
GENERATED = re.compile(rb'"(id|uuid)":"[^"]*"')
INCIDENT = re.compile(rb'(?<=incident )[0-9a-f]{12}|(?<="incident":")[0-9a-f]{12}')
PRESENT = re.compile(rb"(?!202[01]-)\d{4}-\d\d-\d\dT[\d:.+]+")
"""Times by the clock of the server: the events of the test have older ones."""


class Twins(NamedTuple):
    """Two servers that got the same requests: one uses plans, the other one does not."""

    planned: InProcessServer
    resolving: InProcessServer
    client: httpx.AsyncClient

    async def send(
        self, document: str, variables: Any, **headers: str
    ) -> tuple[httpx.Response, bool]:
        """Send one request to both, compare the answers; the answer, and whether by a plan."""
        before = self.planned.streams.planned.answered
        answers = [
            await self.client.post(
                f"{server.url}/graphql",
                json={"query": document, "variables": variables},
                headers=headers,
            )
            for server in (self.planned, self.resolving)
        ]
        bodies = [
            INCIDENT.sub(b"incident", PRESENT.sub(b"now", answer.content)) for answer in answers
        ]
        if "uuid" not in str(variables):
            bodies = [GENERATED.sub(b"", body) for body in bodies]
        shown = f"{document}\n{variables}"
        assert answers[0].status_code == answers[1].status_code, shown
        pairs = enumerate(zip(*bodies, strict=False))
        differs = next((place for place, (one, other) in pairs if one != other), 0)
        around = slice(max(0, differs - 80), differs + 80)
        assert bodies[0] == bodies[1], f"{bodies[0][around]!r} {bodies[1][around]!r} {shown}"
        return answers[0], self.planned.streams.planned.answered > before


@pytest.fixture(params=["sqlite", "postgresql"])
def two_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Two fresh databases of one engine."""
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path}/{name}.sqlite" for name in "ab"]
        return
    folder = request.getfixturevalue("postgres")
    first, second = make_postgres(folder), make_postgres(folder)
    yield [next(first), next(second)]
    for database in (first, second):
        next(database, None)


@pytest.fixture
async def twins(two_urls: list[str]) -> AsyncIterator[Twins]:
    """Both servers, with the same tasks."""
    settings = {
        "max_payload_bytes": 100_000,
        "max_events_per_request": 12,
        "max_response_bytes": 1 << 20,
        "beat_interval": 30,
    }
    for url in two_urls:
        if url.startswith("postgresql"):
            engine = create_engine(load(database_url=url))
            migrate(engine, "head")
            engine.dispose()
    async with (
        serve_in_process(two_urls[0], **settings) as planned,
        serve_in_process(two_urls[1], compiled_queries=False, **settings) as resolving,
        httpx.AsyncClient(timeout=60, verify=False) as client,
    ):
        twins = Twins(planned, resolving, client)
        for name in ("t", "u"):
            processes = [
                {"name": "a", "jobCount": 5, "firstIndex": 2, "failureTolerance": 1},
                {"name": "s"},
                {"name": "w", "jobCount": 3, "threshold": 2},
            ]
            await twins.send(CREATE_TASK, {"input": {"name": name, "processes": processes}})
        yield twins


async def send_random(twins: Twins, seed: int) -> bool:
    """Send a request of some events; whether it was answered by a plan."""
    inputs = RandomEvents(seed)
    chance = inputs.random.random
    named = chance() < 0.8
    if chance() < 0.4:
        document = inputs.document("submitEvent", "$x", "$x: SubmitEventInput!")
        return (await twins.send(document, {"x": inputs.event(named=named)}))[1]
    many = inputs.random.choice([0, 1, 2, 3, 5, 12, 13])
    events: Any = [inputs.event(named=named) for _ in range(many)]
    if chance() < 0.02:
        events = inputs.random.choice([None, {}, inputs.event(named=named)])
    if chance() < 0.5:
        document = inputs.document("submitEvents", "$x", "$x: SubmitEventsInput!")
        wrapped: Any = {"events": events} | ({"more": 1} if chance() < 0.03 else {})
        return (await twins.send(document, {"x": wrapped, "undeclared": 1}))[1]
    document = inputs.document("submitEvents", "{events: $x}", "$x: [SubmitEventInput!]!")
    return (await twins.send(document, {"x": events}))[1]


async def test_random_events(twins: Twins) -> None:
    """Valid and invalid events, duplicates, unknown tasks: both servers give the same bytes."""
    planned = [await send_random(twins, seed) for seed in range(REQUESTS)]
    assert sum(planned) > REQUESTS / 3


async def test_values_of_unusual_forms(twins: Twins) -> None:
    """Each of them alone, in an event that is valid otherwise."""
    document = """mutation($x: SubmitEventInput!) { submitEvent(input: $x) {
      event { uuid sentAt progress attempt hostname }
      userErrors { code field message } } }"""
    for name, values in STRANGE.items():
        for number, value in enumerate(values):
            new = str(uuid.UUID(int=number, version=4))
            event = {"task": "t", "process": "a", "eventClass": "BEAT", "index": 3, "uuid": new}
            await twins.send(document, {"x": event | {name: value}})


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_many_random_events(twins: Twins) -> None:
    """Some thousand more."""
    for seed in range(REQUESTS, MANY_REQUESTS):
        await send_random(twins, seed)


@quick_on("sqlite", "two_urls")
async def test_failures_are_reported_alike(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried again once it may be stored; errors have the same codes and places."""
    event = {"task": "t", "process": "s", "eventClass": "BEAT"}
    failures = [
        (Unavailable(ErrorCode.BUSY, "The server is busy."), 503, "BUSY"),
        (OutcomeUnknown(), 503, "OUTCOME_UNKNOWN"),
        (RuntimeError("a bug"), 200, "INTERNAL"),
    ]
    for failure, status, code in failures:
        calls: list[Any] = []

        async def fail(
            events: Any, _client: Any, failure: Exception = failure, calls: Any = calls
        ) -> Any:
            calls.append(events)
            raise failure

        with monkeypatch.context() as patch:
            for server in (twins.planned, twins.resolving):
                patch.setattr(server.services.recorder, "record", fail)
            answer, planned = await twins.send(
                "mutation($x: SubmitEventInput!) { alias: submitEvent(input: $x) { enough } }",
                {"x": event},
            )
        [error] = answer.json()["errors"]
        assert (planned, len(calls), answer.status_code) == (True, 2, status)
        assert (error["extensions"]["code"], error["path"]) == (code, ["alias"])


@quick_on("sqlite", "two_urls")
async def test_an_answer_that_is_too_large(twins: Twins) -> None:
    """The events are stored, and the error says so."""
    event = {"task": "t", "process": "s", "eventClass": "BEAT", "payload": "x" * 99_000}
    answer, planned = await twins.send(
        """mutation($x: [SubmitEventInput!]!) { submitEvents(input: {events: $x}) {
          results { event { payload } } } }""",
        {"x": [event] * 12},
    )
    [error] = answer.json()["errors"]
    assert (planned, error["extensions"]["code"]) == (True, "RESPONSE_TOO_LARGE")
    assert "changes were made" in error["message"]
    count, _ = await twins.send(
        '{ process(task: "t", name: "s") { events(first: 1) { totalCount } } }', None
    )
    assert count.json()["data"]["process"]["events"]["totalCount"] == 12


@quick_on("sqlite", "two_urls")
async def test_other_transports(twins: Twins) -> None:
    """Server-sent events get the same answer; GET may not change anything."""
    variables = {"x": {"task": "t", "process": "s", "eventClass": "BEAT"}, "undeclared": 1}
    document = "mutation($x: SubmitEventInput!) { submitEvent(input: $x) { enough } }"
    _, planned = await twins.send(document, variables, accept="text/event-stream")
    assert planned
    for server in (twins.planned, twins.resolving):
        answer = await twins.client.get(
            f"{server.url}/graphql",
            params={"query": document, "variables": json.dumps(variables)},
        )
        assert answer.status_code == 405
        assert answer.json()["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"


async def test_what_has_a_plan(twins: Twins) -> None:
    """What programs usually send has a plan; whatever reads after the commit has none."""
    event = {"task": "t", "process": "s", "eventClass": "BEAT"}
    for selected, expected in zip(RESULTS, [True] * 5 + [False] * 2, strict=True):
        fragments = FRAGMENTS if "...E" in selected else ""
        document = f"""mutation($input: SubmitEventInput!) {{
          submitEvent(input: $input) {{ {selected} }} }}{fragments}"""
        assert (await twins.send(document, {"input": event}))[1] is expected, document
    for document in (
        'mutation { submitEvent(input: {task: "t", process: "s", eventClass: BEAT}) { enough } }',
        """mutation($input: SubmitEventInput!) { submitEvent(input: $input) { enough }
          again: submitEvent(input: $input) { enough } }""",
        """mutation($input: SubmitEventInput!, $w: Boolean = true) {
          submitEvent(input: $input) { enough @include(if: $w) duplicate } }""",
    ):
        assert (await twins.send(document, {"input": event}))[1] is False, document
