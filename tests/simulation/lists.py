"""Lists: read page by page, compared with what was there, and asked with false cursors."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import datetime
from functools import partial
from typing import Any

from tests.simulation.client import Client, UnavailableError, code
from tests.simulation.model import Found, Property, Violation, check
from tests.simulation.network import LostError, address
from tests.simulation.operations import EVENTS, EVENTS_OF_PROCESS, JOBS, LISTS, TASKS
from tests.simulation.steps import Forge, Stale, Step, Walk
from tests.simulation.tasks import JobKey, Tasks
from tests.simulation.trouble import Trouble


class Lists:
    """Reads lists of jobs, events and tasks."""

    def __init__(self, client: Client, tasks: Tasks) -> None:
        self._client = client
        self._tasks = tasks

    async def walk(self, step: Walk, trouble: Trouble | None) -> None:
        """Read a whole list; compare with what was there before and after."""
        begin, touching = len(self._tasks.touched), list(self._tasks.touching)
        before = await self._whole(step)
        seen: list[Any] = []
        place: str | None = None
        for number in range(200):
            here = trouble if number == step.page else None
            try:
                page = await self.page(step, place, step.size, here)
            except (LostError, UnavailableError):
                page = await self._client.after_trouble(partial(self.page, step, place, step.size))
            if page is None:
                return  # the task has gone
            items, place = page
            seen = [*items, *seen] if step.backward else [*seen, *items]
            check(len(items) <= step.size, Property.PAGES, f"{step}: too many, {items}")
            if place is None:
                break
        else:
            raise Violation(Property.PAGES, f"{step} does not end: {seen}")
        after = await self._whole(step)
        task = self._tasks.live.get(step.task)
        if step.what == "events" and task is not None and place is None and before:
            task.cursors += [cursor for _, cursor in before[-1:]]
        if before is None or after is None:
            return
        touched = Counter([*self._tasks.touched[begin:], *touching])
        self._check_walk(step, before, seen, after, touched)

    def _check_walk(
        self,
        step: Walk,
        before: list[Any],
        seen: list[Any],
        after: list[Any],
        touched: Counter[JobKey],
    ) -> None:
        if step.what == "events":
            before, seen, after = ([key for key, _ in some] for some in (before, seen, after))
        what = f"{step}: {seen} while there was {before}, then {after}"
        keys = [item[0] for item in seen] if step.what == "jobs" else seen
        check(len(set(keys)) == len(keys), Property.PAGES, f"twice: {what}")
        if step.what != "jobs":
            throughout = [item for item in before if item in after]
            lost = [item for item in throughout if item not in seen]
            check(not lost, Property.PAGES, f"{lost} lost: {what}")
            check(all(s in after for s in seen if s in before), Property.PAGES, what)
            if step.what == "events":
                order = [item for item in after if item in seen]
                check(order == seen, Property.PAGES, f"order: {what}")
            return
        states = dict(before)
        for index, state in after:
            changes = touched[step.task, "p", index]
            wanted = [not step.only or s in step.only for s in (states.get(index), state)]
            # Of several changes some may have led out of what is wanted, and back.
            if changes > 1 or wanted[0] != wanted[1]:
                continue
            there = index in keys if changes else [index, state] in seen
            check(there == wanted[0], Property.PAGES, f"job {index} {state}: {what}")

    async def stale(self, step: Stale, trouble: Trouble | None) -> None:
        """Go on from a cursor of a task that is gone."""
        cursors = [c for task in self._tasks.gone if task.name == step.task for c in task.cursors]
        if not cursors or step.task not in self._tasks.live:
            return
        if step.by == "rest":
            query = (("after", cursors[-1]),)
            target = address(step.task, "p", "event", query=query)
            answer = await self._client.rest(step, "GET", target, None, trouble)
            details = answer.body["errors"][0]["details"] if answer.status == 400 else {}
            found = details.get("code")
        else:
            given = {"task": step.task, "first": 5, "after": cursors[-1]}
            answer = await self._client.raw(step, EVENTS, given, trouble)
            found = code(answer)
        refused = found == "CURSOR_INVALID"
        check(refused, Property.CURSOR, f"a cursor of another {step.task} is taken: {answer.body}")

    async def forge(self, step: Forge, trouble: Trouble | None) -> None:
        """Send cursors with numbers that no list has given."""
        query, path = LISTS[step.what]
        answer = await self._client.raw(step, query, {"task": step.task, "first": 1}, trouble)
        page: Any = (answer.body or {}).get("data") or {}
        for name in path:
            page = (page or {}).get(name)
        if not page or not page["pageInfo"]["endCursor"]:
            return
        text = page["pageInfo"]["endCursor"]
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        for huge in (2**31, 2**40, 2**63 - 1, -(2**40)):
            forged = [huge if type(part) is int else part for part in parts]
            cursor = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
            given = {"task": step.task, "first": 1, "after": cursor}
            await self._client.raw(step, query, given)

    async def _whole(self, step: Walk) -> list[Any] | None:
        """All of a list at once; jobs without a filter, with their states."""
        all_jobs = Walk(step.server, "jobs", step.task, step.process, (), 100, 0)
        page = await self._client.after_trouble(
            partial(self.page, all_jobs if step.what == "jobs" else step, None, 100)
        )
        if page is None:
            return None
        items: list[Any] = page[0]
        while page[1] is not None:
            page = await self._client.after_trouble(partial(self.page, step, page[1], 100))
            if page is None:
                return None
            items = [*page[0], *items] if step.backward else [*items, *page[0]]
        return items

    async def page(
        self, step: Walk, place: str | None, size: int, trouble: Trouble | None = None
    ) -> tuple[list[Any], str | None] | None:
        """A page, and the place of the next one; None where there is no such task."""
        if step.by == "rest":
            return await self._rest_page(step, place, size, trouble)
        given: dict[str, Any] = {"task": step.task}
        if step.process is not None:
            given["process"] = step.process
        given |= {"last": size, "before": place} if step.backward else {"first": size}
        if not step.backward:
            given["after"] = place
        if step.what == "jobs":
            given["filter"] = {"states": list(step.only)} if step.only else None
            data = await self._client.graphql(step, JOBS, given, trouble)
            page = data["process"] and data["process"]["jobs"]
        elif step.what == "tasks":
            data = await self._client.graphql(step, TASKS, given, trouble)
            page = data["tasks"]
        else:
            if step.only:
                given["classes"] = list(step.only)
            query = EVENTS if step.process is None else EVENTS_OF_PROCESS
            data = await self._client.graphql(step, query, given, trouble)
            owner = data["task"]
            if step.process is not None:
                owner = owner and owner["process"]
            page = owner and owner["events"]
        if page is None:
            return None
        info = page["pageInfo"]
        if step.what == "jobs":
            items: list[Any] = [[node["index"], node["state"]] for node in page["nodes"]]
        elif step.what == "tasks":
            items = [node["id"] for node in page["nodes"]]
        else:
            items = [(edge["node"]["uuid"], edge["cursor"]) for edge in page["edges"]]
        if step.backward:
            return items, info["startCursor"] if info["hasPreviousPage"] else None
        return items, info["endCursor"] if info["hasNextPage"] else None

    async def _rest_page(
        self, step: Walk, place: str | None, size: int, trouble: Trouble | None
    ) -> tuple[list[Any], str | None] | None:
        query = [("limit", size), *([("after", place)] if place else [])]
        parts = () if step.what == "tasks" else (step.task, str(step.process), "event")
        answer = await self._client.rest(step, "GET", address(*parts, query=query), None, trouble)
        if answer.status == 404:
            return None
        check(answer.status == 200, Property.ANSWER, f"{step}: {answer}")
        link = answer.headers.get("link", "")
        after = link.partition("after=")[2].partition(">")[0].partition("&")[0] or None
        if step.what == "tasks":
            return [task["name"] for task in answer.body], after
        return [(event["id"], after or "") for event in answer.body], after

    async def events(self, step: Step, task: str, after: str | None) -> list[Found] | None:
        """All events of a task behind a cursor; None where there is no such task."""
        found: list[Found] = []
        while True:
            given = {"task": task, "first": 100, "after": after or None}
            data = await self._client.after_trouble(
                partial(self._client.graphql, step, EVENTS, given)
            )
            if data["task"] is None:
                return None
            page = data["task"]["events"]
            for edge in page["edges"]:
                node = edge["node"]
                sent_at = node["sentAt"] and datetime.fromisoformat(node["sentAt"])
                found.append(
                    Found(
                        node["uuid"],
                        node["process"]["name"],
                        node["job"]["index"],
                        node["eventClass"],
                        node["progress"],
                        node["attempt"],
                        sent_at,
                        datetime.fromisoformat(node["receivedAt"]),
                        node["payload"],
                    )
                )
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]
