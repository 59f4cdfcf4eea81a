"""A walk through the REST interface, as the last release has answered it.

``python -m tests.support.rest_walk URL`` sends the requests of ``tests/released/rest.json`` to a
new server, and prints the file with its answers, for the next release.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from lamia_gql.rest.routes import OPERATIONS

RELEASED = Path(__file__).parents[1] / "released" / "rest.json"
ANYTHING = "…"
"""In a text that is expected: any characters."""
VARYING = {"id", "reason", "error", "recievedAt"}
"""The keys whose values differ each time, or are for people only."""
GIVEN = "00000000-"
"""What the ids begin with that the walk gives to its events."""
HEADERS = ("link",)
"""The headers of answers that clients use."""
LINES = "application/x-ndjson"


def load_released() -> dict[str, Any]:
    """The operations, and the steps of the walk: each a request, its status and its answer."""
    found: dict[str, Any] = json.loads(RELEASED.read_text())
    return found


def answer(client: httpx.Client, step: dict[str, Any]) -> dict[str, Any]:
    """Status, body and headers of the answer to the request of a step."""
    headers = step.get("requestHeaders", {})
    body = step.get("body")
    # Text is sent as it is, everything else as curl would send JSON.
    content = None if body is None else body if isinstance(body, str) else json.dumps(body)
    path = "/api/v0" + step["path"]
    got = client.request(step["method"], path, content=content, headers=headers)
    if got.headers.get("content-type") == LINES:
        shown: Any = [json.loads(line) for line in got.text.splitlines()]
    else:
        shown = got.json() if got.content else None
    kept = {name: got.headers[name] for name in HEADERS if name in got.headers}
    return {"status": got.status_code, "answer": shown, "headers": kept}


def differences(released: Any, found: Any, place: str = "") -> Iterator[str]:
    """What was promised in the first value and is not in the second one; more may be in it.

    Args:
        released: a value of an answer, with :data:`ANYTHING` in texts.
        found: the value in its place now.
        place: where it is, for the message.
    """
    if isinstance(released, dict) and isinstance(found, dict):
        for key, value in released.items():
            if key in found:
                yield from differences(value, found[key], f"{place}.{key}")
            else:
                yield f"{place}.{key} is gone"
    elif isinstance(released, list) and isinstance(found, list) and len(released) == len(found):
        for number, (before, now) in enumerate(zip(released, found, strict=True)):
            yield from differences(before, now, f"{place}.{number}")
    elif isinstance(released, str) and isinstance(found, str):
        pattern = re.escape(released).replace(ANYTHING, ".*")
        if not re.fullmatch(pattern, found, re.DOTALL):
            yield f"{place} was {released!r}, and is {found!r}"
    elif type(released) is not type(found) or released != found:
        yield f"{place} was {released!r}, and is {found!r}"


def without_varying(value: Any, key: str = "") -> Any:
    """An answer as it is written into the file."""
    if isinstance(value, dict):
        return {name: without_varying(below, name) for name, below in value.items()}
    if isinstance(value, list):
        return [without_varying(below) for below in value]
    if isinstance(value, str):
        is_varying = key in VARYING and not value.startswith(GIVEN)
        return ANYTHING if is_varying else re.sub(r"after=[^&>]+", f"after={ANYTHING}", value)
    return value


def record(url: str) -> str:
    """The file anew, with the answers of this server; each step is a line."""
    with httpx.Client(base_url=url, verify=False) as client:
        steps = [
            {
                key: value
                for key, value in step.items()
                if key not in ("status", "answer", "headers")
            }
            | without_varying(answer(client, step))
            for step in load_released()["steps"]
        ]
    parts = (
        ",\n".join(json.dumps(part, ensure_ascii=False) for part in all_)
        for all_ in (sorted(set(OPERATIONS)), steps)
    )
    return '{{"operations": [\n{}\n], "steps": [\n{}\n]}}\n'.format(*parts)


if __name__ == "__main__":
    sys.stdout.write(record(sys.argv[1]))
