"""What the client of ariadne-codegen sees of the server at the address in the first argument.

The client was generated from the operations in ``schema/``, into a folder on Python's path.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from lamia_client import Client, EventClass, SubmitEventInput, SubmitEventsInput


async def main(url: str) -> None:
    """Query, mutate, subscribe, and print what was seen."""
    told: dict[str, Any] = {}
    async with Client(url=url, ws_url=url.replace("http", "ws")) as client:
        task = (await client.task(name="t", points=2, groups=1, hosts=1)).task
        told["query"] = {"name": task.name, "state": task.state}
        event = SubmitEventInput(task="t", process="a", index=1, event_class=EventClass.STARTED)
        done = await client.submit_events(input=SubmitEventsInput(events=[event]))
        [result] = done.submit_events.results
        told["mutation"] = {"duplicate": result.duplicate, "userErrors": result.user_errors}
        indices = await client.job_indices(task="t", name="a", states=["RUNNING"])
        told["indices"] = indices.process.indices
        async for change in client.job_event_stream(task="t", process="a", index=1, after=""):
            told["subscription"] = change.events.node.event_class
            told["hours"] = change.events.node.received_at.utcoffset().total_seconds()
            break
    print(json.dumps(told))


asyncio.run(main(sys.argv[1]))
